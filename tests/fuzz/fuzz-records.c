// SPDX-License-Identifier: Apache-2.0
/* state.pb, the checks of what was read from it, and its printing. */
#include <stdlib.h>

#include "base/util.h"
#include "cr/image/image-internal.h"
#include "cr/image/show.h"
#include "cr/nsdump/nsdump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image img = {.dirfd = -EBADF};
	struct err err = {0};
	struct spec *spec;
	json_t *j;

	if (records_parse(data, size, "state.pb", &img.records, &err) < 0) {
		if (!err.text[0])
			abort(); /* a refusal without a word */
		return 0;
	}
	(void)content_check(&img, &err); /* either answer is right */
	spec = spec_new();
	if (spec) /* either answer is right; nothing is made without an upper directory */
		(void)nsdump_restore_prepare(&img, spec, -EBADF, false, &err);
	spec_free(spec);
	j = image_json(&img);
	if (!j)
		abort();
	json_decref(j);
	records_done(&img.records);
	return 0;
}
