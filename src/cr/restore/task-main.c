// SPDX-License-Identifier: Apache-2.0
/*
 * The life of a restored task while it is still kist's code: it forks those that are its to fork,
 * takes its place in session and group, fills its fds, and plays its tape. All signals are blocked.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/nsdump/net-lock.h"
#include "cr/restore/restore-internal.h"
#include "sys/proc.h"
#include "sys/syscall.h"

void task_fail(struct restore *r, const struct err *err)
{
	if (atomic_fetch_add(&r->shared->failed, 1) == 0)
		r->shared->err = *err;
	_exit(1);
}

static const char *name_of(const struct plan_task *t)
{
	return t->rec ? t->rec->comm : "a helper";
}

static void fail(struct restore *r, const struct plan_task *t, int code, const char *what)
{
	struct err err = {0};

	err_set(&err, code, "cannot %s task %d (%s)", what, t->pid, name_of(t));
	if (code == -EEXIST)
		err_hint(&err,
			"pid %d is in use; end that process, or restore in a pid namespace of "
			"its own",
			t->pid);
	task_fail(r, &err);
}

/* A pid that ended just now stays taken until it, its group and its session are reaped. */
pid_t clone_at(const struct clone_args *args)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	pid_t pid;
	int tries;

	for (tries = 0; tries < 100; tries++) {
		pid = sys_clone3(args);
		if (pid != -EEXIST)
			return pid;
		(void)nanosleep(&pause, NULL); /* there is no event to wait for */
	}
	return pid;
}

static void fork_task(struct restore *r, size_t index)
{
	struct plan_task *t = &r->tasks[index];
	struct clone_args args = {
		.flags = t->phase == FORK_SIBLING ? CLONE_PARENT : 0,
		.exit_signal = t->phase == FORK_SIBLING ? 0
			       : t->rec			? t->rec->exit_signal
							: SIGCHLD,
		.set_tid = (uintptr_t)&t->pid,
		.set_tid_size = 1,
	};
	pid_t pid = clone_at(&args);

	if (pid < 0)
		fail(r, t, pid, "make");
	if (pid == 0)
		task_main(r, index);
}

static void fork_phase(struct restore *r, size_t self, enum fork_phase phase)
{
	size_t i;

	for (i = 1; i < r->n; i++)
		if (r->tasks[i].maker == self && r->tasks[i].phase == phase)
			fork_task(r, i);
}

/* Waits for the death of our helpers (and reaps them) or of our zombies (and leaves them). */
static void wait_children(struct restore *r, size_t self, bool helpers)
{
	siginfo_t info;
	size_t i;

	for (i = 1; i < r->n; i++) {
		struct plan_task *t = &r->tasks[i];
		bool mine = t->rec ? t->rec->parent == self + 1 : t->maker == self;

		if (!mine || !t->rec != helpers)
			continue;
		if (!helpers && t->rec->state != KIST__TASK_STATE__ZOMBIE)
			continue;
		while (waitid(P_PID, t->pid, &info, WEXITED | (helpers ? 0 : WNOWAIT)) < 0)
			if (errno != EINTR)
				fail(r, t, -errno, "wait for");
	}
	/* Their SIGCHLD is history that the image does not know. Zombies stay zombies. */
	if (signal(SIGCHLD, SIG_IGN) == SIG_ERR || signal(SIGCHLD, SIG_DFL) == SIG_ERR)
		fail(r, &r->tasks[self], -errno, "reset the signals of");
}

void task_check_children(struct restore *r, size_t index)
{
	struct err err = {0};
	siginfo_t info;
	size_t i;

	for (i = 1; i < r->n; i++) {
		const struct plan_task *t = &r->tasks[i];

		if (!t->rec || t->rec->parent != index + 1 ||
			t->rec->state == KIST__TASK_STATE__ZOMBIE)
			continue;
		info.si_pid = 0;
		if (waitid(P_PID, t->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
			continue;
		err_setx(&err, -ECHILD, "task %d (%s) %s during the restore", t->pid, name_of(t),
			info.si_code == CLD_EXITED ? "ended" : "was killed");
		task_fail(r, &err);
	}
}

static void die_as_zombie(const Kist__Task *rec)
{
	const struct rlimit none = {0};
	int sig = WTERMSIG(rec->exit_code);
	sigset_t set;

	if (WIFEXITED(rec->exit_code))
		_exit(WEXITSTATUS(rec->exit_code));
	(void)setrlimit(RLIMIT_CORE, &none); /* it had its chance to dump core */
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + sig); /* not reached for signals that kill */
}

static void take_place(struct restore *r, size_t index)
{
	struct plan_task *t = &r->tasks[index];
	struct err err = {0};

	fork_phase(r, index, FORK_BEFORE_SETSID);
	if (t->sid == t->pid && getsid(0) != t->pid && setsid() < 0)
		fail(r, t, -errno, "make a session for");
	if (t->sid == t->pid && file_restore_session(r->files, &err) < 0)
		task_fail(r, &err);
	fork_phase(r, index, FORK_AFTER_SETSID);
	fork_phase(r, index, FORK_SIBLING);
	stage_arrive(r, index, STAGE_LEAD);
	if (t->pgid == t->pid && getpgrp() != t->pid && setpgid(0, 0) < 0)
		fail(r, t, -errno, "make a process group for");
	stage_arrive(r, index, STAGE_JOIN);
	if (getpgrp() != t->pgid && setpgid(0, t->pgid) < 0)
		fail(r, t, -errno, "join the process group of");
	stage_arrive(r, index, STAGE_FILES);
	if (!t->rec)
		_exit(0);
	wait_children(r, index, true);
}

/* cwd, root and umask; the fds of both directories are in the store. */
static int set_directories(struct restore *r, const Kist__Task *rec, struct err *err)
{
	struct stat want, have;
	int fd;

	fd = rec->root ? file_restore_fd(r->files, rec->root) : -EBADF;
	if (fd >= 0 && fstat(fd, &want) == 0 && stat("/", &have) == 0 &&
		(want.st_dev != have.st_dev || want.st_ino != have.st_ino))
		if (fchdir(fd) < 0 || chroot(".") < 0)
			return err_set(err, -errno, "cannot change the root of task %u (%s)",
				rec->pid, rec->comm);
	fd = rec->cwd ? file_restore_fd(r->files, rec->cwd) : -EBADF;
	if (fd >= 0 && fchdir(fd) < 0)
		return err_set(err, -errno, "cannot change to the directory of task %u (%s)",
			rec->pid, rec->comm);
	umask(rec->umask);
	return 0;
}

/* Can only rise without CAP_SYS_RESOURCE; a value that is right already needs no right. */
static int set_oom_score(struct restore *r, const Kist__Task *rec, struct err *err)
{
	autobuf struct buf now = {0};
	char text[16];
	int e;

	if (!rec->has_oom_score_adj)
		return 0;
	if (file_read_at(r->procfd, "self/oom_score_adj", &now, 64) == 0 &&
		atoi(buf_str(&now)) == rec->oom_score_adj)
		return 0;
	snprintf(text, sizeof(text), "%d", rec->oom_score_adj);
	e = file_write_at(r->procfd, "self/oom_score_adj", text);
	if (e < 0) {
		err_set(err, e, "cannot set oom_score_adj %d of task %u (%s)", rec->oom_score_adj,
			rec->pid, rec->comm);
		err_hint(err, "lowering it needs CAP_SYS_RESOURCE");
	}
	return e;
}

static int fill(struct restore *r, const struct plan_task *t, struct err *err)
{
	const Kist__Task *rec = t->rec;
	int e;

	e = file_restore_task(r->files, rec->id, err);
	if (e == 0)
		e = set_directories(r, rec, err);
	if (e == 0)
		e = set_oom_score(r, rec, err);
	return e;
}

/* Connections are made behind the network lock, which goes away at the very end (go_live). */
static int open_files(struct restore *r, struct err *err)
{
	int e = net_lock_restore(r->img, -EBADF, &r->shared->net_locked, err);

	return e < 0 ? e : file_restore_open(r->files, err);
}

/* We die with who made us; that may have happened already. */
static void die_with_parent(struct restore *r, size_t index)
{
	const struct plan_task *t = &r->tasks[index];
	struct pollfd coordinator = {.fd = r->self_fd, .events = POLLIN};
	size_t parent = t->rec && index ? t->rec->parent - 1 : t->maker;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail(r, t, -errno, "prepare");
	/* The root may be in a pid namespace where it sees no parent. */
	if (index ? getppid() != r->tasks[parent].pid : poll(&coordinator, 1, 0) > 0)
		_exit(1);
}

void task_main(struct restore *r, size_t index)
{
	struct plan_task *t = &r->tasks[index];
	struct err err = {0};
	int e = 0;
	sigset_t all;
	bool zombie;

	/* SIGTRAP stays open: the trap of the player would else reset its action, see signal(7). */
	sigfillset(&all);
	sigdelset(&all, SIGTRAP);
	sigprocmask(SIG_SETMASK, &all, NULL);
	die_with_parent(r, index);
	if (index == 0)
		e = open_files(r, &err);
	if (e < 0)
		task_fail(r, &err);
	take_place(r, index);
	zombie = t->rec->state == KIST__TASK_STATE__ZOMBIE;
	if (!zombie)
		e = fill(r, t, &err);
	if (e < 0)
		task_fail(r, &err);
	stage_arrive(r, index, STAGE_LAST);
	if (index == 0)
		e = file_restore_last(r->files, &err);
	if (e < 0)
		task_fail(r, &err);
	stage_arrive(r, index, STAGE_MEMORY);
	if (zombie)
		die_as_zombie(t->rec);
	wait_children(r, index, false);
	task_play(r, index);
}

void restore_root_main(struct restore *r)
{
	task_main(r, 0);
}
