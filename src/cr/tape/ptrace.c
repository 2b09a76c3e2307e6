// SPDX-License-Identifier: Apache-2.0
/* See ptrace.h. */
#include "cr/tape/ptrace.h"

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "base/util.h"

#define XSTATE_MAX (64u << 10)

static int fail(struct err *err, pid_t tid, const char *what)
{
	return err_set(err, -errno, "cannot %s thread %d", what, tid);
}

int thread_seize(pid_t tid, unsigned long options, struct err *err)
{
	unsigned long opts = options | PTRACE_O_TRACESYSGOOD;

	/* Without CAP_SYS_ADMIN the suspension is refused: filters then act on our calls too. */
	if (ptrace(PTRACE_SEIZE, tid, 0, opts | PTRACE_O_SUSPEND_SECCOMP) == 0)
		return 0;
	if ((errno == EPERM || errno == EINVAL) && ptrace(PTRACE_SEIZE, tid, 0, opts) == 0)
		return 0;
	return fail(err, tid, "trace");
}

int thread_interrupt(pid_t tid, struct err *err)
{
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0)
		return fail(err, tid, "stop");
	return 0;
}

/* Stops of a tracee raise SIGCHLD in us: blocked, so that none is lost between look and wait. */
static int wait_timed(pid_t tid, int timeout_ms, int *ret_status)
{
	int64_t end = clock_ms() + timeout_ms, left;
	sigset_t chld, old;
	struct timespec ts;
	pid_t r;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &chld, &old);
	for (;;) {
		r = waitpid(tid, ret_status, __WALL | WNOHANG);
		if (r != 0 && !(r < 0 && errno == EINTR))
			break;
		left = end - clock_ms();
		if (left <= 0)
			break;
		ts = (struct timespec){.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
		(void)sigtimedwait(&chld, NULL, &ts); /* we look again whatever it says */
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		return -ETIMEDOUT;
	return r < 0 ? -errno : 0;
}

int thread_wait(pid_t tid, int timeout_ms, int *ret_status, struct err *err)
{
	int status, r;

	r = wait_timed(tid, timeout_ms, &status);
	if (r == -ECHILD || (r == 0 && !WIFSTOPPED(status)))
		return err_setx(err, -ESRCH, "thread %d exited", tid);
	if (r < 0)
		return err_set(err, r, "cannot wait for the stop of thread %d", tid);
	*ret_status = status;
	return 0;
}

int thread_cont(pid_t tid, int sig, struct err *err)
{
	if (ptrace(PTRACE_CONT, tid, 0, sig) < 0)
		return fail(err, tid, "continue");
	return 0;
}

int thread_detach(pid_t tid, int sig, struct err *err)
{
	if (ptrace(PTRACE_DETACH, tid, 0, sig) < 0)
		return fail(err, tid, "let go of");
	return 0;
}

int thread_get_gp(pid_t tid, struct user_regs_struct *ret, struct err *err)
{
	struct iovec iov = {.iov_base = ret, .iov_len = sizeof(*ret)};

	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &iov) < 0)
		return fail(err, tid, "read registers of");
	if (iov.iov_len != sizeof(*ret))
		return err_setx(err, -ENOTSUP, "thread %d is a 32-bit thread", tid);
	return 0;
}

int thread_set_gp(pid_t tid, const struct user_regs_struct *regs, struct err *err)
{
	struct iovec iov = {.iov_base = (void *)regs, .iov_len = sizeof(*regs)};

	if (ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &iov) < 0)
		return fail(err, tid, "write registers of");
	return 0;
}

int thread_get_xstate(pid_t tid, struct buf *ret, struct err *err)
{
	struct iovec iov;

	buf_reset(ret);
	if (buf_reserve(ret, XSTATE_MAX) < 0)
		return err_oom(err);
	iov = (struct iovec){.iov_base = ret->data, .iov_len = XSTATE_MAX};
	if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &iov) < 0)
		return fail(err, tid, "read extended registers of");
	ret->len = iov.iov_len;
	return 0;
}

int thread_set_xstate(pid_t tid, const void *data, size_t len, struct err *err)
{
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};

	if (ptrace(PTRACE_SETREGSET, tid, NT_X86_XSTATE, &iov) < 0)
		return fail(err, tid, "write extended registers of");
	return 0;
}

uint64_t thread_xfeatures(void)
{
	unsigned int a, b, c, d, low, high;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return 3; /* x87 and SSE: a processor without xsave */
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

int thread_get_sigmask(pid_t tid, uint64_t *ret, struct err *err)
{
	if (ptrace(PTRACE_GETSIGMASK, tid, sizeof(*ret), ret) < 0)
		return fail(err, tid, "read the signal mask of");
	return 0;
}

int thread_set_sigmask(pid_t tid, uint64_t mask, struct err *err)
{
	if (ptrace(PTRACE_SETSIGMASK, tid, sizeof(mask), &mask) < 0)
		return fail(err, tid, "write the signal mask of");
	return 0;
}

static void call_regs(struct user_regs_struct *regs, uint64_t insn, long nr, const uint64_t args[6])
{
	regs->rip = insn;
	regs->rax = nr;
	regs->orig_rax = -1; /* we are in no system call: nothing is restarted */
	regs->rdi = args[0];
	regs->rsi = args[1];
	regs->rdx = args[2];
	regs->r10 = args[3];
	regs->r8 = args[4];
	regs->r9 = args[5];
}

/* Runs on to the next system call stop; other stops on the way (events, signals) are passed. */
static int to_syscall_stop(pid_t tid, struct err *err)
{
	int status, r;

	do {
		if (ptrace(PTRACE_SYSCALL, tid, 0, 0) < 0)
			return fail(err, tid, "continue");
		r = thread_wait(tid, 10000, &status, err);
		if (r < 0)
			return r;
	} while (WSTOPSIG(status) != (SIGTRAP | 0x80));
	return 0;
}

int thread_syscall(pid_t tid, uint64_t insn, const struct user_regs_struct *saved, long nr,
	const uint64_t args[6], int64_t *ret_result, struct err *err)
{
	struct user_regs_struct regs = *saved;
	int r;

	call_regs(&regs, insn, nr, args);
	r = thread_set_gp(tid, &regs, err);
	if (r == 0)
		r = to_syscall_stop(tid, err);
	if (r == 0)
		r = to_syscall_stop(tid, err);
	if (r == 0)
		r = thread_get_gp(tid, &regs, err);
	if (r == 0)
		r = thread_set_gp(tid, saved, err);
	if (r == 0)
		*ret_result = (int64_t)regs.rax;
	return r;
}

int thread_park(pid_t tid, struct err *err)
{
	int status, r;

	r = thread_interrupt(tid, err);
	if (r == 0)
		r = thread_cont(tid, 0, err);
	return r < 0 ? r : thread_wait(tid, 10000, &status, err);
}

int thread_syscall_interrupted(pid_t tid, uint64_t insn, const struct user_regs_struct *base,
	long nr, const uint64_t args[6], int64_t *ret_result, struct err *err)
{
	struct user_regs_struct regs = *base;
	int r;

	call_regs(&regs, insn, nr, args);
	r = thread_set_gp(tid, &regs, err);
	if (r == 0)
		r = to_syscall_stop(tid, err); /* entry: the call has not begun */
	if (r == 0)
		r = thread_park(tid, err);
	if (r == 0)
		r = thread_get_gp(tid, &regs, err);
	if (r == 0)
		*ret_result = (int64_t)regs.rax;
	return r;
}

int thread_wait_trap(pid_t tid, int timeout_ms, uint64_t *ret_row, struct err *err)
{
	struct user_regs_struct regs;
	int status, r;

	for (;;) {
		r = thread_wait(tid, timeout_ms, &status, err);
		if (r < 0)
			return r;
		if (status >> 16 == 0 && WSTOPSIG(status) == SIGTRAP)
			break;
		if (status >> 16 == 0 && WSTOPSIG(status) != SIGSTOP)
			return err_setx(err, -EIO, "thread %d got signal %d while playing a tape",
				tid, WSTOPSIG(status));
		r = thread_cont(tid, 0, err);
		if (r < 0)
			return r;
	}
	r = thread_get_gp(tid, &regs, err);
	if (r == 0)
		*ret_row = regs.rbx;
	return r;
}

int thread_play(pid_t tid, uint64_t player, uint64_t tape, int timeout_ms, uint64_t *ret_row,
	struct err *err)
{
	struct user_regs_struct regs;
	int r;

	r = thread_get_gp(tid, &regs, err);
	if (r < 0)
		return r;
	regs.rip = player;
	regs.rdi = tape;
	regs.orig_rax = -1;
	r = thread_set_gp(tid, &regs, err);
	if (r == 0)
		r = thread_cont(tid, 0, err);
	return r < 0 ? r : thread_wait_trap(tid, timeout_ms, ret_row, err);
}
