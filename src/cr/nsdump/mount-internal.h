/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts and trees of files inside cr/nsdump. */
#pragma once

#include "cr/image/mount.pb-c.h"
#include "cr/nsdump/nsdump-internal.h"
#include "sys/mountinfo.h"

/* ---- mounts.c: a mountinfo as a list ---- */
struct mounts {
	struct mountinfo *v; /* parents first, else in the order of the file */
	size_t n, cap;
	char *text; /* what the strings point into */
};
void mounts_done(struct mounts *m);
/* Takes @text over, also on failure. */
int mounts_parse(char *text, struct mounts *ret, struct err *err);
int mounts_read(int proc_pid_fd, struct mounts *ret, struct err *err);
/* The number N in "shared:N" (or "master") of the optional fields; 0 without it. */
uint32_t mount_group(const struct mountinfo *m, const char *field);
/* How many mounts before @i have the mount point and type of @i. */
size_t mounts_nth(const struct mounts *m, size_t i);
/* MOUNT_ATTR_* of "rw,nosuid,…". */
uint64_t mount_attrs(const char *options);
/* Sets them (only those, clears the rest) on the mount @fd. */
int mount_set_attrs(int fd, const char *options);

/* ---- mount-open.c ---- */
/*
 * For every mount of @m with want[i]: an fd of a private copy of it without what is mounted on it,
 * in ret_fds[i] (-EBADF: hidden and out of reach). @ns_fd: its mount namespace, -EBADF: ours.
 * The copies can be reached by fd alone; access times are not touched through them.
 */
int mounts_open(int ns_fd, const struct mounts *m, const bool *want, int *ret_fds, struct err *err);

/* ---- mount-make.c: the kinds of mount that can be made again ---- */
/* Can a mount of this type be made anew, without anything from the host? */
bool mount_remakable(const char *fstype);
/* A detached mount as the record says. */
int mount_make(const Kist__Mount *m, struct err *err);

/* ---- mount-save.c, mount-restore.c ---- */
int mount_save(struct nsdump *d, struct err *err);
int mount_check(const struct image *img, struct err *err);
int mount_restore(const struct image *img, struct err *err);

/* ---- tree-save.c, tree-restore.c ---- */
/*
 * Saves the tree below the directory @fd. @mount: number of its Mount, 0: the upper layer. @ids:
 * owners are mapped to the inside by it, NULL: taken as they are. @what: its name in messages.
 */
int tree_save(struct nsdump *d, int fd, uint32_t mount, const char *what, const struct idmaps *ids,
	struct err *err);
int tree_check(const struct image *img, struct err *err);
/*
 * Restores the tree of @mount into the directory @fd; what is there and was not in the tree is
 * removed. @ids: owners are mapped to the outside by it, NULL: taken as they are. No such tree: 0.
 */
int tree_restore(
	const struct image *img, uint32_t mount, int fd, const struct idmaps *ids, struct err *err);

/* ---- xattr.c ---- */
struct xattrs {
	Kist__Xattr *v, **list;
	size_t n, cap;
};
void xattrs_done(struct xattrs *x);
/* Of the file behind the O_PATH fd. */
int xattrs_read(int fd, struct xattrs *x);
int xattrs_write(int fd, Kist__Xattr **list, size_t n);
