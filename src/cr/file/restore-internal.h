/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct file_restore, for file-restore.c, place.c and lock.c. */
#pragma once

#include "cr/file/file-internal.h"

#define FILE_PASSES   16	/* by then every kind has been opened that can be */
#define FILE_FD_LIMIT (1 << 20) /* what fs.nr_open allows by default */

struct file_entry { /* a description, by id */
	const struct file_kind *kind;
	const ProtobufCMessage *msg;
	Kist__FileDesc desc;
	int fd;	   /* in the store, or -EBADF */
	int spare; /* of a pipe or socket: the end that no description has (yet) */
	int step;  /* the kind's own */
	bool done;
};

struct file_restore {
	const struct image *img;
	struct file_restore_opts opts;
	int root_fd, procfd, base;
	bool own_root;		    /* root_fd is ours, above base */
	struct file_entry *entries; /* [1 … n_entries] */
	size_t n_entries;
	int *live; /* by entry, shared with the root task: its fds of kinds that go live, or 0 */
	const Kist__FdTable **tables; /* sorted by task */
	size_t n_tables;
	size_t unix_filled; /* unix sockets with their queues as they were */
};

const Kist__FdTable *table_get(const struct file_restore *r, uint32_t task);
/* The description in slot @fd of @task, or 0. */
uint32_t table_slot(const struct file_restore *r, uint32_t task, int fd);

/* lock.c */
int lock_check_all(struct file_restore *r, struct err *err);
int lock_take_all(struct file_restore *r, struct err *err);
