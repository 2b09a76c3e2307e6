/* SPDX-License-Identifier: Apache-2.0 */
/* The mappings of a process as /proc/PID/smaps tells them, proc_pid_smaps(5). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* What madvise(2) and mlock(2) said of a mapping; bits of Vma.advice in the image. */
enum vma_advice {
	VMA_DONTFORK = 1 << 0,
	VMA_WIPEONFORK = 1 << 1,
	VMA_DONTDUMP = 1 << 2,
	VMA_HUGEPAGE = 1 << 3,
	VMA_NOHUGEPAGE = 1 << 4,
	VMA_MERGEABLE = 1 << 5,
	VMA_SEQUENTIAL = 1 << 6,
	VMA_RANDOM = 1 << 7,
	VMA_LOCKED = 1 << 8,
	VMA_SEALED = 1 << 9,
	VMA_LOCK_ON_FAULT = 1 << 10, /* with VMA_LOCKED */
	/* cannot be saved */
	VMA_UFFD = 1 << 16,
	VMA_DEVICE = 1 << 17,
	VMA_SHADOW_STACK = 1 << 18,
	/* no advice: mprotect(2) may make it writable */
	VMA_MAY_WRITE = 1 << 20,
};
#define VMA_ADVICE_SAVED 0xffffu

enum vma_kind {
	VMA_ANON, /* private, no file: heap, stack, malloc */
	VMA_FILE, /* a file, private or shared; shared memory too */
	VMA_SYSV, /* shmat(2): inode is the shmid */
	VMA_VDSO,
	VMA_VVAR,
	VMA_VSYSCALL,
};

struct vma {
	uint64_t start, end, offset;
	int prot, flags; /* PROT_*, MAP_* */
	unsigned int advice;
	enum vma_kind kind;
	dev_t dev;
	uint64_t inode;
	unsigned int page_shift; /* of hugetlb, else 0 */
	char *path;		 /* as shown, "" without; escapes kept */
};

struct vma_list {
	struct vma *v; /* ascending */
	size_t n, cap;
};

void vma_list_done(struct vma_list *l);
/* Parses smaps, or maps (then without advice). -EINVAL names the line. */
int vma_parse(const char *text, size_t len, struct vma_list *ret, struct err *err);
/* The lowest page-aligned gap of @size bytes that no mapping of @a or @b touches. -ENOMEM: none. */
int vma_find_gap(const struct vma_list *a, const struct vma_list *b, uint64_t size, uint64_t *ret);
