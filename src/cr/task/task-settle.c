// SPDX-License-Identifier: Apache-2.0
/*
 * Registers of a stopped thread made independent of the moment: our stop must not be seen by the
 * program, neither as EINTR nor as a restartable sequence (rseq(2)) that goes on unprotected.
 */
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "cr/task/task-internal.h"
#include "sys/proc.h"

/* Calls that end with EINTR at any stop, signal or not; signal(7) lists them. */
static const long never_restarted[] = {
	SYS_epoll_wait,
	SYS_epoll_pwait,
	441 /* epoll_pwait2 */,
	SYS_semop,
	SYS_semtimedop,
	SYS_rt_sigtimedwait,
	SYS_io_getevents,
};

static bool has_deliverable(struct target *t, const struct target_thread *th)
{
	autobuf struct buf text = {0};
	uint64_t own = 0, shared = 0;

	if (proc_read(t->procfd, "status", &text) < 0)
		return false;
	(void)proc_field_u64(buf_str(&text), text.len, "SigPnd", 16, &own); /* 0 without */
	(void)proc_field_u64(buf_str(&text), text.len, "ShdPnd", 16, &shared);
	return (own | shared) & ~th->sigmask;
}

static void settle_call(struct target *t, struct target_thread *th)
{
	struct user_regs_struct *gp = &th->regs.gp;
	size_t i;

	if ((int64_t)gp->rax != -EINTR)
		return;
	for (i = 0; i < ARRAY_SIZE(never_restarted); i++) {
		if ((long)gp->orig_rax != never_restarted[i] || has_deliverable(t, th))
			continue;
		gp->rip -= 2; /* the `syscall` instruction again */
		gp->rax = gp->orig_rax;
		gp->orig_rax = -1;
		th->changed = true;
		return;
	}
}

/* struct rseq and struct rseq_cs of linux/rseq.h, as far as they are needed. */
static int settle_rseq(struct target *t, struct target_thread *th, struct err *err)
{
	struct __ptrace_rseq_configuration conf = {0};
	struct {
		uint32_t version, flags;
		uint64_t start_ip, post_commit_offset, abort_ip;
	} cs;
	uint64_t at = 0, zero = 0;
	int r;

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, th->tid, sizeof(conf), &conf) <= 0 ||
		!conf.rseq_abi_pointer)
		return 0;
	r = target_read(t, conf.rseq_abi_pointer + 8, &at, sizeof(at), err);
	if (r < 0 || !at)
		return r;
	if (target_read(t, at, &cs, sizeof(cs), NULL) < 0)
		return 0; /* a stale pointer: the program's own affair */
	if (th->regs.gp.rip - cs.start_ip >= cs.post_commit_offset)
		return 0;
	th->regs.gp.rip = cs.abort_ip;
	th->regs.gp.orig_rax = -1;
	th->changed = true;
	return target_write(t, conf.rseq_abi_pointer + 8, &zero, sizeof(zero), err);
}

int task_settle(struct target *t, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < t->n_threads; i++) {
		settle_call(t, &t->threads[i]);
		r = settle_rseq(t, &t->threads[i], err);
	}
	return r;
}
