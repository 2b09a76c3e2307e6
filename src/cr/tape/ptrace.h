/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptrace(2) of single threads: stop, read and write registers, let go. Each function fails with
 * the thread's id and the operation in the message; -ESRCH when the thread is gone. The calling
 * thread must be the tracer (all but thread_seize).
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/buf.h"
#include "base/err.h"

struct thread_regs {
	struct user_regs_struct gp;
	struct buf xstate; /* NT_X86_XSTATE as the kernel gives it */
};

/* Attaches without stopping; seccomp filters do not act while we trace (when we may say so). */
int thread_seize(pid_t tid, unsigned long options, struct err *err);
int thread_interrupt(pid_t tid, struct err *err);
/*
 * Waits until it stops, at most @timeout_ms (-ETIMEDOUT). *ret_status as wait(2). -ESRCH when it
 * exited meanwhile.
 */
int thread_wait(pid_t tid, int timeout_ms, int *ret_status, struct err *err);
int thread_cont(pid_t tid, int sig, struct err *err);
int thread_detach(pid_t tid, int sig, struct err *err);
int thread_get_gp(pid_t tid, struct user_regs_struct *ret, struct err *err);
int thread_set_gp(pid_t tid, const struct user_regs_struct *regs, struct err *err);
int thread_get_xstate(pid_t tid, struct buf *ret, struct err *err);
int thread_set_xstate(pid_t tid, const void *data, size_t len, struct err *err);
/* The states of NT_X86_XSTATE that this processor and kernel have: XCR0, xgetbv. */
uint64_t thread_xfeatures(void);
int thread_get_sigmask(pid_t tid, uint64_t *ret, struct err *err);
int thread_set_sigmask(pid_t tid, uint64_t mask, struct err *err);

/*
 * Runs one system call in a stopped thread with the instruction at @insn (a `syscall`), and puts
 * the registers back to @saved. No signal is involved: entry and exit are ptrace stops.
 */
int thread_syscall(pid_t tid, uint64_t insn, const struct user_regs_struct *saved, long nr,
	const uint64_t args[6], int64_t *ret_result, struct err *err);
/*
 * Brings a stopped thread from any stop to one in the kernel's signal path, where an interrupted
 * call (-ERESTART… in rax) is restarted when it goes on. Do it before the last registers are set.
 */
int thread_park(pid_t tid, struct err *err);
/*
 * Starts one that would sleep, and stops it at once: the thread has then a restart block of its
 * own (ERESTART_RESTARTBLOCK), or *ret_result tells how it ended.
 */
int thread_syscall_interrupted(pid_t tid, uint64_t insn, const struct user_regs_struct *base,
	long nr, const uint64_t args[6], int64_t *ret_result, struct err *err);
/* Plays a linked tape; *ret_row is the address of the row where it stopped. */
int thread_play(pid_t tid, uint64_t player, uint64_t tape, int timeout_ms, uint64_t *ret_row,
	struct err *err);
/* Waits for the breakpoint of a player that runs already. */
int thread_wait_trap(pid_t tid, int timeout_ms, uint64_t *ret_row, struct err *err);

#define SIGMASK_ALL_BUT_TRAP (~(1ull << (SIGTRAP - 1)))
