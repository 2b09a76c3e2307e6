/* SPDX-License-Identifier: Apache-2.0 */
/* The state of one dump, shared by the files of this folder. */
#pragma once

#include "base/guard.h"
#include "cr/dump/dump.h"
#include "cr/file/file.h"
#include "cr/mem/mm.h"
#include "cr/nsdump/net-lock.h"
#include "cr/task/task.h"

struct dump_task {
	struct target target;
	struct task_ids ids;
	struct vma_list vmas;
};

struct dump {
	const struct dump_opts *opts;
	pid_t root;
	int procfd;
	struct dump_task **tasks; /* [0] is the root; parents stand before their children */
	size_t n, cap;
	struct image_writer *writer;
	struct file_dump *files;
	struct net_lock *lock;
	struct guard net_guard;
	int root_fd;
	bool was_frozen; /* the cgroup, before we came */
};

/* dump-tree.c: finds and stops every task of the tree. On failure some are stopped (dump_let_go).
 */
int dump_stop_tree(struct dump *d, struct err *err);
void dump_let_go(struct dump *d);
/* SIGKILL to all, and the wait until they are gone. */
int dump_kill(struct dump *d, struct err *err);
/* dump-check.c: namespaces, sessions and the like that cannot be saved, refused by name. */
int dump_check(struct dump *d, struct err *err);
/* sleeps.c: left_ns of every thread that was stopped in a sleep; right after the stop. */
int dump_read_sleeps(struct dump *d, struct err *err);
