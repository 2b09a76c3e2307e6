/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: walks by fd, options, new mounts. All return -errno. */
#pragma once

#include <linux/mount.h>
#include <stdint.h>
#include <sys/types.h>

#include "mount/rootfs.h"

/* ---- walk.c: paths inside a hostile root ---- */
/* openat2 below @root_fd as if that were '/'; @flags as open(2), O_CLOEXEC is added. */
int walk_open(int root_fd, const char *path, int flags);
/* The same, but no component may be a symbolic link (-ELOOP). */
int walk_open_strict(int root_fd, const char *path, int flags);
/* An O_PATH fd of the directory or file @path, made (0755, 0644) with its parents if missing. */
int walk_mkdir(int root_fd, const char *path);
int walk_mkfile(int root_fd, const char *path);
/*
 * The same directory as @fd, but by its path in the caller's mount namespace: an fd from before
 * clone(CLONE_NEWNS) belongs to the old one, where nothing can be cloned. O_PATH.
 */
int walk_reopen(int fd, struct err *err);

/* ---- options.c: the options of config.json, mount(8) ---- */
struct mount_options {
	uint64_t set, clr;    /* MOUNT_ATTR_* */
	uint64_t rset, rclr;  /* for the whole tree: "rro" */
	uint64_t propagation; /* MS_SHARED …, 0: none given */
	bool propagation_rec;
	bool bind, rec;
	bool copy_up; /* tmpfs starts with what is below it */
	bool idmap;   /* with the mount's maps, or the container's */
	bool idmap_rec;
	bool src_nofollow;
	char **data; /* for the file system */
};
int mount_options_parse(const struct spec_mount *m, struct mount_options *ret, struct err *err);
void mount_options_done(struct mount_options *o);
#define autooptions __attribute__((cleanup(mount_options_done)))
/* Puts flags on a mount that is not attached yet. */
int mount_options_apply(
	int mnt_fd, const struct mount_options *o, const char *what, struct err *err);
/* "rshared" → MS_SHARED and whether recursive. -EINVAL. */
int propagation_parse(const char *name, uint64_t *ret, bool *ret_rec);

/* ---- fs.c ---- */
/* A new, unattached mount: its fd. @data are "key" or "key=value", may be NULL. */
int fs_new(const char *type, const char *source, char *const *data, unsigned int attr,
	struct err *err);
int fs_attach(int mnt_fd, int target_fd); /* move_mount by fds */
/* A private copy of the mount at @path below @dirfd. @flags: AT_RECURSIVE, AT_EMPTY_PATH … */
int fs_clone(int dirfd, const char *path, unsigned int flags);
int fs_set_propagation(int mnt_fd, uint64_t propagation, bool rec);
int fs_set_attr(int mnt_fd, uint64_t set, uint64_t clr, bool rec);
/* Everything of the caller's namespace becomes private. */
int fs_isolate(struct err *err);

/* ---- idmap.c ---- */
/* Puts the maps of the user namespace on an unattached mount. */
int idmap_apply(int mnt_fd, int userns_fd, bool rec);
/* A user namespace with a mount's own maps. */
int idmap_userns(const struct spec_mount *m, struct err *err);

/* ---- trees.c: what comes from the host ---- */
struct trees {
	int root_fd;	/* attached on '/' of the caller's namespace, which stays reachable */
	int *mount_fds; /* for each mount of the spec: its bind source, unattached, or -EBADF */
	size_t n;
};
int trees_open(const struct rootfs_plan *plan, int userns_fd, struct trees *ret, struct err *err);
void trees_done(struct trees *t);
/* trees-send.c: the other end of rootfs_send_trees; the root is unattached. */
int trees_receive(int sock, size_t n_mounts, struct trees *ret, struct err *err);

/* overlay.c: an overlay over @lower_fd with upper/@name and work/@name of the state directory. */
struct overlay_base {
	int dir_fd; /* the state directory in this namespace */
	int mnt_fd; /* it again, seen through the user namespace's maps; or -EBADF */
	int userns_fd;
	uid_t uid; /* with mnt_fd: who the namespace's root is on the host */
	gid_t gid;
	bool userxattr; /* mounted without the host's privileges */
};
int overlay_base_open(
	const struct rootfs_plan *plan, int userns_fd, struct overlay_base *ret, struct err *err);
void overlay_base_done(struct overlay_base *b);
int overlay_new(const struct overlay_base *b, int lower_fd, const char *name, unsigned int attr,
	struct err *err);

/* hostroot.c: the root and its submounts, attached as trees_open says. */
int hostroot_mount(const struct overlay_base *b, int *ret_root_fd, struct err *err);
/* The name of a mount point's upper directory. */
char *hostroot_upper_name(const char *mountpoint);

/* ---- mounts.c, cgroupfs.c, copyup.c, dev.c: inside the new root ---- */
int mounts_all(const struct rootfs_plan *plan, int root_fd, struct trees *trees, struct err *err);
int cgroupfs_mount(const struct rootfs_plan *plan, const struct mount_options *o, int target_fd,
	struct err *err);
/* Copies the content of a directory, with owners, modes and links, into another. */
int copyup(int from_fd, int to_fd);
int dev_setup(const struct rootfs_plan *plan, int root_fd, struct err *err);
int dev_console(int console_fd, struct err *err);
