/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pages of a range a process has, from /proc/PID/pagemap: by the PAGEMAP_SCAN ioctl (Linux
 * 6.7), or by reading entries. Documentation/admin-guide/mm/pagemap.rst.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum page_category { /* as the ioctl's */
	PAGE_IS_FILE = 1 << 2,
	PAGE_IS_PRESENT = 1 << 3,
	PAGE_IS_SWAPPED = 1 << 4,
	PAGE_IS_PFNZERO = 1 << 5, /* only known to the ioctl */
	PAGE_IS_HUGE = 1 << 6,	  /* the same */
	PAGE_IS_GUARD = 1 << 8, /* MADV_GUARD_INSTALL; looks like swap to those that do not know */
};

struct page_region {
	uint64_t start, end;
	uint64_t categories;
};

/*
 * Finds present, swapped and guard pages of [@start, @end), in order, neighbours of the same sort
 * as one region, at most @n. @fd is an open pagemap. Returns the number found; *ret_next is where
 * to go on (@end: all is seen). -errno on failure.
 */
int pagemap_scan(int fd, uint64_t start, uint64_t end, struct page_region *ret, size_t n,
	uint64_t *ret_next);
