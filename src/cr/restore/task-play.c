// SPDX-License-Identifier: Apache-2.0
/* Writing the tapes of a task into its boot area, and the jump from which nothing returns. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/restore/restore-internal.h"
#include "sys/proc.h"
#include "sys/syscall.h"

#define PLAYER_PAGE 4096u
#define SCRATCH	    4096u
#define UFFD_MIN    (1u << 20) /* bytes of pages for which it is worth the calls */
#define LOCK_BYTES  256u       /* more than a row of file_restore_tape and its data */

struct play {
	struct restore *r;
	const struct plan_task *t;
	struct vma_list self;
	struct mm_boot boot;
	struct buf area;
	uint64_t area_at;
};

static int fd_of(void *arg, uint32_t file)
{
	struct restore *r = arg;

	return file_restore_fd(r->files, file);
}

static int find_place(struct play *p, struct err *err)
{
	autobuf struct buf text = {0};
	size_t size = PLAYER_PAGE + SCRATCH + tape_player_size() + task_tape_size(p->t->rec) +
		      mm_tape_size(p->t->mm) + image_count(p->r->img, RECORD_LOCK) * LOCK_BYTES;
	void *at;
	int e;

	e = proc_read(p->r->procfd, "self/maps", &text);
	if (e < 0)
		return err_set(err, e, "cannot read the mappings of the restored process");
	e = vma_parse(buf_str(&text), text.len, &p->self, err);
	if (e == 0)
		e = mm_find_boot(p->t->mm, &p->self, size, &p->boot, err);
	if (e < 0)
		return e;
	at = mmap((void *)(uintptr_t)p->boot.addr, p->boot.size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (at == MAP_FAILED)
		return err_set(err, -errno, "cannot map the boot area of task %d", p->t->pid);
	p->area_at = p->boot.addr + PLAYER_PAGE + SCRATCH;
	return 0;
}

/* For a large memory, see mm_fill_add; where it cannot be had it is filled another way. */
static int open_uffd(struct play *p)
{
	int fd, high;

	if (mm_pages_size(p->t->mm) < UFFD_MIN)
		return -EBADF;
	fd = sys_userfaultfd(UFFD_USER_MODE_ONLY);
	if (fd < 0)
		return fd;
	high = fd_move_above(fd, file_restore_base(p->r->files));
	if (high < 0)
		(void)close(fd); /* never used */
	return high;
}

static int link_tape(struct play *p, const struct tape *tape, size_t thread, struct err *err)
{
	struct shared_thread *sh = &p->r->shared->threads[p->t->first_thread + thread];
	uint64_t data;
	int e;

	e = tape_link(tape, p->area_at, &p->area, &sh->rows, &data, err);
	sh->n_rows = tape->n;
	return e;
}

static int link_threads(struct play *p, uint64_t *tapes, struct err *err)
{
	size_t i;
	int e = 0;

	for (i = 1; e == 0 && i < p->t->rec->n_threads; i++) {
		struct tape tape = {0};

		e = task_tape_thread(&tape, p->t->rec, i, err);
		if (e == 0)
			e = link_tape(p, &tape, i, err);
		tapes[i] = p->r->shared->threads[p->t->first_thread + i].rows;
		tape_done(&tape);
	}
	return e;
}

static int link_leader(struct play *p, size_t index, const uint64_t *tapes, struct err *err)
{
	typeof(p->r->shared->boot) boot = &p->r->shared->boot[index];
	struct mm_env env = {
		.mm = p->t->mm,
		.self = &p->self,
		.boot = p->boot,
		.exe_fd = file_restore_fd(p->r->files, p->t->mm->exe),
		.arg = p->r,
		.fd_of = fd_of,
	};
	struct tape tape = {0}, map = {0};
	uint64_t data;
	int e;

	if (env.exe_fd < 0)
		return err_setx(
			err, -EBADMSG, "image: the program of task %d is missing", p->t->pid);
	e = mm_tape_map(&map, &env, err);
	if (e == 0)
		e = tape_link(&map, p->area_at, &p->area, &boot->map_rows, &data, err);
	boot->n_map_rows = map.n;
	if (e == 0)
		e = mm_tape_finish(&tape, &env, err);
	if (e == 0) {
		/* Behind it: a close(2) of any fd of a file gives the task's POSIX locks up. */
		TAPE_ADD(&tape, "close kist's files", TAPE_STOP, SYS_close_range,
			file_restore_base(p->r->files), UINT32_MAX, 0);
		e = file_restore_tape(p->r->files, p->t->rec->id, &tape, err);
	}
	if (e == 0)
		e = task_tape_leader(&tape, p->t->rec, tapes, err);
	if (e == 0)
		e = link_tape(p, &tape, 0, err);
	tape_done(&tape);
	tape_done(&map);
	return e;
}

static int prepare(struct play *p, size_t index, struct err *err)
{
	autofree uint64_t *tapes = calloc(p->t->rec->n_threads, sizeof(*tapes));
	int e;

	if (!tapes)
		return err_oom(err);
	e = find_place(p, err);
	if (e == 0)
		e = link_threads(p, tapes, err);
	if (e == 0)
		e = link_leader(p, index, tapes, err);
	if (e < 0)
		return e;
	if (p->area.len > p->boot.size - PLAYER_PAGE - SCRATCH)
		return err_setx(
			err, -E2BIG, "the tape of task %d is longer than planned", p->t->pid);
	memcpy((void *)(uintptr_t)p->boot.addr, p->area.data, tape_player_size());
	memcpy((void *)(uintptr_t)p->area_at, p->area.data, p->area.len);
	if (mprotect((void *)(uintptr_t)p->boot.addr, PLAYER_PAGE, PROT_READ | PROT_EXEC) < 0)
		return err_set(err, -errno, "cannot protect the boot area of task %d", p->t->pid);
	p->r->shared->boot[index].player = p->boot.addr;
	p->r->shared->boot[index].area = p->boot.addr;
	p->r->shared->boot[index].area_size = p->boot.size;
	p->r->shared->boot[index].scratch = p->boot.addr + PLAYER_PAGE;
	p->r->shared->boot[index].uffd = open_uffd(p);
	return 0;
}

/* libc registered the area in its TLS, which is about to be unmapped; rseq(2). */
static void leave_rseq(void)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (__rseq_size)
		(void)syscall(
			SYS_rseq, area, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG); /* or never was */
}

void task_play(struct restore *r, size_t index)
{
	struct play p = {.r = r, .t = &r->tasks[index]};
	struct err err = {0};
	uint64_t player;

	if (prepare(&p, index, &err) < 0)
		task_fail(r, &err);
	player = p.boot.addr;
	leave_rseq();
	stage_arrive(r, index, STAGE_PLAY);
	__asm__ volatile("jmp *%0"
			 :
			 : "r"(player), "D"(r->shared->boot[index].map_rows)
			 : "memory");
	__builtin_unreachable();
}
