// SPDX-License-Identifier: Apache-2.0
/* See vma.h. */
#include "cr/mem/vma.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "base/util.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

#define GAP_LOWEST  (16ull << 20) /* stay clear of mmap_min_addr and of non-PIE programs' habits */
#define GAP_HIGHEST (1ull << 46)

void vma_list_done(struct vma_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->v[i].path);
	free(l->v);
	*l = (struct vma_list){0};
}

/* The two-letter words of VmFlags that matter here. */
static const struct {
	char word[3];
	int map_flag;
	unsigned int advice;
} vm_flags[] = {
	{"dc", 0, VMA_DONTFORK},
	{"dd", 0, VMA_DONTDUMP},
	{"dp", MAP_DROPPABLE, 0},
	{"gd", MAP_GROWSDOWN, 0},
	{"hg", 0, VMA_HUGEPAGE},
	{"ht", MAP_HUGETLB, 0},
	{"io", 0, VMA_DEVICE},
	{"lf", 0, VMA_LOCK_ON_FAULT},
	{"lo", 0, VMA_LOCKED},
	{"mg", 0, VMA_MERGEABLE},
	{"mw", 0, VMA_MAY_WRITE},
	{"nh", 0, VMA_NOHUGEPAGE},
	{"nr", MAP_NORESERVE, 0},
	{"pf", 0, VMA_DEVICE},
	{"rr", 0, VMA_RANDOM},
	{"sl", 0, VMA_SEALED},
	{"sr", 0, VMA_SEQUENTIAL},
	{"ss", 0, VMA_SHADOW_STACK},
	{"um", 0, VMA_UFFD},
	{"uw", 0, VMA_UFFD},
	{"wf", 0, VMA_WIPEONFORK},
};

static void parse_vm_flags(struct vma *v, const char *p, const char *end)
{
	size_t i;

	for (; p + 2 <= end; p += 3) {
		for (i = 0; i < ARRAY_SIZE(vm_flags); i++) {
			if (memcmp(p, vm_flags[i].word, 2) != 0)
				continue;
			v->flags |= vm_flags[i].map_flag;
			v->advice |= vm_flags[i].advice;
		}
	}
}

static enum vma_kind kind_of(const struct vma *v)
{
	if (strcmp(v->path, "[vdso]") == 0)
		return VMA_VDSO;
	if (strncmp(v->path, "[vvar", 5) == 0)
		return VMA_VVAR;
	if (strcmp(v->path, "[vsyscall]") == 0)
		return VMA_VSYSCALL;
	/* Before the look at the inode, which is the shmid, and may be 0. */
	if (strncmp(v->path, "/SYSV", 5) == 0 && v->flags & MAP_SHARED)
		return VMA_SYSV;
	if (v->inode == 0 || strcmp(v->path, "[heap]") == 0 || strncmp(v->path, "[stack", 6) == 0)
		return VMA_ANON;
	if (strcmp(v->path, "/dev/zero") == 0 && !(v->flags & MAP_SHARED))
		return VMA_ANON;
	return VMA_FILE;
}

/* "start-end perms offset maj:min inode   path" */
static int parse_head(const char *p, const char *end, struct vma *ret)
{
	unsigned int maj, min;
	struct vma v = {0};
	char perms[5];
	char line[256];
	int used = 0;
	size_t n = MIN((size_t)(end - p), sizeof(line) - 1);

	memcpy(line, p, n);
	line[n] = '\0';
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 "%n", &v.start,
		    &v.end, perms, &v.offset, &maj, &min, &v.inode, &used) != 7 ||
		strlen(perms) != 4 || v.start >= v.end)
		return -EINVAL;
	v.prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) |
		 (perms[2] == 'x' ? PROT_EXEC : 0);
	v.flags = perms[3] == 's' ? MAP_SHARED : MAP_PRIVATE;
	v.dev = makedev(maj, min);
	for (p += used; p < end && *p == ' '; p++)
		;
	v.path = strndup(p, end - p);
	if (!v.path)
		return -ENOMEM;
	v.kind = kind_of(&v);
	*ret = v;
	return 0;
}

static bool is_head(const char *p, const char *end)
{
	return p < end && (isdigit((unsigned char)*p) || (*p >= 'a' && *p <= 'f'));
}

static void parse_detail(struct vma *v, const char *p, const char *end)
{
	uint64_t kb;

	if (end - p > 9 && memcmp(p, "VmFlags: ", 9) == 0) {
		parse_vm_flags(v, p + 9, end);
	} else if (end - p > 15 && memcmp(p, "KernelPageSize:", 15) == 0) {
		kb = strtoull(p + 15, NULL, 10);
		if (kb > 4 && (kb & (kb - 1)) == 0)
			v->page_shift = 10 + __builtin_ctzll(kb);
	}
}

int vma_parse(const char *text, size_t len, struct vma_list *ret, struct err *err)
{
	const char *p = text, *end = text + len, *eol;
	struct vma_list l = {0};
	int r = 0;

	for (; p < end; p = eol + 1) {
		eol = memchr(p, '\n', end - p);
		if (!eol)
			eol = end;
		if (!is_head(p, eol)) {
			if (l.n)
				parse_detail(&l.v[l.n - 1], p, eol);
			continue;
		}
		r = array_reserve(&l.v, &l.cap, l.n + 1, sizeof(*l.v));
		if (r == 0)
			r = parse_head(p, eol, &l.v[l.n]);
		if (r < 0) {
			vma_list_done(&l);
			return err_set(err, r, "cannot parse the mapping '%.*s'",
				(int)MIN(eol - p, 200), p);
		}
		l.n++;
	}
	*ret = l;
	return 0;
}

int vma_find_gap(const struct vma_list *a, const struct vma_list *b, uint64_t size, uint64_t *ret)
{
	uint64_t at = GAP_LOWEST;
	size_t i = 0, k = 0;
	const struct vma *v;

	while (i < a->n || k < b->n) {
		if (k >= b->n || (i < a->n && a->v[i].start <= b->v[k].start))
			v = &a->v[i++];
		else
			v = &b->v[k++];
		if (v->end <= at)
			continue;
		/* A guard gap stands before a mapping that grows down. */
		if (v->start >= at + size + (1u << 20))
			break;
		at = v->end;
	}
	if (at + size > GAP_HIGHEST)
		return -ENOMEM;
	*ret = at;
	return 0;
}
