// SPDX-License-Identifier: Apache-2.0
/* The heap by brk(2): content, the break itself, and growth and shrinking afterwards. */
#include <malloc.h>

#include "cr.h"

#define LEN (3ul << 20)

int main(int argc, char **argv)
{
	char *heap, *end;

	cr_init(argc, argv);
	MUST(mallopt(M_MMAP_THRESHOLD, 0)); /* the break is ours alone */
	heap = sbrk(LEN);
	MUST(heap != (void *)-1);
	cr_fill(heap, LEN, 1);
	end = sbrk(0);
	cr_wait();
	CHECK(sbrk(0) == end, "the break is at %p, not %p", sbrk(0), (void *)end);
	CHECK(cr_filled(heap, LEN, 1), "content");
	end = sbrk(LEN);
	CHECK(end != (void *)-1, "growth: %m");
	if (end != (void *)-1) {
		cr_fill(end, LEN, 2);
		CHECK(cr_filled(end, LEN, 2), "new content");
		CHECK(cr_filled(heap, LEN, 1), "old content after growth");
		CHECK(sbrk(-(long)LEN) != (void *)-1, "shrinking: %m");
		CHECK(cr_faults(end + 8192, false) != 0, "memory above the break");
	}
	return cr_done();
}
