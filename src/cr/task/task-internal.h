/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of a Task record, a file each; all allocate from an arena that lives as long as it. */
#pragma once

#include "cr/task/task.h"

#ifndef MEMBARRIER_CMD_GET_REGISTRATIONS
#define MEMBARRIER_CMD_GET_REGISTRATIONS (1 << 9) /* membarrier(2), Linux 6.3 */
#endif

struct arena { /* what a record under construction points to */
	void **p;
	size_t n, cap;
};
void *arena_alloc(struct arena *a, size_t size); /* zeroed; NULL without memory */
char *arena_strdup(struct arena *a, const char *s);
void arena_done(struct arena *a);

#define KERNEL_SIGNALS 64

struct kernel_sigaction { /* as rt_sigaction(2) takes it on x86-64 */
	uint64_t handler, flags, restorer, mask;
};

/* task-signals.c */
int signals_dump(struct target *t, Kist__Task *task, struct arena *a, struct err *err);
int pending_dump(pid_t tid, bool shared, size_t *ret_n, ProtobufCBinaryData **ret, struct arena *a,
	struct err *err);
/* task-timers.c */
int timers_dump(struct target *t, Kist__Task *task, struct arena *a, struct err *err);
void timers_tape(struct tape *t, const Kist__Task *task);
/* task-thread.c */
int threads_dump(struct target *t, Kist__Task *task, struct arena *a, struct err *err);
/* task-creds.c */
int creds_read(struct target *t, pid_t tid, Kist__Creds *ret, struct arena *a, struct err *err);
void creds_tape(struct tape *t, const Kist__Creds *c);
/* task-seccomp.c */
int seccomp_read(
	struct target *t, pid_t tid, Kist__Seccomp **ret, struct arena *a, struct err *err);
/*
 * Filters that all threads have in common are installed before the threads are made, so that they
 * stay one and the same: how many those are.
 */
size_t seccomp_shared(const Kist__Task *task);
void seccomp_tape_shared(struct tape *t, const Kist__Seccomp *s, size_t shared);
/* The others, and strict mode. */
void seccomp_tape(struct tape *t, const Kist__Seccomp *s, size_t shared);
/* task-sched.c */
int sched_read(struct target *t, pid_t tid, Kist__Sched *ret, struct arena *a, struct err *err);
/* task-limits.c */
int limits_read(struct target *t, Kist__Task *task, struct arena *a, struct err *err);
