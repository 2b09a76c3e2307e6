/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of a restore and what its processes share; stays inside cr/restore. */
#pragma once

#include <linux/sched.h>
#include <stdatomic.h>

#include "base/guard.h"
#include "cr/file/file.h"
#include "cr/mem/mm.h"
#include "cr/restore/restore.h"
#include "cr/task/task.h"

/* When a task makes another: its own session decides. */
enum fork_phase {
	FORK_BEFORE_SETSID, /* the child gets the session that the maker was born in */
	FORK_AFTER_SETSID,
	FORK_SIBLING, /* by a session leader, for its own parent (CLONE_PARENT) */
};

struct plan_task {
	const Kist__Task *rec; /* NULL: a helper, which leads a session or group of dead leaders */
	const Kist__Mm *mm;
	pid_t pid, pgid, sid;
	size_t maker; /* index of the task that forks it */
	enum fork_phase phase;
	size_t first_thread; /* index into restore_shared.threads */
};

enum stage { /* what the tasks may do; the coordinator moves it on when all have arrived */
	STAGE_FORK,
	STAGE_LEAD,   /* leaders make their process groups */
	STAGE_JOIN,   /* the others join */
	STAGE_FILES,  /* slots are filled; helpers are gone */
	STAGE_LAST,   /* the root does what waits for all slots */
	STAGE_MEMORY, /* zombies die; tapes are written */
	STAGE_PLAY,
};

struct shared_thread {
	uint64_t rows, n_rows; /* of its tape, addresses in the task */
};

struct restore_shared { /* one mapping, shared by all processes of the restore */
	atomic_uint stage, arrived, failed;
	bool net_locked; /* by the root, in its network namespace: to be undone on failure */
	struct err err;	 /* of the first to fail */
	struct {
		uint64_t player, area, area_size, scratch; /* the boot area of a task */
		uint64_t map_rows, n_map_rows;		   /* its first tape */
		int uffd; /* a userfaultfd of it, by its number there; -EBADF: none */
	} * boot;
	struct shared_thread *threads;
};

struct restore {
	const struct image *img;
	struct restore_opts opts;
	struct file_restore *files;
	int procfd;  /* of our own /proc; both above base */
	int self_fd; /* pidfd of the coordinator */
	int root_fd;
	struct plan_task *tasks; /* [0]: the root; makers stand before those they make */
	size_t n, n_records, n_threads;
	struct restore_shared *shared;
	size_t shared_size;
	struct guard net_guard;
	pid_t root;		/* 0: not made yet */
	const pid_t *host_pids; /* by task, while before_run is called */
};

/* plan.c: from records to plan_tasks; checks ids, parents, sessions, groups. */
int plan_tasks(struct restore *r, struct err *err);
/* task-main.c */
void task_main(struct restore *r, size_t index) __attribute__((noreturn));
/* clone3(2) with a pid of our choice, which may be a moment late to be free; as sys_clone3. */
pid_t clone_at(const struct clone_args *args);
/* Stores the error, wakes the coordinator, exits. */
void task_fail(struct restore *r, const struct err *err) __attribute__((noreturn));
/* task-play.c: writes the tapes of task @index into its boot area, and plays the first. */
void task_play(struct restore *r, size_t index) __attribute__((noreturn));
/* In task @index: fails when a child that is to live has died (by the OOM killer, say). */
void task_check_children(struct restore *r, size_t index);
/* stage.c: futex(2) on the shared stage. @index: who arrives. */
void stage_arrive(struct restore *r, size_t index, enum stage next);
int stage_collect(struct restore *r, enum stage done, struct err *err);
void stage_open(struct restore *r, enum stage next);
