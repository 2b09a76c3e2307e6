// SPDX-License-Identifier: Apache-2.0
/* Making an address space again: the rows of the tape, and the checks before it; see mm.h. */
#include <inttypes.h>
#include <linux/prctl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "cr/mem/mm.h"

#define PAGE	 4096ull
#define USER_TOP 0x7ffffffff000ull

#ifndef PR_SET_VMA
#define PR_SET_VMA	     0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
#define NR_MSEAL 462

static bool is_range(uint64_t start, uint64_t len, uint64_t align)
{
	return len && start % align == 0 && len % align == 0 && start < USER_TOP &&
	       len <= USER_TOP - start;
}

/* The size of the data file of the @i-th extent. */
static int file_size(
	const struct image *img, const Kist__Mm *mm, size_t i, uint64_t *ret, struct err *err)
{
	size_t file = mm->n_extent_files ? mm->extent_files[i] : 0;
	int r;

	if (file >= mm->n_pages)
		return err_setx(
			err, -EBADMSG, "image: page extent %zu of task %u has no file", i, mm->id);
	r = image_data_fd(img, mm->pages[file], ret, err);
	return r < 0 ? err_wrap(err, "image: pages of task %u", mm->id) : 0;
}

/* Extents ascend, lie inside their files, and (by the caller's walk) inside mappings. */
static int check_extents(const struct image *img, const Kist__Mm *mm, struct err *err)
{
	uint64_t size = 0, at = 0;
	size_t i;

	if (mm->n_extents % 3 || (mm->n_extent_files && mm->n_extent_files != mm->n_extents / 3))
		return err_setx(err, -EBADMSG, "image: page extents of task %u are cut", mm->id);
	for (i = 0; i < mm->n_extents; i += 3) {
		const uint64_t *e = &mm->extents[i];
		int r = file_size(img, mm, i / 3, &size, err);

		if (r < 0)
			return r;
		if (!is_range(e[0], e[1], PAGE) || e[0] < at || e[2] % PAGE || e[2] > size ||
			e[1] > size - e[2])
			return err_setx(err, -EBADMSG, "image: page extent %zu of task %u is wrong",
				i / 3, mm->id);
		at = e[0] + e[1];
	}
	return 0;
}

int mm_check(const struct image *img, const Kist__Mm *mm, struct err *err)
{
	uint64_t at = 0;
	size_t i, g;

	for (i = 0; i < mm->n_vmas; i++) {
		const Kist__Vma *v = mm->vmas[i];

		if (v->start < at || !is_range(v->start, v->end - v->start, PAGE) ||
			v->n_guards % 2 || v->prot & ~7u)
			return err_setx(
				err, -EBADMSG, "image: mapping %zu of task %u is wrong", i, mm->id);
		for (g = 0; g < v->n_guards; g += 2)
			if (!is_range(v->guards[g], v->guards[g + 1], PAGE) ||
				v->guards[g] < v->start || v->guards[g] + v->guards[g + 1] > v->end)
				return err_setx(err, -EBADMSG,
					"image: guard pages of task %u are wrong", mm->id);
		at = v->end;
	}
	if (!mm->vdso || !is_range(mm->vdso, mm->vdso_size, PAGE) ||
		(mm->vvar_size && !is_range(mm->vvar, mm->vvar_size, PAGE)))
		return err_setx(err, -EBADMSG, "image: the vdso of task %u is wrong", mm->id);
	return check_extents(img, mm, err);
}

static uint64_t vdso_group(const struct vma_list *self, uint64_t *ret_start)
{
	uint64_t start = UINT64_MAX, end = 0;
	size_t i;

	for (i = 0; i < self->n; i++) {
		if (self->v[i].kind != VMA_VDSO && self->v[i].kind != VMA_VVAR)
			continue;
		start = MIN(start, self->v[i].start);
		end = MAX(end, self->v[i].end);
	}
	*ret_start = start;
	return end > start ? end - start : 0;
}

static int vma_cmp(const void *a, const void *b)
{
	const struct vma *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

int mm_find_boot(const Kist__Mm *mm, const struct vma_list *self, uint64_t size,
	struct mm_boot *ret, struct err *err)
{
	autofree struct vma *ranges = calloc(mm->n_vmas + 2, sizeof(*ranges));
	struct vma_list theirs = {.v = ranges};
	uint64_t start, group = vdso_group(self, &start);
	size_t i;
	int r;

	if (!ranges)
		return err_oom(err);
	for (i = 0; i < mm->n_vmas; i++)
		ranges[theirs.n++] =
			(struct vma){.start = mm->vmas[i]->start, .end = mm->vmas[i]->end};
	ranges[theirs.n++] = (struct vma){.start = mm->vdso, .end = mm->vdso + mm->vdso_size};
	if (mm->vvar_size)
		ranges[theirs.n++] =
			(struct vma){.start = mm->vvar, .end = mm->vvar + mm->vvar_size};
	qsort(ranges, theirs.n, sizeof(*ranges), vma_cmp);
	size = (size + PAGE - 1) & ~(PAGE - 1);
	r = vma_find_gap(&theirs, self, size + group, &ret->addr);
	if (r < 0)
		return err_set(err, r, "no free address range for the restore of task %u", mm->id);
	ret->size = size;
	ret->hop = ret->addr + size;
	return 0;
}

/* munmap of all user space but the boot area and the vdso. */
static void add_unmap(struct tape *t, const struct mm_env *env)
{
	uint64_t vdso, group = vdso_group(env->self, &vdso);
	const uint64_t keep[2][2] = {
		{env->boot.addr, env->boot.addr + env->boot.size}, {vdso, vdso + group}};
	int first = keep[0][0] < keep[1][0] ? 0 : 1, second = 1 - first;
	const uint64_t gaps[3][2] = {{0, keep[first][0]}, {keep[first][1], keep[second][0]},
		{keep[second][1], USER_TOP}};
	size_t i;

	for (i = 0; i < 3; i++)
		if (gaps[i][0] < gaps[i][1])
			TAPE_ADD(t, "unmap kist", TAPE_STOP, SYS_munmap, gaps[i][0],
				gaps[i][1] - gaps[i][0]);
}

static void add_mremap(struct tape *t, uint64_t from, uint64_t size, uint64_t to)
{
	TAPE_ADD(t, "move the vdso", TAPE_STOP, SYS_mremap, from, size, size,
		MREMAP_MAYMOVE | MREMAP_FIXED, to);
	tape_expect(t, to);
}

/* The vvar and vdso mappings keep their order; where the places overlap they go by the hop. */
static int add_vdso(struct tape *t, const struct mm_env *env, struct err *err)
{
	const Kist__Mm *mm = env->mm;
	uint64_t start, group = vdso_group(env->self, &start);
	uint64_t to = mm->vvar_size ? MIN(mm->vvar, mm->vdso) : mm->vdso;
	uint64_t to_size = (mm->vvar_size ? MAX(mm->vvar + mm->vvar_size, mm->vdso + mm->vdso_size)
					  : mm->vdso + mm->vdso_size) -
			   to;
	bool hop = to < start + group && start < to + group;
	size_t i;

	if (group != to_size) {
		err_setx(err, -ENOTSUP, "the vdso of task %u is of another kernel", mm->id);
		return err_hint(err, "restore on the kernel that the image was made on");
	}
	if (to == start)
		return 0;
	for (i = 0; hop && i < env->self->n; i++) {
		const struct vma *v = &env->self->v[i];

		if (v->kind == VMA_VDSO || v->kind == VMA_VVAR)
			add_mremap(
				t, v->start, v->end - v->start, env->boot.hop + (v->start - start));
	}
	for (i = 0; i < env->self->n; i++) {
		const struct vma *v = &env->self->v[i];
		uint64_t off = v->start - start;

		if (v->kind == VMA_VDSO || v->kind == VMA_VVAR)
			add_mremap(t, hop ? env->boot.hop + off : v->start, v->end - v->start,
				to + off);
	}
	return 0;
}

/* Whether pages of the record fall into [start, end); *i moves on through the extents. */
static bool has_pages(const Kist__Mm *mm, const Kist__Vma *v, size_t *i)
{
	while (*i < mm->n_extents && mm->extents[*i] + mm->extents[*i + 1] <= v->start)
		*i += 3;
	return *i < mm->n_extents && mm->extents[*i] < v->end;
}

static int add_map(
	struct tape *t, const struct mm_env *env, const Kist__Vma *v, bool pages, struct err *err)
{
	uint64_t prot = v->prot | (pages ? PROT_WRITE : 0);
	uint64_t flags = v->flags | MAP_FIXED;
	int fd = -1;

	if (v->has_shmid) {
		TAPE_ADD(t, "attach shared memory", TAPE_STOP, SYS_shmat, (uint64_t)v->shmid,
			v->start - v->offset,
			(v->prot & PROT_WRITE ? 0 : SHM_RDONLY) |
				(v->prot & PROT_EXEC ? SHM_EXEC : 0));
		return 0;
	}
	if (v->has_file) {
		fd = env->fd_of(env->arg, v->file);
		if (fd < 0)
			return err_set(err, fd, "image: file %u of a mapping of task %u", v->file,
				env->mm->id);
	}
	if (flags & MAP_DROPPABLE)
		flags &= ~(uint64_t)MAP_PRIVATE; /* a type of its own */
	if (flags & MAP_HUGETLB && v->page_shift)
		flags |= (uint64_t)v->page_shift << MAP_HUGE_SHIFT;
	TAPE_ADD(t, "map", TAPE_STOP, SYS_mmap, v->start, v->end - v->start, prot, flags,
		(uint64_t)(int64_t)fd, v->has_file ? v->offset : 0);
	tape_expect(t, v->start);
	return 0;
}

static const struct {
	unsigned int bit;
	int advice;
	bool must;
} advices[] = {
	{VMA_DONTFORK, MADV_DONTFORK, true},
	{VMA_WIPEONFORK, MADV_WIPEONFORK, true},
	{VMA_DONTDUMP, MADV_DONTDUMP, true},
	{VMA_HUGEPAGE, MADV_HUGEPAGE, false},
	{VMA_NOHUGEPAGE, MADV_NOHUGEPAGE, false},
	{VMA_MERGEABLE, MADV_MERGEABLE, false},
	{VMA_SEQUENTIAL, MADV_SEQUENTIAL, false},
	{VMA_RANDOM, MADV_RANDOM, false},
};

static void add_finish(struct tape *t, const Kist__Vma *v, bool pages)
{
	uint64_t len = v->end - v->start;
	size_t i;

	for (i = 0; i < v->n_guards; i += 2)
		TAPE_ADD(t, "guard pages", TAPE_STOP, SYS_madvise, v->guards[i], v->guards[i + 1],
			MADV_GUARD_INSTALL);
	if (pages && !(v->prot & PROT_WRITE))
		TAPE_ADD(t, "protect", TAPE_STOP, SYS_mprotect, v->start, len, v->prot);
	for (i = 0; i < ARRAY_SIZE(advices); i++)
		if (v->advice & advices[i].bit)
			TAPE_ADD(t, "advise", advices[i].must ? TAPE_STOP : 0, SYS_madvise,
				v->start, len, advices[i].advice);
	if (v->name)
		TAPE_ADD(t, "name a mapping", TAPE_DATA(4), SYS_prctl, PR_SET_VMA,
			PR_SET_VMA_ANON_NAME, v->start, len,
			tape_data(t, v->name, strlen(v->name) + 1));
	if (v->advice & VMA_LOCKED)
		TAPE_ADD(t, "lock memory", TAPE_STOP, SYS_mlock2, v->start, len,
			v->advice & VMA_LOCK_ON_FAULT ? MLOCK_ONFAULT : 0);
	if (v->advice & VMA_SEALED)
		TAPE_ADD(t, "seal a mapping", TAPE_STOP, NR_MSEAL, v->start, len, 0);
}

static void add_layout(struct tape *t, const struct mm_env *env)
{
	const Kist__Mm *mm = env->mm;
	struct prctl_mm_map map = {
		.start_code = mm->start_code,
		.end_code = mm->end_code,
		.start_data = mm->start_data,
		.end_data = mm->end_data,
		.start_brk = mm->start_brk,
		.brk = mm->brk,
		.start_stack = mm->start_stack,
		.arg_start = mm->arg_start,
		.arg_end = mm->arg_end,
		.env_start = mm->env_start,
		.env_end = mm->env_end,
		.auxv_size = (uint32_t)mm->auxv.len,
		.exe_fd = (uint32_t)env->exe_fd,
	};
	uint64_t auxv_at, map_at;

	/* The kernel wants a pointer inside the struct: the copy is written by a row of its own. */
	auxv_at = tape_data(t, mm->auxv.data, mm->auxv.len);
	map_at = tape_data(t, &map, sizeof(map));
	tape_data_pointer(t, map_at + offsetof(struct prctl_mm_map, auxv), auxv_at);
	TAPE_ADD(t, "set the memory layout", TAPE_STOP | TAPE_DATA(2), SYS_prctl, PR_SET_MM,
		PR_SET_MM_MAP, map_at, sizeof(map), 0);
}

size_t mm_tape_size(const Kist__Mm *mm)
{
	size_t n = 16384 + mm->auxv.len, i;

	for (i = 0; i < mm->n_vmas; i++) {
		n += (8 + ARRAY_SIZE(advices) + mm->vmas[i]->n_guards / 2) *
		     sizeof(struct tape_row);
		n += mm->vmas[i]->name ? strlen(mm->vmas[i]->name) + 64 : 0;
	}
	return n;
}

int mm_tape_map(struct tape *t, const struct mm_env *env, struct err *err)
{
	const Kist__Mm *mm = env->mm;
	size_t i, at;
	int r;

	add_unmap(t, env);
	r = add_vdso(t, env, err);
	for (i = at = 0; r == 0 && i < mm->n_vmas; i++)
		r = add_map(t, env, mm->vmas[i], has_pages(mm, mm->vmas[i], &at), err);
	if (r < 0)
		return r;
	return t->failed ? err_oom(err) : 0;
}

int mm_tape_finish(struct tape *t, const struct mm_env *env, struct err *err)
{
	const Kist__Mm *mm = env->mm;
	size_t i, at;

	for (i = at = 0; i < mm->n_vmas; i++)
		add_finish(t, mm->vmas[i], has_pages(mm, mm->vmas[i], &at));
	add_layout(t, env);
	return t->failed ? err_oom(err) : 0;
}
