/* SPDX-License-Identifier: Apache-2.0 */
/* What a kind of open file implements, and what it may call. Stays inside cr/file. */
#pragma once

#include "cr/file/file.h"

/* One fd slot or mapping as seen from outside. */
struct fd_view {
	struct target *task;
	int fd;	   /* number in the task, -1 for a mapping or link */
	int local; /* our duplicate of the description, or an O_PATH/O_RDONLY fd */
	struct stat st;
	unsigned int flags; /* O_* of fdinfo */
	int64_t pos;
	int mnt_id;
	const char *link;	  /* readlink of /proc/PID/fd/N: "socket:[1]", "/a/b (deleted)" */
	const struct buf *fdinfo; /* the text */
};

struct file_kind {
	const char *name; /* "pipe": in messages and `image show` */
	enum record_type record;
	/* Is it of this kind? 1 or 0. */
	int (*probe)(const struct fd_view *v);
	/* Writes the record(s) under @id. Refusals name process, fd, kind, and what to do. */
	int (*dump)(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err);
	/* After all tasks are seen (peers, targets). NULL: nothing. */
	int (*dump_finish)(struct file_dump *d, struct err *err);
	/*
	 * The dump is over (file_dump_free): undoes what it did to living descriptions, unless
	 * @committed (file_dump_commit); frees what file_dump_state holds. NULL: nothing.
	 */
	void (*dump_done)(struct file_dump *d, bool committed);
	/* Checks one record before anything is created. */
	int (*check)(struct file_restore *r, const ProtobufCMessage *msg, struct err *err);
	/*
	 * Opens the description(s) of the record and hands them to file_store(). @pass is 0, 1, …:
	 * return 1 to be called again in the next pass, once other records have been opened.
	 */
	int (*open)(struct file_restore *r, const ProtobufCMessage *msg, int pass, struct err *err);
	/* In the task that has it in slot @fd. NULL: nothing. */
	int (*place)(struct file_restore *r, const ProtobufCMessage *msg, uint32_t task, int fd,
		struct err *err);
	/* file_restore_last. NULL: nothing. */
	int (*last)(struct file_restore *r, const ProtobufCMessage *msg, struct err *err);
};

extern const struct file_kind *const file_kinds[]; /* NULL-terminated, file-kinds.c */

/* dump: the id of a further description (a passed fd, a kept peer), saved when it is new. */
int file_dump_fd(
	struct file_dump *d, struct target *t, int local_fd, uint32_t *ret_id, struct err *err);
struct image_writer *file_dump_writer(struct file_dump *d);
const struct file_dump_opts *file_dump_options(const struct file_dump *d);
/* dump: what a kind gathers between dump and dump_done; NULL at first. */
void **file_dump_state(struct file_dump *d, const struct file_kind *kind);
/* restore: @fd now stands for @id; it is moved above base and belongs to the store. */
int file_store(struct file_restore *r, uint32_t id, int fd, struct err *err);
const struct image *file_restore_image(const struct file_restore *r);
int file_restore_root(const struct file_restore *r);
