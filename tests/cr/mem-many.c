// SPDX-License-Identifier: Apache-2.0
/* Memory of many processes, each its own: with holes, with zeros, in large and in small pieces. */
#include <sys/mman.h>

#include "cr.h"

#define CHILDREN 40
#define LEN	 (1ul << 20)
#define PIECES	 (8ul << 20)
#define STEP                                                                                      \
	(12ul << 10) /* of these every third page is written: many jobs for the threads of a dump \
		      */

static char *map(size_t len)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(p != MAP_FAILED);
	return p;
}

static void write_all(char *whole, char *pieces, uint32_t seed)
{
	size_t i;

	cr_fill(whole, LEN, seed);
	memset(whole + LEN / 4, 0, LEN / 4);
	for (i = 0; i + 4096 <= PIECES; i += STEP)
		cr_fill(pieces + i, 4096, seed + i);
}

static void check_all(const char *whole, const char *pieces, char *copy, uint32_t seed)
{
	static const char zero[8192];
	size_t i;

	cr_fill(copy, LEN, seed);
	memset(copy + LEN / 4, 0, LEN / 4);
	CHECK(memcmp(whole, copy, LEN) == 0, "process %u: the large piece", seed);
	for (i = 0; i + 4096 <= PIECES; i += STEP) {
		CHECK(cr_filled(pieces + i, 4096, seed + i), "process %u: page at %zu", seed, i);
		CHECK(i + STEP > PIECES || memcmp(pieces + i + 4096, zero, sizeof(zero)) == 0,
			"process %u: hole behind %zu", seed, i);
	}
}

int main(int argc, char **argv)
{
	char *whole, *pieces, *copy;
	pid_t pids[CHILDREN];
	int i;

	cr_init(argc, argv);
	whole = map(LEN);
	pieces = map(PIECES);
	copy = map(LEN);
	for (i = 0; i < CHILDREN; i++) {
		pids[i] = cr_fork();
		if (pids[i] == 0) {
			write_all(whole, pieces, i + 1);
			cr_child_ready();
			cr_wait_go();
			check_all(whole, pieces, copy, i + 1);
			_exit(cr_done());
		}
	}
	write_all(whole, pieces, 1000);
	cr_wait();
	check_all(whole, pieces, copy, 1000);
	for (i = 0; i < CHILDREN; i++)
		cr_reap(pids[i]);
	return cr_done();
}
