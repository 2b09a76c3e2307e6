// SPDX-License-Identifier: Apache-2.0
/* mlock and madvise: every mapping has the flags in smaps that it had before. */
#include <sys/mman.h>

#include "cr.h"

#define LEN 65536ul

static const struct {
	const char *name;
	int advice; /* -1: mlock, -2: mlock on fault, -3: nothing */
	const char *flag;
} rows[] = {
	{"mlock", -1, "lo"},
	{"mlock2 on fault", -2, "lo"},
	{"dontfork", MADV_DONTFORK, "dc"},
	{"dontdump", MADV_DONTDUMP, "dd"},
	{"mergeable", MADV_MERGEABLE, "mg"},
	{"hugepage", MADV_HUGEPAGE, "hg"},
	{"nohugepage", MADV_NOHUGEPAGE, "nh"},
	{"wipeonfork", MADV_WIPEONFORK, "wf"},
	{"random", MADV_RANDOM, "rr"},
	{"sequential", MADV_SEQUENTIAL, "sr"},
	{"plain", -3, "mr"},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* The VmFlags of the mapping that starts at @p. */
static void flags_of(const void *p, char *ret, size_t size)
{
	char *text = cr_read_file("/proc/self/smaps"), start[40], *at;

	ret[0] = '\0';
	snprintf(start, sizeof(start), "%lx-", (unsigned long)p);
	at = text ? strstr(text, start) : NULL;
	if (at)
		cr_field(at, "VmFlags", ret, size);
	free(text);
}

static bool prepare(char *p, int advice)
{
	if (advice == -1)
		return mlock(p, LEN) == 0;
	if (advice == -2)
		return mlock2(p, LEN, MLOCK_ONFAULT) == 0;
	return advice == -3 || madvise(p, LEN, advice) == 0;
}

int main(int argc, char **argv)
{
	char *p[ROWS], before[ROWS][128], now[128];
	bool done[ROWS], told[ROWS];
	size_t i;

	cr_init(argc, argv);
	for (i = 0; i < ROWS; i++) {
		p[i] = mmap(NULL, LEN + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
		MUST(p[i] != MAP_FAILED);
		MUST(munmap(p[i] + LEN, 4096) == 0); /* a gap: neighbours don't merge */
		done[i] = prepare(p[i], rows[i].advice);
		if (!done[i])
			printf("%s: not in this kernel: %m\n", rows[i].name);
		cr_fill(p[i], 4096, i);
		flags_of(p[i], before[i], sizeof(before[i]));
		told[i] = true;
		MUST(!done[i] || strstr(before[i], rows[i].flag));
		if (strstr(before[i], "??")) {
			printf("%s: a flag that this kernel has no name for\n", rows[i].name);
			told[i] = false;
		}
	}
	cr_wait();
	for (i = 0; i < ROWS; i++) {
		flags_of(p[i], now, sizeof(now));
		CHECK(!told[i] || strcmp(now, before[i]) == 0, "%s: flags '%s', not '%s'",
			rows[i].name, now, before[i]);
		CHECK(cr_filled(p[i], 4096, i), "%s: content", rows[i].name);
	}
	return cr_done();
}
