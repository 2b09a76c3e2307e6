/* SPDX-License-Identifier: Apache-2.0 */
/* What a kind of open file implements, and what it may call. Stays inside cr/file. */
#pragma once

#include "cr/file/file.h"
#include "cr/image/file.pb-c.h"

/* One fd slot, mapping, link or passed fd, as seen from outside. */
struct fd_view {
	struct target *task; /* whose it is */
	int fd;		     /* number in the task */
	const char *what;    /* what has no number there: "exe", "mapping 7f…", "passed fd" */
	int local;	     /* our duplicate of the description; of a link or mapping a new one */
	struct stat st;
	unsigned int flags; /* O_* of fdinfo, without O_CLOEXEC */
	bool cloexec;
	int64_t pos;
	int mnt_id;
	char *link;	   /* readlink of /proc/PID/fd/N: "socket:[1]", "/a/b (deleted)" */
	struct buf fdinfo; /* the text */
};

#define FILE_O_LARGEFILE 0100000 /* as the kernel shows it; O_LARGEFILE is 0 on 64 bits */

struct file_kind {
	const char *name; /* "pipe": in messages */
	enum record_type record;
	/* Is it of this kind? The first row that says 1 has it. */
	int (*probe)(struct file_dump *d, const struct fd_view *v);
	/* Writes the record under @id. Refusals by file_refuse. */
	int (*dump)(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err);
	/* After all tasks are seen (peers, targets), in the order of the table. NULL: nothing. */
	int (*dump_finish)(struct file_dump *d, struct err *err);
	void (*dump_commit)(struct file_dump *d); /* file_dump_commit. NULL: nothing */
	/* Frees file_dump_state's. NULL: nothing. */
	void (*dump_done)(struct file_dump *d);
	/* Checks one record before anything is created. */
	int (*check)(struct file_restore *r, const ProtobufCMessage *msg, struct err *err);
	/*
	 * Opens the description and hands it to file_store(). @pass is 0, 1, …: return 1 to be
	 * called again in the next pass, once other records have been opened.
	 */
	int (*open)(struct file_restore *r, const ProtobufCMessage *msg, int pass, struct err *err);
	/* In the task that has it in slot @fd, all slots filled. NULL: nothing. */
	int (*place)(struct file_restore *r, const ProtobufCMessage *msg, uint32_t task, int fd,
		struct err *err);
	/* In every task, for every record of the kind, after place. NULL: nothing. */
	int (*task)(struct file_restore *r, const ProtobufCMessage *msg, struct err *err);
	/* file_restore_last. NULL: nothing. */
	int (*last)(struct file_restore *r, const ProtobufCMessage *msg, struct err *err);
	/* file_restore_live; file_restore_fd is the coordinator's own fd of it. NULL: nothing. */
	int (*live)(struct file_restore *r, const ProtobufCMessage *msg, struct err *err);
};

extern const struct file_kind *const file_kinds[]; /* NULL-terminated, file-kinds.c */
extern const struct file_kind file_kind_chardev, file_kind_epoll, file_kind_eventfd,
	file_kind_external, file_kind_inet, file_kind_inotify, file_kind_memfd, file_kind_netlink,
	file_kind_nsfd, file_kind_pidfd, file_kind_pipe, file_kind_reg, file_kind_shanon,
	file_kind_signalfd, file_kind_timerfd, file_kind_tty, file_kind_unix;
size_t file_kind_count(void);

/* ---- dump ---- */
/* "fd 5 ('socket:[1]') of 'nginx' (pid 9): TEXT" with @code. */
int file_refuse(const struct fd_view *v, struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/*
 * The id of a further description (a passed fd, a kept peer), saved when it is new; @local_fd is
 * taken over, also on failure.
 */
int file_dump_fd(
	struct file_dump *d, struct target *t, int local_fd, uint32_t *ret_id, struct err *err);
/*
 * The description of a description: fills @desc (owner, flags) for the record. @owner is its
 * storage.
 */
void file_dump_desc(struct file_dump *d, const struct fd_view *v, uint32_t id, Kist__FileDesc *desc,
	Kist__FdOwner *owner);
/* *ret_first: the first description that was seen with this inode: @id itself when it is new. */
int file_dump_inode(struct file_dump *d, const struct fd_view *v, uint32_t id, uint32_t *ret_first,
	struct err *err);
/* Writes a record, with the view's words on an error. */
int file_dump_put(struct file_dump *d, const struct fd_view *v, enum record_type type,
	const void *msg, struct err *err);
struct image_writer *file_dump_writer(struct file_dump *d);
const struct file_dump_opts *file_dump_options(const struct file_dump *d);
/* What a kind gathers between dump and dump_done; NULL at first. */
void **file_dump_state(struct file_dump *d, const struct file_kind *kind);
/* The id of the description that local fd @fd is a duplicate of, or 0: not seen. */
uint32_t file_dump_find(struct file_dump *d, int fd);
/* The root of the tree, NULL without tasks. */
const struct target *file_dump_root_task(const struct file_dump *d);
/* Our own procfs, and the pid @pid has inside the tree (0: it is no task or thread of the tree). */
int file_dump_procfd(const struct file_dump *d);
pid_t file_dump_vpid(const struct file_dump *d, pid_t pid);
pid_t file_dump_vgroup(const struct file_dump *d, pid_t group);
/* The external that this view is, or NULL. */
const struct file_external *file_dump_external(const struct file_dump *d, const struct fd_view *v);
/* Is it a file of the kernel's own tmpfs: memfd, shared anonymous memory? */
bool file_dump_is_shmem(const struct file_dump *d, const struct fd_view *v);
/* A new description of what the view shows, O_CLOEXEC; or -errno. */
int file_view_reopen(const struct fd_view *v, int flags);

/* ---- restore ---- */
/*
 * @fd now stands for description @id: it gets the record's flags (append, nonblock, …), is moved
 * above base and belongs to the store, also on failure.
 */
int file_store(struct file_restore *r, uint32_t id, int fd, struct err *err);
const struct image *file_restore_image(const struct file_restore *r);
int file_restore_root(const struct file_restore *r);
int file_restore_procfd(const struct file_restore *r);
const struct file_external *file_restore_external(const struct file_restore *r, const char *key);
const struct file_kind *file_restore_kind(const struct file_restore *r, uint32_t id);
/* The message of description @id, when it is of @type; else NULL. */
const void *file_restore_msg(const struct file_restore *r, uint32_t id, enum record_type type);
/* "inode_of": 0, or the id of another record of @type; refuses others. */
int file_check_inode_of(struct file_restore *r, uint32_t id, uint32_t inode_of,
	enum record_type type, struct err *err);
/* A new description of the same inode as @fd, with @flags, O_CLOEXEC; or -errno. */
int file_reopen(const struct file_restore *r, int fd, int flags);
