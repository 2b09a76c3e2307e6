/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct file_dump, for file-dump.c, dump-help.c and table.c. */
#pragma once

#include "cr/file/file-internal.h"
#include "cr/file/view.h"

struct file_seen { /* a description */
	dev_t dev;
	ino_t ino;
	unsigned int flags;
	int64_t pos;
	int mnt_id;
	pid_t pid; /* who has it, and under which number */
	int fd;
	int local; /* it is ours (a passed fd): closed at the end */
	uint32_t id;
};

struct file_reopened { /* what no fd of the tree has: links, mappings */
	dev_t dev;
	ino_t ino;
	unsigned int flags;
	uint32_t id;
	char *link;
};

struct file_inode {
	dev_t dev;
	ino_t ino;
	uint32_t id; /* of the first description */
};

struct posix_seen {
	uint32_t task;
	dev_t dev;
	ino_t ino;
	uint64_t start, len;
};

struct file_dump {
	struct image_writer *writer;
	struct file_dump_opts opts;
	struct target **tasks; /* all of the tree */
	size_t n_tasks, tasks_cap;
	pid_t self;
	int procfd, self_procfd;
	dev_t shm_dev;
	uint32_t last_id;
	struct file_seen **seen; /* sorted */
	size_t n_seen, seen_cap;
	struct file_reopened *reopened;
	size_t n_reopened, reopened_cap;
	struct file_inode *inodes; /* sorted */
	size_t n_inodes, inodes_cap;
	struct target **tables; /* one task of each fd table, sorted by kcmp */
	size_t n_tables, tables_cap;
	struct posix_seen *posix;
	size_t n_posix, posix_cap;
	void **state; /* by kind */
};

/*
 * The id of the description in @v, saved when it is new. @pid, v->fd: how kcmp finds it. @local:
 * -EBADF, or our fd that the list takes over (v->local is then set).
 */
int dump_view(struct file_dump *d, struct fd_view *v, pid_t pid, int local, uint32_t *ret_id,
	struct err *err);
/* The id of the description in slot @fd of @t, or 0: not seen. */
uint32_t dump_find_slot(struct file_dump *d, struct target *t, int fd);
/* lock.c: saves the locks that a slot's fdinfo shows. */
int dump_locks(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err);
