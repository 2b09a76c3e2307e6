// SPDX-License-Identifier: Apache-2.0
/* manifest.json: once as it comes, once behind a right checksum so that the parser is reached. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "cr/image/image-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const char *text, size_t len)
{
	struct manifest m;
	struct err err = {0};

	if (manifest_parse(text, len, &m, &err) == 0)
		manifest_done(&m);
	else if (!err.text[0])
		abort(); /* a refusal without a word */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autobuf struct buf b = {0};

	parse((const char *)data, size);
	(void)buf_addf(&b, "{\"xxh3\": \"%016" PRIx64 "\",\n", XXH3_64bits(data, size));
	if (buf_add(&b, data, size) == 0)
		parse(b.data, b.len);
	return 0;
}
