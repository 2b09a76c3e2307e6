// SPDX-License-Identifier: Apache-2.0
/* state.pb, and the printing of whatever was read from it. */
#include <stdlib.h>

#include "base/util.h"
#include "cr/image/image-internal.h"
#include "cr/image/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image img = {.dirfd = -EBADF};
	struct err err = {0};
	json_t *j;

	if (records_parse(data, size, "state.pb", &img.records, &err) < 0) {
		if (!err.text[0])
			abort(); /* a refusal without a word */
		return 0;
	}
	(void)content_check(&img, &err); /* either answer is right */
	j = image_json(&img);
	if (!j)
		abort();
	json_decref(j);
	records_done(&img.records);
	return 0;
}
