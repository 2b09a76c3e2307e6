// SPDX-License-Identifier: Apache-2.0
/*
 * The coordinator's side of a restore: walks the tree through its stages, watches the tapes play,
 * writes what only a tracer can, and lets all of it go at once.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fault.h"
#include "base/io.h"
#include "base/util.h"
#include "cr/nsdump/net-lock.h"
#include "cr/restore/restore-internal.h"
#include "sys/proc.h"
#include "sys/syscall.h"

#define PLAY_TIMEOUT_MS 600000
#define STOP_TIMEOUT_MS 10000

struct live {		  /* a task of the tree as we see it */
	pid_t pid, *tids; /* by thread of the record, ours; 0: not there yet */
	int memfd;
	uint64_t insn;
};

struct finish {
	struct restore *r;
	struct live *live; /* by task of the plan */
};

/* Our pids of all tasks, by a walk from the root: the innermost NSpid is the one of the image. */
static int find_pids(struct finish *f, pid_t pid, struct err *err)
{
	struct restore *r = f->r;
	autobuf struct buf text = {0};
	char name[64], *p, *end;
	pid_t inner;
	size_t i;
	int e;

	snprintf(name, sizeof(name), "%d/status", pid);
	e = proc_read(r->procfd, name, &text);
	if (e == 0)
		e = proc_inner_id(buf_str(&text), text.len, "NSpid", &inner);
	if (e < 0)
		return err_set(err, e, "cannot read the state of restored process %d", pid);
	for (i = 0; i < r->n; i++)
		if (r->tasks[i].pid == inner && r->tasks[i].rec)
			f->live[i].pid = pid;
	snprintf(name, sizeof(name), "%d/task/%d/children", pid, pid);
	e = proc_read(r->procfd, name, &text);
	if (e < 0)
		return err_set(err, e, "cannot list the children of restored process %d", pid);
	for (p = text.data; e == 0 && p && *p; p = end + strspn(end, " \n")) {
		inner = strtol(p, &end, 10);
		if (end == p)
			break;
		e = find_pids(f, inner, err);
	}
	return e;
}

static bool is_alive(const struct restore *r, size_t i)
{
	return r->tasks[i].rec && r->tasks[i].rec->state != KIST__TASK_STATE__ZOMBIE;
}

static int seize_all(struct finish *f, struct err *err)
{
	struct restore *r = f->r;
	struct live *l;
	char name[32];
	size_t i;
	int e = 0;

	for (i = 0; e == 0 && i < r->n; i++) {
		if (!is_alive(r, i))
			continue;
		l = &f->live[i];
		if (!l->pid)
			return err_setx(
				err, -ESRCH, "restored task %d was not found", r->tasks[i].pid);
		l->tids = calloc(r->tasks[i].rec->n_threads, sizeof(*l->tids));
		if (!l->tids)
			return err_oom(err);
		l->tids[0] = l->pid;
		snprintf(name, sizeof(name), "%d/mem", l->pid);
		l->memfd = openat(r->procfd, name, O_RDWR | O_CLOEXEC);
		if (l->memfd < 0)
			return err_set(
				err, -errno, "cannot open the memory of restored task %d", l->pid);
		e = thread_seize(l->pid, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL, err);
	}
	return e;
}

/* The failure of a tape is in its rows; without one, the thread's end is. */
static int judge(
	struct finish *f, size_t i, uint64_t at, size_t n, uint64_t stopped, struct err *err)
{
	struct restore *r = f->r;
	autofree struct tape_row *rows = calloc(n + 1, sizeof(*rows));
	ssize_t got;
	int e;

	if (!rows)
		return err_oom(err);
	got = io_pread(f->live[i].memfd, rows, n * sizeof(*rows), (off_t)at);
	if (got != (ssize_t)(n * sizeof(*rows)))
		return err_set(err, got < 0 ? (int)got : -EIO, "cannot read the tape of task %d",
			r->tasks[i].pid);
	e = tape_check(rows, n, (stopped - at) / sizeof(*rows), err);
	if (e < 0)
		err_wrap(err, "task %d (%s)", r->tasks[i].pid, r->tasks[i].rec->comm);
	return e;
}

static int judge_thread(
	struct finish *f, size_t i, size_t thread, uint64_t stopped, struct err *err)
{
	const struct plan_task *t = &f->r->tasks[i];
	const struct shared_thread *sh = &f->r->shared->threads[t->first_thread + thread];

	return judge(f, i, sh->rows, sh->n_rows, stopped, err);
}

/* The first tape has played: the task has its mappings, its pages come from outside. */
static int add_pages(struct finish *f, size_t i, struct mm_fill *fill, struct err *err)
{
	const struct plan_task *t = &f->r->tasks[i];
	autoclose int pidfd = -EBADF;
	uint64_t stopped;
	int e, uffd = f->r->shared->boot[i].uffd;

	e = thread_wait_trap(f->live[i].pid, PLAY_TIMEOUT_MS, &stopped, err);
	if (e < 0)
		return err_wrap(err, "task %d (%s)", t->pid, t->rec->comm);
	e = judge(f, i, f->r->shared->boot[i].map_rows, f->r->shared->boot[i].n_map_rows, stopped,
		err);
	if (e < 0)
		return e;
	if (uffd >= 0) {
		pidfd = sys_pidfd_open(f->live[i].pid, 0);
		uffd = pidfd < 0 ? -EBADF : sys_pidfd_getfd(pidfd, uffd);
	}
	return mm_fill_add(fill, t->mm, f->live[i].pid, uffd, err);
}

static int fill_memory(struct finish *f, struct err *err)
{
	struct mm_fill *fill = NULL;
	size_t i;
	int e;

	e = mm_fill_new(f->r->img, &fill, err);
	for (i = 0; e == 0 && i < f->r->n; i++)
		if (is_alive(f->r, i))
			e = add_pages(f, i, fill, err);
	if (e == 0)
		e = fault("restore", "memory", err);
	if (e == 0)
		e = mm_fill_wait(fill, err);
	mm_fill_free(fill);
	return e;
}

/* The second tape begins. */
static int play_on(struct finish *f, size_t i, struct err *err)
{
	const struct restore_shared *s = f->r->shared;
	pid_t pid = f->live[i].pid;
	struct user_regs_struct gp;
	int e;

	e = thread_get_gp(pid, &gp, err);
	gp.rip = s->boot[i].player;
	gp.rdi = s->threads[f->r->tasks[i].first_thread].rows;
	gp.orig_rax = -1;
	if (e == 0)
		e = thread_set_gp(pid, &gp, err);
	return e < 0 ? e : thread_cont(pid, 0, err);
}

/* The leader stops at each thread that it makes; they come in the order of the record. */
static int watch_leader(struct finish *f, size_t i, struct err *err)
{
	struct live *l = &f->live[i];
	unsigned long tid;
	size_t made = 1;
	int status, e;

	for (;;) {
		e = thread_wait(l->pid, PLAY_TIMEOUT_MS, &status, err);
		if (e < 0)
			return err_wrap(
				err, "task %d (%s)", f->r->tasks[i].pid, f->r->tasks[i].rec->comm);
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_CLONE << 8)) {
			if (ptrace(PTRACE_GETEVENTMSG, l->pid, 0, &tid) < 0 ||
				made >= f->r->tasks[i].rec->n_threads)
				return err_setx(err, -EIO, "task %d made a thread too many",
					f->r->tasks[i].pid);
			l->tids[made++] = (pid_t)tid;
		} else if (status >> 16 == 0 && WSTOPSIG(status) == SIGTRAP) {
			return 0;
		} else if (status >> 16 == 0) {
			return err_setx(err, -EIO, "task %d (%s) got signal %d in its tape",
				f->r->tasks[i].pid, f->r->tasks[i].rec->comm, WSTOPSIG(status));
		}
		e = thread_cont(l->pid, 0, err);
		if (e < 0)
			return e;
	}
}

static int watch_task(struct finish *f, size_t i, struct err *err)
{
	struct live *l = &f->live[i];
	struct user_regs_struct gp;
	uint64_t stopped;
	size_t k;
	int e;

	e = watch_leader(f, i, err);
	if (e == 0)
		e = thread_get_gp(l->pid, &gp, err);
	if (e == 0)
		e = judge_thread(f, i, 0, gp.rbx, err);
	for (k = 1; e == 0 && k < f->r->tasks[i].rec->n_threads; k++) {
		e = thread_wait_trap(l->tids[k], PLAY_TIMEOUT_MS, &stopped, err);
		if (e == 0)
			e = judge_thread(f, i, k, stopped, err);
	}
	return e;
}

/* The trap of the player has reset the action of a task that ignores SIGTRAP. */
static int ignore_trap(
	struct finish *f, size_t i, const struct user_regs_struct *gp, struct err *err)
{
	const struct live *l = &f->live[i];
	const Kist__Task *rec = f->r->tasks[i].rec;
	uint64_t at = f->r->shared->boot[i].scratch;
	int64_t res;
	size_t k;
	int e;

	for (k = 0; k < rec->n_sigactions; k++) {
		const Kist__Sigaction *a = rec->sigactions[k];
		const uint64_t sa[4] = {a->handler, a->flags, a->restorer, a->mask};

		if (a->signal != SIGTRAP || a->handler != (uintptr_t)SIG_IGN)
			continue;
		e = io_pwrite(l->memfd, sa, sizeof(sa), (off_t)at);
		if (e < 0)
			return err_set(err, e, "cannot write memory of task %u", rec->pid);
		return thread_syscall(l->pid, l->insn, gp, SYS_rt_sigaction,
			(const uint64_t[6]){SIGTRAP, at, 0, 8}, &res, err);
	}
	return 0;
}

/* Sleeps, the end of the boot area, registers: from here nothing of kist is in the task. */
static int finish_task(struct finish *f, size_t i, struct err *err)
{
	const struct plan_task *t = &f->r->tasks[i];
	struct target view = {.pid = f->live[i].pid, .procfd = -EBADF, .pidfd = -EBADF};
	struct live *l = &f->live[i];
	autofree int64_t *rax = calloc(t->rec->n_threads, sizeof(*rax));
	struct user_regs_struct gp;
	int64_t res;
	size_t k;
	int e;

	if (!rax)
		return err_oom(err);
	view.procfd = proc_open_pid(f->r->procfd, l->pid);
	if (view.procfd < 0)
		return err_set(err, view.procfd, "cannot open restored task %d", l->pid);
	e = target_find_syscall(&view, t->mm->vdso, t->mm->vdso_size, &l->insn, err);
	target_done(&view);
	if (e == 0)
		e = thread_get_gp(l->pid, &gp, err);
	if (e == 0)
		e = ignore_trap(f, i, &gp, err);
	for (k = t->rec->n_threads; e == 0 && k > 0; k--) {
		e = task_set_sched(t->rec->threads[k - 1], l->tids[k - 1], f->r->procfd, err);
		if (e == 0)
			e = task_renew_sleep(t->rec->threads[k - 1],
				&(struct sleeper){l->tids[k - 1], l->insn,
					f->r->shared->boot[i].scratch, l->memfd},
				&rax[k - 1], err);
	}
	if (e == 0)
		e = thread_syscall(l->pid, l->insn, &gp, SYS_munmap,
			(const uint64_t[6]){
				f->r->shared->boot[i].area, f->r->shared->boot[i].area_size},
			&res, err);
	if (e == 0)
		e = thread_park(l->pid, err);
	for (k = 0; e == 0 && k < t->rec->n_threads; k++)
		e = task_set_thread(t->rec->threads[k], l->tids[k], rax[k], err);
	return e;
}

/*
 * A stopped task is brought into its group stop while it blocks all other signals: those that wait
 * would else act first. The other threads follow when they are let go; nobody runs an instruction.
 */
static int enter_stop(const struct live *l, const Kist__Task *rec, struct err *err)
{
	int status = 0, e = thread_set_sigmask(l->pid, UINT64_MAX, err);

	if (e == 0 && syscall(SYS_tgkill, l->pid, l->pid, SIGSTOP) < 0)
		e = err_set(err, -errno, "cannot stop task %u (%s)", rec->pid, rec->comm);
	if (e == 0)
		e = thread_cont(l->pid, 0, err);
	while (e == 0) {
		e = thread_wait(l->pid, STOP_TIMEOUT_MS, &status, err);
		if (e < 0 || (status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) == SIGSTOP))
			break;
		e = thread_cont(l->pid,
			status >> 16 == 0 && WSTOPSIG(status) == SIGSTOP ? SIGSTOP : 0, err);
	}
	return e < 0 ? e : thread_set_sigmask(l->pid, rec->threads[0]->sigmask, err);
}

static int play_all(struct finish *f, struct err *err)
{
	size_t i;
	int e;

	e = seize_all(f, err);
	if (e < 0)
		return e;
	e = fault("restore", "play", err);
	if (e < 0)
		return e;
	stage_open(f->r, STAGE_PLAY);
	e = fill_memory(f, err);
	for (i = 0; e == 0 && i < f->r->n; i++)
		if (is_alive(f->r, i))
			e = play_on(f, i, err);
	for (i = 0; e == 0 && i < f->r->n; i++)
		if (is_alive(f->r, i))
			e = watch_task(f, i, err);
	for (i = 0; e == 0 && i < f->r->n; i++) {
		if (!is_alive(f->r, i))
			continue;
		e = fault("restore", "registers", err);
		if (e == 0)
			e = finish_task(f, i, err);
		if (e == 0 && task_stops(f->r->tasks[i].rec))
			e = enter_stop(&f->live[i], f->r->tasks[i].rec, err);
	}
	return e;
}

static int before_run(struct finish *f, struct err *err)
{
	struct restore *r = f->r;
	autofree pid_t *pids = NULL;
	size_t i;
	int e;

	if (!r->opts.before_run)
		return 0;
	pids = calloc(r->n, sizeof(*pids));
	if (!pids)
		return err_oom(err);
	for (i = 0; i < r->n; i++)
		pids[i] = f->live[i].pid;
	r->host_pids = pids;
	e = r->opts.before_run(r->opts.arg, r, err);
	r->host_pids = NULL;
	return e;
}

static void let_go(struct finish *f)
{
	const Kist__Task *rec;
	size_t i, k;

	for (i = f->r->n; i > 0; i--) {
		if (!is_alive(f->r, i - 1))
			continue;
		rec = f->r->tasks[i - 1].rec;
		for (k = 0; k < rec->n_threads; k++)
			(void)thread_detach(f->live[i - 1].tids[k], 0, NULL); /* the same */
	}
}

/* Waits for the end of a thread that was killed, past stops that it had still to report. */
static void reap(pid_t tid)
{
	int status;
	pid_t r;

	do
		r = waitpid(tid, &status, __WALL);
	while ((r < 0 && errno == EINTR) || (r > 0 && WIFSTOPPED(status)));
}

/*
 * Ends what was made. Children die with their parents (PR_SET_PDEATHSIG) or by our hand. The root
 * may be the init of a pid namespace, which ends only when we, the tracer, have reaped the others.
 */
static void kill_all(struct finish *f)
{
	const struct live *l;
	size_t i, k;

	for (i = 0; i < f->r->n; i++)
		if (f->live[i].pid && is_alive(f->r, i))
			(void)kill(f->live[i].pid, SIGKILL); /* gone already: as wanted */
	(void)kill(f->r->root, SIGKILL);
	for (i = f->r->n; i-- > 0;) {
		l = &f->live[i];
		if (!l->tids)
			continue;
		for (k = f->r->tasks[i].rec->n_threads; k-- > 1;)
			if (l->tids[k])
				reap(l->tids[k]);
		reap(l->pid);
	}
	reap(f->r->root);
}

/* The root task still has its store of open files: its tape will close it. */
static int hold_files(struct restore *r, struct err *err)
{
	autoclose int pidfd = sys_pidfd_open(r->root, 0);

	if (pidfd < 0)
		return err_set(err, pidfd, "cannot open the restored process %d", r->root);
	return file_restore_hold(r->files, pidfd, err);
}

/* The last thing that can fail: from here peers get answers. */
static int go_live(struct restore *r, struct err *err)
{
	autoclose int netns = -EBADF;
	char name[32];
	int e;

	snprintf(name, sizeof(name), "%d/ns/net", r->root);
	netns = openat(r->procfd, name, O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		return err_set(
			err, -errno, "cannot open the network namespace of process %d", r->root);
	e = net_lock_release(r->img, netns, err);
	if (e < 0)
		return e;
	r->shared->net_locked = false;
	return file_restore_live(r->files, err);
}

static int run_stages(struct finish *f, struct err *err)
{
	enum stage s;
	int e = 0;

	for (s = STAGE_FORK; e == 0 && s < STAGE_PLAY; s++) {
		e = stage_collect(f->r, s, err);
		if (e == 0 && s == STAGE_LAST)
			e = hold_files(f->r, err);
		if (e == 0 && s + 1 < STAGE_PLAY)
			stage_open(f->r, s + 1);
	}
	return e;
}

int restore_finish(struct restore *r, pid_t root, struct restore_result *ret, struct err *err)
{
	struct finish f = {.r = r};
	uint64_t start = clock_ns(CLOCK_MONOTONIC);
	size_t i;
	int e;

	r->root = root;
	f.live = calloc(r->n, sizeof(*f.live));
	if (!f.live) {
		(void)kill(root, SIGKILL); /* our own child */
		return err_oom(err);
	}
	for (i = 0; i < r->n; i++)
		f.live[i].memfd = -EBADF;
	e = run_stages(&f, err);
	if (e == 0)
		e = find_pids(&f, root, err);
	if (e == 0)
		e = play_all(&f, err);
	if (e == 0)
		e = fault("restore", "before-run", err);
	if (e == 0)
		e = before_run(&f, err);
	if (e == 0)
		e = fault("restore", "live", err);
	if (e == 0)
		e = go_live(r, err);
	if (e == 0)
		e = fault("restore", "let-go", err);
	if (e == 0)
		let_go(&f);
	else
		kill_all(&f);
	for (i = 0; i < r->n; i++) {
		free(f.live[i].tids);
		if (f.live[i].memfd >= 0)
			(void)close(f.live[i].memfd); /* /proc/PID/mem */
	}
	free(f.live);
	if (e == 0 && ret) {
		ret->root = root;
		ret->tasks = r->n_records;
		ret->threads = r->n_threads;
		ret->total_us = (clock_ns(CLOCK_MONOTONIC) - start) / 1000;
	}
	return e;
}
