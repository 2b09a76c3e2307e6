// SPDX-License-Identifier: Apache-2.0
/* Anonymous memory: private (with holes, shared copy-on-write over a fork), shared, a huge sparse
 * one. */
#include <sys/mman.h>

#include "cr.h"

#define LEN    (16ul << 20) /* enough for more than one thread */
#define SPARSE (256ul << 30)

static char *map(size_t len, int flags)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	MUST(p != MAP_FAILED);
	return p;
}

static const size_t touched[] = {0, 4096, 5ul << 30, (200ul << 30) + 8192, SPARSE - 4096};

int main(int argc, char **argv)
{
	char *priv, *holes, *shared, *sparse, zero[4096] = "";
	size_t i;
	pid_t pid;

	cr_init(argc, argv);
	priv = map(LEN, MAP_PRIVATE);
	holes = map(LEN, MAP_PRIVATE);
	shared = map(LEN, MAP_SHARED);
	sparse = map(SPARSE, MAP_PRIVATE | MAP_NORESERVE);
	cr_fill(priv, LEN, 1);
	for (i = 0; i < LEN; i += 16384)
		cr_fill(holes + i, 4096, 2 + i);
	MUST(madvise(holes + 16384, 4096, MADV_DONTNEED) == 0);
	cr_fill(shared + 4096, LEN - 4096, 3);
	for (i = 0; i < sizeof(touched) / sizeof(touched[0]); i++)
		cr_fill(sparse + touched[i], 4096, 4 + i);
	pid = cr_fork();
	if (pid == 0) {
		cr_fill(priv + 4096, 4096, 100); /* a copy of its own of one page */
		cr_child_ready();
		cr_wait_go();
		CHECK(cr_filled(priv, 4096, 1), "child: a page shared since the fork");
		CHECK(cr_filled(priv + 4096, 4096, 100), "child: a page of its own");
		shared[0] = 'c'; /* the parent must see it */
		_exit(cr_done());
	}
	cr_wait();
	cr_reap(pid);
	CHECK(cr_filled(priv, LEN, 1), "private memory");
	CHECK(madvise(priv, LEN / 2, MADV_DONTNEED) == 0, "private memory is dropped");
	CHECK(memcmp(priv + 4096, zero, 4096) == 0, "dropped after the restore");
	cr_fill(priv, LEN, 1); /* for the next round */
	CHECK(memcmp(holes + 16384, zero, 4096) == 0, "a dropped page");
	for (i = 0; i < LEN; i += 16384) {
		if (i != 16384)
			CHECK(cr_filled(holes + i, 4096, 2 + i), "page at %zu", i);
		CHECK(memcmp(holes + i + 4096, zero, 4096) == 0, "hole behind %zu", i);
	}
	CHECK_EQ(shared[0], 'c');
	CHECK(cr_filled(shared + 4096, LEN - 4096, 3), "shared memory");
	for (i = 0; i < sizeof(touched) / sizeof(touched[0]); i++)
		CHECK(cr_filled(sparse + touched[i], 4096, 4 + i), "sparse, at %zu", touched[i]);
	CHECK(memcmp(sparse + (100ul << 30), zero, 4096) == 0, "sparse: a hole");
	return cr_done();
}
