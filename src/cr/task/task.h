/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a task is besides memory and files: pids, signals, timers, credentials, scheduling, and its
 * threads' registers. Dump reads it from outside and by tapes; restore turns it into rows that the
 * task plays after its memory is in place, and registers that the tracer writes.
 */
#pragma once

#include "base/err.h"
#include "cr/image/image.h"
#include "cr/image/task.pb-c.h"
#include "cr/tape/tape.h"
#include "cr/tape/target.h"

/* ---- dump ---- */

/* Ids as the innermost pid namespace of the task sees them, from /proc/PID/status and stat. */
struct task_ids {
	pid_t pid, ppid, pgid, sid;
	size_t ns_depth; /* how many pid namespaces it is visible in */
	uint32_t exit_code;
	int exit_signal;
};
int task_read_ids(struct target *t, struct task_ids *ret, struct err *err);

/*
 * Cleans the registers of a stopped task up, so that they are right wherever they are used next: a
 * restartable sequence is left by its abort handler, a call that reports our stop as EINTR is
 * made again. Before anything is injected.
 */
int task_settle(struct target *t, struct err *err);

struct task_links { /* ids that others have given */
	uint32_t mm, cwd, root;
};
/* Writes the Task record of a stopped task, or of a zombie (then @links is not used). */
int task_dump(struct image_writer *w, struct target *t, const struct task_ids *ids,
	const struct task_links *links, struct err *err);

/* ---- restore ---- */

/* Refuses a record that the code below could not use safely. */
int task_check(const Kist__Task *task, struct err *err);
/* Upper bound of the bytes that the rows of a task (and of its threads) take. */
size_t task_tape_size(const Kist__Task *task);

/* Rows of thread @i (not the leader) for itself. */
int task_tape_thread(struct tape *t, const Kist__Task *task, size_t i, struct err *err);
/*
 * Rows of the leader behind the memory: signal actions, filters, threads (thread i plays the rows
 * at @thread_tapes[i]), timers, limits, pending signals, credentials.
 */
int task_tape_leader(
	struct tape *t, const Kist__Task *task, const uint64_t *thread_tapes, struct err *err);

/* It is to be sent SIGSTOP before it runs: it was stopped, or about to be. */
bool task_stops(const Kist__Task *task);

struct sleeper { /* a thread that is stopped behind its tape, as the tracer reaches it */
	pid_t tid;
	uint64_t insn, scratch; /* as in struct target; 16 bytes */
	int memfd;
};
/*
 * Starts an interrupted sleep again for the time that was left. *ret_rax is what the thread must
 * find in rax.
 */
int task_renew_sleep(
	const Kist__Thread *th, const struct sleeper *s, int64_t *ret_rax, struct err *err);
/* Writes registers and mask, the last act. */
int task_set_thread(const Kist__Thread *th, pid_t tid, int64_t rax, struct err *err);
/* By the tracer: priorities, affinity, timer slack of a thread (sched_setattr(2), ioprio_set(2)).
 */
int task_set_sched(const Kist__Thread *th, pid_t tid, int procfd, struct err *err);
