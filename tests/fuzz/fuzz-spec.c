// SPDX-License-Identifier: Apache-2.0
/* config.json from anywhere: no crash, and what was accepted is printed and read back unchanged. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "spec/spec.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
	struct spec *first = NULL, *second = NULL;
	autofree char *a = NULL, *b = NULL;

	log_set(LOG_LEVEL_ERROR, 2);
	if (spec_parse((const char *)data, len, &first, NULL) < 0)
		return 0;
	(void)spec_validate(first, NULL); /* either answer is fine */
	if (spec_print(first, &a, NULL) < 0 || spec_parse(a, strlen(a), &second, NULL) < 0 ||
		spec_print(second, &b, NULL) < 0 || strcmp(a, b) != 0)
		abort();
	spec_free(first);
	spec_free(second);
	return 0;
}
