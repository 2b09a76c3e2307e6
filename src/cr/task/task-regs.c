// SPDX-License-Identifier: Apache-2.0
/* The last thing that a restored thread gets: registers, mask, and the rest of its sleep. */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/task/task-internal.h"

#define ERESTARTNOHAND	      514
#define ERESTART_RESTARTBLOCK 516
#define NSEC		      1000000000ull
#define ERESTARTNOINTR	      513

/*
 * The kernel kept the end of an interrupted wait in the thread's restart block, which is gone. The
 * same call with the time that was left, interrupted at once, makes a new one. *ret_rax is what
 * the thread finds in rax.
 */
static int renew(const Kist__Thread *th, const struct user_regs_struct *gp, const struct sleeper *s,
	int64_t *ret_rax, struct err *err)
{
	uint64_t left = th->restart->left_ns;
	const uint64_t ts[2] = {left / NSEC, left % NSEC};
	uint64_t args[6] = {gp->rdi, gp->rsi, gp->rdx, gp->r10, gp->r8, gp->r9};
	long nr;
	int r;

	switch (th->restart->kind) {
	case KIST__RESTART_KIND__SLEEP:
		nr = SYS_clock_nanosleep;
		args[0] = (uint64_t)(int64_t)th->restart->clock;
		args[1] = 0;
		args[2] = s->scratch;
		args[3] = th->restart->remainder;
		break;
	case KIST__RESTART_KIND__FUTEX:
		nr = SYS_futex;
		if ((args[1] & FUTEX_CMD_MASK) == FUTEX_WAIT) /* others take a point in time */
			args[3] = s->scratch;
		break;
	default: /* poll: whole milliseconds, never less than was left */
		nr = SYS_poll;
		args[2] = left == UINT64_MAX ? (uint64_t)-1 : (left + 999999) / 1000000;
	}
	r = io_pwrite(s->memfd, ts, sizeof(ts), (off_t)s->scratch);
	if (r < 0)
		return err_set(err, r, "cannot write memory of thread %u", th->tid);
	return thread_syscall_interrupted(s->tid, s->insn, gp, nr, args, ret_rax, err);
}

int task_renew_sleep(
	const Kist__Thread *th, const struct sleeper *s, int64_t *ret_rax, struct err *err)
{
	struct user_regs_struct gp;

	memcpy(&gp, th->gp.data, sizeof(gp));
	*ret_rax = (int64_t)gp.rax;
	if (*ret_rax != -ERESTART_RESTARTBLOCK)
		return 0;
	if (th->restart)
		return renew(th, &gp, s, ret_rax, err);
	/*
	 * Not told, or without an end: the call is made again as it was. Too long a wait is better
	 * than a cut one. Which call it was is lost when it had been interrupted before.
	 */
	*ret_rax = gp.orig_rax == SYS_restart_syscall ? -EINTR : -ERESTARTNOINTR;
	return 0;
}

int task_set_thread(const Kist__Thread *th, pid_t tid, int64_t rax, struct err *err)
{
	struct user_regs_struct gp;
	int r = 0;

	memcpy(&gp, th->gp.data, sizeof(gp));
	gp.rax = (uint64_t)rax;
	if (th->xstate.len)
		r = thread_set_xstate(tid, th->xstate.data, th->xstate.len, err);
	if (r == 0)
		r = thread_set_gp(tid, &gp, err);
	if (r == 0)
		r = thread_set_sigmask(tid, th->sigmask, err);
	return r;
}
