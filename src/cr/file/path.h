/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes with a name: path.c, with ghost.c (deleted ones) and path-find.c (lost ones). */
#pragma once

#include <fcntl.h>

#include "cr/file/file-internal.h"

/* An inode as fdinfo tells it. */
struct path_inode {
	uint64_t ino;
	uint32_t sdev;		   /* the kernel's own dev_t: major << 20 | minor */
	struct file_handle handle; /* handle_bytes 0: unknown */
	unsigned char bytes[MAX_HANDLE_SZ];
};

/* What has a name (reg, fifo, device, socket): path, attributes, content when deleted. */
struct path_dump {
	Kist__FilePath msg;
	char *path, *other, *target;
};
void path_dump_done(struct path_dump *p);
/* The message by itself, malloc'ed whole; NULL without memory. @p is done. */
Kist__FilePath *path_dump_take(struct path_dump *p);
int path_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct path_dump *ret,
	struct err *err);
/* As path_dump, of a device node: one from outside is the node of the same device inside. */
int path_dump_device(struct file_dump *d, const struct fd_view *v, uint32_t id,
	struct path_dump *ret, struct err *err);

int path_check(const Kist__FilePath *p, struct err *err);
/* Opens it, or makes it, opens it and takes its name away again. 1: not yet, a later pass. */
int path_open(
	struct file_restore *r, const Kist__FilePath *p, int flags, int *ret_fd, struct err *err);

/* ---- among these files, and inotify ---- */
/* openat2(2) below @root_fd as root, O_CLOEXEC. The fd, or -errno. */
int path_walk(int root_fd, const char *path, int flags, mode_t mode);

/* Another name of the inode in @v, near the lost name @path. 0, or -ENOENT. */
int path_find_other(
	const struct file_dump *d, const struct fd_view *v, const char *path, char **ret);

/* Makes the file, opens it with @flags and takes its name away. */
int path_ghost(
	struct file_restore *r, const Kist__FilePath *p, int flags, int *ret_fd, struct err *err);
/* A path, below the tree's root, that leads to it. 0, or -ENOENT. The caller frees *ret. */
int path_find_inode(const struct file_dump *d, const struct target *t,
	const struct path_inode *inode, char **ret);
