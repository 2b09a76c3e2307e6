/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task (thread group) that is being dumped or restored, as every part of cr/ sees it: stopped by
 * ptrace, reached by fds. Owned by cr/dump and cr/restore; the parts below only borrow it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "cr/tape/ptrace.h"
#include "cr/tape/tape.h"

struct restart_info; /* sys/restart-block.h */

struct target_thread {
	pid_t tid, vtid;
	struct thread_regs regs; /* as it was stopped */
	uint64_t sigmask;
	bool driven; /* its signal mask is ours now: target_put_back puts mask and registers back */
	struct restart_info *sleep; /* it was interrupted in a wait; else NULL. Owned. */
	bool changed; /* regs are not what the thread was stopped with: they are to be written */
};

struct target {
	uint32_t id;	 /* number of the task in the image, from 1; the root of the tree is 1 */
	uint32_t parent; /* id of its parent, 0: the root */
	pid_t pid;	 /* as we see it */
	pid_t vpid;	 /* in its own pid namespace */
	int pidfd;	 /* -EBADF: a zombie */
	int procfd;	 /* O_PATH directory /proc/PID */
	char comm[64];
	bool zombie;		       /* no threads, no memory, no fds */
	bool stopped;		       /* in group stop (SIGSTOP, SIGTSTP, …) when we came */
	struct target_thread *threads; /* [0] is the leader */
	size_t n_threads, threads_cap;
	/* The injected area, made by target_inject. */
	uint64_t insn; /* a `syscall` instruction of the target's vdso */
	uint64_t area, area_size, scratch;
	bool has_player;   /* it is in the area */
	bool trap_ignored; /* SIGTRAP is ignored by it: the trap of the player resets that */
};

/* Opens pidfd and procfd of @pid, reads comm. Stops nothing. -ESRCH when it is gone. */
int target_open(int procfd, pid_t pid, struct target *ret, struct err *err);
/* Closes and frees; does not let go of the threads. */
void target_done(struct target *t);

/*
 * Seizes and stops every thread, also those that start meanwhile; saves their registers and masks.
 * @timeout_ms bounds the whole (a thread in D state is named). On failure too, the two calls below
 * end it.
 */
int target_stop(struct target *t, int timeout_ms, struct err *err);
/*
 * Puts registers and masks back of the threads that ran calls for us: if we are killed now, the
 * task runs on as it was. For the parts of a dump that take long; it can be driven again.
 */
void target_rest(struct target *t);
/*
 * Removes the injected area, puts registers and masks back: the task is as it was, but stopped.
 * Goes on after failures (of dying threads); safe to call at any time.
 */
void target_put_back(struct target *t);
/* After target_put_back: lets the threads go. */
void target_detach(struct target *t);

/*
 * Runs one system call in the target's main thread, now, and gives its raw result (-errno
 * included) in *ret_result. ptrace(2). Fails only when the target cannot be driven any more.
 */
int target_syscall(
	struct target *t, long nr, const uint64_t args[6], int64_t *ret_result, struct err *err);
int target_thread_syscall(struct target *t, size_t thread, long nr, const uint64_t args[6],
	int64_t *ret_result, struct err *err);
/* Plays a tape in thread @thread; rows and data are read back into @tape. Judge by tape_check. */
int target_play(struct target *t, size_t thread, struct tape *tape, struct err *err);
/* Scratch memory inside the target, valid for system calls that it runs; at least 16 KiB. */
int target_scratch(struct target *t, uint64_t *ret_addr, size_t *ret_size, struct err *err);
int target_read(struct target *t, uint64_t addr, void *data, size_t len, struct err *err);
int target_write(struct target *t, uint64_t addr, const void *data, size_t len, struct err *err);

/* The address of a `syscall` instruction in the mapping [start, start+size) of @t, or -ENOENT. */
int target_find_syscall(
	struct target *t, uint64_t start, uint64_t size, uint64_t *ret, struct err *err);
