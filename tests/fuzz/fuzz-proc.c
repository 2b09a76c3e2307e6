// SPDX-License-Identifier: Apache-2.0
/* What procfs shows of processes that choose their own names: stat, status and fdinfo, mountinfo.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/parse.h"
#include "base/util.h"
#include "sys/mountinfo.h"
#include "sys/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mountinfo m;
	struct proc_stat st;
	char value[16], *text, *p;
	uint64_t x;
	int r;

	/* as struct buf keeps them: exactly so long, with an end */
	text = malloc(size + 1);
	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (proc_parse_stat(text, size, &st) == 0 && strlen(st.comm) >= sizeof(st.comm))
		abort();
	if (proc_field(text, size, "Name", value, sizeof(value)) == 0 &&
		strlen(value) >= sizeof(value))
		abort();
	(void)proc_field_u64(text, size, "flags", 8, &x); /* any answer is right */
	(void)parse_size(text, &x);			  /* the same */
	for (p = text; (r = mountinfo_next(&p, &m)) != 0;)
		if (r == 1 && (!m.mountpoint || !m.super_options))
			abort();
	free(text);
	return 0;
}
