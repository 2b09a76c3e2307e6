// SPDX-License-Identifier: Apache-2.0
/* See pagemap.h. */
#include "sys/pagemap.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "base/io.h"
#include "base/util.h"

#define PAGE 4096ull

struct scan_arg { /* struct pm_scan_arg of linux/fs.h, which Debian 12's headers do not have */
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN_IOCTL _IOWR('f', 16, struct scan_arg)

#define PM_PRESENT (1ull << 63)
#define PM_SWAPPED (1ull << 62)
#define PM_FILE	   (1ull << 61)
#define PM_GUARD   (1ull << 58)

/* 2: the ioctl with guard pages, 1: without, 0: none; probed by use. */
static atomic_int scan_level = 2;

static int scan_ioctl(
	int fd, uint64_t start, uint64_t end, struct page_region *ret, size_t n, uint64_t *ret_next)
{
	struct scan_arg a = {
		.size = sizeof(a),
		.start = start,
		.end = end,
		.vec = (uintptr_t)ret,
		.vec_len = n,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED | PAGE_IS_FILE | PAGE_IS_PFNZERO,
	};
	int r;

	if (scan_level == 2)
		a.return_mask |= PAGE_IS_GUARD;
	r = ioctl(fd, PAGEMAP_SCAN_IOCTL, &a);
	if (r < 0)
		return -errno;
	*ret_next = a.walk_end;
	return r;
}

static uint64_t entry_categories(uint64_t e)
{
	return (e & PM_PRESENT ? PAGE_IS_PRESENT : 0) | (e & PM_SWAPPED ? PAGE_IS_SWAPPED : 0) |
	       (e & PM_FILE ? PAGE_IS_FILE : 0) | (e & PM_GUARD ? PAGE_IS_GUARD : 0);
}

static int scan_read(
	int fd, uint64_t start, uint64_t end, struct page_region *ret, size_t n, uint64_t *ret_next)
{
	uint64_t entries[512], at = start, cat;
	size_t found = 0, i, want;
	ssize_t got;

	while (at < end) {
		want = MIN((end - at) / PAGE, ARRAY_SIZE(entries));
		got = io_pread(fd, entries, want * 8, (off_t)(at / PAGE * 8));
		if (got < 0)
			return (int)got;
		if (got < 8)
			break;
		for (i = 0; i < (size_t)got / 8; i++, at += PAGE) {
			cat = entry_categories(entries[i]);
			if (!(cat & (PAGE_IS_PRESENT | PAGE_IS_SWAPPED | PAGE_IS_GUARD)))
				continue;
			if (found && ret[found - 1].end == at && ret[found - 1].categories == cat) {
				ret[found - 1].end += PAGE;
				continue;
			}
			if (found == n) {
				*ret_next = at;
				return (int)found;
			}
			ret[found++] = (struct page_region){at, at + PAGE, cat};
		}
	}
	*ret_next = end;
	return (int)found;
}

int pagemap_scan(
	int fd, uint64_t start, uint64_t end, struct page_region *ret, size_t n, uint64_t *ret_next)
{
	int r;

	while (scan_level > 0) {
		r = scan_ioctl(fd, start, end, ret, n, ret_next);
		if (r != -EINVAL && r != -ENOTTY)
			return r;
		scan_level--;
	}
	return scan_read(fd, start, end, ret, n, ret_next);
}
