/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address space of a task: saved from outside as a Mm record and pages in data files, made
 * again by rows of a tape that the task plays when nothing of kist's own program is mapped any
 * more.
 */
#pragma once

#include "base/err.h"
#include "cr/image/image.h"
#include "cr/image/task.pb-c.h"
#include "cr/mem/pages.h"
#include "cr/mem/vma.h"
#include "cr/tape/tape.h"
#include "cr/tape/target.h"

/* How cr/mem learns what a mapping's file is without knowing cr/file. */
struct mm_hooks {
	void *arg;
	int (*mapping)(void *arg, struct target *t, const struct vma *v, uint32_t *ret_id,
		struct err *err);
	int (*exe)(void *arg, struct target *t, uint32_t *ret_id, struct err *err);
};

/* Reads the mappings of a stopped task; before anything is injected. Refuses unsavable ones. */
int mm_scan(struct target *t, struct vma_list *ret, struct err *err);
/*
 * Saves them and the pages, in two steps, so that the pages of several tasks are copied while
 * others are looked at: mm_dump_begin for each, pages_wait, mm_dump_end for each in the same order,
 * which writes the record; its id is the task's. @hooks are borrowed for the first step. After a
 * failure @pool is of no use.
 */
struct mm_dump;
int mm_dump_begin(struct image_writer *w, struct pages_pool *pool, struct target *t,
	const struct vma_list *vmas, const struct mm_hooks *hooks, struct mm_dump **ret,
	struct err *err);
int mm_dump_end(struct mm_dump *d, struct err *err);
void mm_dump_free(struct mm_dump *d); /* takes NULL */
/* XXH3-64 of the vdso's code, for the check that an image fits this kernel. 0: no vdso. */
int mm_vdso_hash(struct target *t, const struct vma_list *vmas, uint64_t *ret, struct err *err);
/* The same of the caller, whose mappings are @self. */
uint64_t mm_own_vdso_hash(const struct vma_list *self);

/* ---- restore ---- */

/* Refuses a record with ranges that overlap, leave user space, or extents outside the file. */
int mm_check(const struct image *img, const Kist__Mm *mm, struct err *err);

struct mm_boot { /* where the tape lives while everything else is replaced */
	uint64_t addr, size;
	uint64_t hop; /* room for the vdso on its way, behind addr + size */
};
/* Chooses a place of @size bytes free in the caller (its mappings: @self) and in @mm. */
int mm_find_boot(const Kist__Mm *mm, const struct vma_list *self, uint64_t size,
	struct mm_boot *ret, struct err *err);

struct mm_env {
	const Kist__Mm *mm;
	const struct vma_list *self; /* the mappings of the task that will play */
	struct mm_boot boot;
	int exe_fd;
	void *arg;
	int (*fd_of)(void *arg, uint32_t file); /* fd of a file id in the task, or -errno */
};
/* Upper bound of the bytes that those rows take. */
size_t mm_tape_size(const Kist__Mm *mm);
/* Adds the rows: unmap, move the vdso, map. Behind it the pages are filled in. */
int mm_tape_map(struct tape *tape, const struct mm_env *env, struct err *err);
/* And then: protect, advise, PR_SET_MM_MAP. */
int mm_tape_finish(struct tape *tape, const struct mm_env *env, struct err *err);

struct mm_fill; /* threads and buffers, for all tasks of a restore; fill.c */
int mm_fill_new(const struct image *img, struct mm_fill **ret, struct err *err);
void mm_fill_free(struct mm_fill *f); /* takes NULL */
/*
 * Lets the pages of @mm, which mm_check has seen, be put into the process @pid: it has the mappings
 * and stands still. @uffd, or -EBADF: a userfaultfd(2) of it, nothing done with it yet; taken.
 */
int mm_fill_add(struct mm_fill *f, const Kist__Mm *mm, pid_t pid, int uffd, struct err *err);
/* Waits until all are in place. No userfaultfd is left registered. */
int mm_fill_wait(struct mm_fill *f, struct err *err);
/* Bytes of all pages of the record. */
uint64_t mm_pages_size(const Kist__Mm *mm);
