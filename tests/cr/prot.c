// SPDX-License-Identifier: Apache-2.0
/* Protections: PROT_NONE over content, guard pages, read-only, executable code, a growing stack. */
#include <sys/mman.h>

#include "cr.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif
#define PAGES 16

static char *map(size_t len, int prot, int flags)
{
	char *p = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	MUST(p != MAP_FAILED);
	return p;
}

static char *code_page(void)
{
	static const unsigned char ret42[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */
	char *p = map(4096, PROT_READ | PROT_WRITE, 0);

	memcpy(p, ret42, sizeof(ret42));
	MUST(mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0);
	return p;
}

/* A mapping that grows downwards, with room below it. */
static char *grows_down(void)
{
	char *room = map(512 * 4096, PROT_NONE, 0), *p;

	MUST(munmap(room, 512 * 4096) == 0);
	p = mmap(room + 500 * 4096, 12 * 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	MUST(p != MAP_FAILED);
	return p;
}

static int deep(int n)
{
	volatile char frame[8192];

	frame[0] = n;
	return n == 0 ? 0 : deep(n - 1) + (frame[0] == (char)n);
}

int main(int argc, char **argv)
{
	char *none, *ro, *code, *guard, *down;
	bool guards;
	int i;

	cr_init(argc, argv);
	none = map(PAGES * 4096, PROT_READ | PROT_WRITE, 0);
	cr_fill(none, PAGES * 4096, 1);
	MUST(mprotect(none + 4096, 4096, PROT_NONE) == 0);
	ro = map(4096, PROT_READ | PROT_WRITE, 0);
	cr_fill(ro, 4096, 2);
	MUST(mprotect(ro, 4096, PROT_READ) == 0);
	code = code_page();
	guard = map(PAGES * 4096, PROT_READ | PROT_WRITE, 0);
	cr_fill(guard, PAGES * 4096, 3);
	guards = madvise(guard + 8192, 8192, MADV_GUARD_INSTALL) == 0;
	printf("guard pages: %s\n", guards ? "yes" : "not in this kernel");
	down = grows_down();
	cr_fill(down, 4096, 4);
	cr_wait();
	CHECK(cr_faults(none + 4096, false) != 0, "a PROT_NONE page can be read");
	CHECK(mprotect(none + 4096, 4096, PROT_READ) == 0, "mprotect: %m");
	CHECK(cr_filled(none, PAGES * 4096, 1), "content under PROT_NONE");
	CHECK(cr_filled(ro, 4096, 2) && cr_faults(ro, true) != 0, "a read-only page");
	CHECK_EQ(((int (*)(void))(void *)code)(), 42);
	CHECK(cr_faults(code, true) != 0, "code can be written");
	for (i = 0; i < PAGES; i++) {
		bool guarded = guards && (i == 2 || i == 3);

		CHECK((cr_faults(guard + i * 4096, false) != 0) == guarded, "guard, page %d", i);
	}
	CHECK(cr_filled(guard, 8192, 3), "content before the guards");
	if (guards) {
		CHECK(madvise(guard + 8192, 8192, MADV_GUARD_REMOVE) == 0, "remove guards: %m");
		CHECK(guard[8192] == 0, "content under a removed guard");
	}
	CHECK(cr_filled(down, 4096, 4), "content of the one that grows");
	CHECK(cr_faults(down - 4096, true) == 0, "it does not grow any more");
	CHECK_EQ(deep(200), 200); /* and so does the stack */
	return cr_done();
}
