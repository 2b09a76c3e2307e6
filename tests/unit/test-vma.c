// SPDX-License-Identifier: Apache-2.0
/* The parser of smaps, and the search for a gap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "cr/mem/vma.h"

static const char smaps[] =
	"00400000-00401000 r-xp 00001000 fe:00 77                                 /bin/with space\n"
	"Size:                  4 kB\n"
	"KernelPageSize:        4 kB\n"
	"VmFlags: rd ex mr mw me \n"
	"7f0000000000-7f0000200000 rw-p 00000000 00:00 0                          [anon:heap]\n"
	"KernelPageSize:     2048 kB\n"
	"VmFlags: rd wr mr mw me ac hg lo gd \n"
	"7f1000000000-7f1000001000 rw-s 00000000 00:01 0                          /SYSV00000000 "
	"(deleted)\n"
	"VmFlags: rd wr sh mr mw me ms \n"
	"7ffe00000000-7ffe00002000 r-xp 00000000 00:00 0                          [vdso]\n"
	"VmFlags: rd ex mr mw me de \n";

static void test_parse(void **state)
{
	struct vma_list l;
	struct err err;

	(void)state;
	assert_int_equal(vma_parse(smaps, sizeof(smaps) - 1, &l, &err), 0);
	assert_int_equal(l.n, 4);
	assert_int_equal(l.v[0].kind, VMA_FILE);
	assert_int_equal(l.v[0].prot, PROT_READ | PROT_EXEC);
	assert_int_equal(l.v[0].offset, 0x1000);
	assert_string_equal(l.v[0].path, "/bin/with space");
	assert_int_equal(l.v[1].kind, VMA_ANON);
	assert_int_equal(l.v[1].page_shift, 21);
	assert_int_equal(l.v[1].advice, VMA_HUGEPAGE | VMA_LOCKED | VMA_MAY_WRITE);
	assert_int_equal(l.v[1].flags, MAP_PRIVATE | MAP_GROWSDOWN);
	assert_int_equal(l.v[2].kind, VMA_SYSV);
	assert_int_equal(l.v[2].inode, 0);
	assert_int_equal(l.v[3].kind, VMA_VDSO);
	vma_list_done(&l);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"00400000 r-xp 00001000 fe:00 77 /x\n",
		"00402000-00401000 r-xp 00000000 00:00 0\n",
		"00400000-00401000 r-xp zz 00:00 0\n",
	};
	struct vma_list l;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(vma_parse(bad[i], strlen(bad[i]), &l, &err), -EINVAL);
}

static void test_gap(void **state)
{
	struct vma a[] = {
		{.start = 0x400000, .end = 0x500000}, {.start = 16ull << 20, .end = 17ull << 20}};
	struct vma b[] = {{.start = 18ull << 20, .end = 1ull << 45}};
	struct vma_list la = {.v = a, .n = 2}, lb = {.v = b, .n = 1}, none = {0};
	uint64_t at;

	(void)state;
	assert_int_equal(vma_find_gap(&la, &none, 1 << 20, &at), 0);
	assert_int_equal(at, 17ull << 20);
	assert_int_equal(vma_find_gap(&la, &lb, 1 << 20, &at), 0);
	assert_int_equal(at, 1ull << 45); /* the guard gap below lb leaves no room before it */
	assert_int_equal(vma_find_gap(&la, &lb, 1ull << 46, &at), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
