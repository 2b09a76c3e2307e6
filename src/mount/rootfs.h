/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's file system tree, built by the container's first process in its new mount
 * namespace: root (a directory, an overlay over it, or an overlay over every file system of the
 * host), the mounts of the spec, /dev, masks. mount_namespaces(7), overlayfs.rst. Every path inside
 * the rootfs is walked by fd (openat2, RESOLVE_IN_ROOT): the rootfs is hostile.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "spec/spec.h"

enum rootfs_kind {
	ROOTFS_BIND,	/* spec->root_path itself, written through */
	ROOTFS_OVERLAY, /* a throw-away (or kept) overlay over spec->root_path */
	ROOTFS_HOST,	/* overlays over the host's own mounts; with own /tmp and /run */
};

/*
 * What the container changed lies below state_fd as upper/NAME (and work/NAME), where NAME is
 * "root" for an overlay's root, else the mount point with '-' for '/' ("-home", and "\\x2d" for '-'
 * and other odd bytes). A later rootfs_mount of the same plan goes on with what is there.
 */
struct rootfs_plan {
	const struct spec *spec;
	enum rootfs_kind kind;
	int bundle_fd;	/* relative paths of the spec start here; -EBADF: none */
	int state_fd;	/* the container's directory: holds upper/ and work/ of the overlays */
	int console_fd; /* for rootfs_finish: slave of a pty of the container's own devpts (opened
			   after rootfs_enter) to bind at /dev/console, or -EBADF */
	bool foreign;	/* the mount namespace is shared with others, who must not see our mounts:
			   they stay unattached (from Linux 6.15 on) and are entered by chroot(2) */
	bool userns;	/* made inside a user namespace: device nodes are binds, no mknod */
	bool idmap;	/* with userns: owners in the rootfs are shifted into it, so that root's
			   files are root's inside; OCI runtimes show them as they are (false) */
	int trees_fd;	/* with userns: a unix socket whose other end rootfs_send_trees has, so that
			   host paths need not be reachable by the namespace's root; else -EBADF */
};

/*
 * Step 0, only with a user namespace: in a process with the host's mounts and privileges, once
 * @userns_fd (/proc/PID/ns/user) has its id maps. Opens what only the host's root may: the root
 * (overlays, idmapped), bind sources. Sends it through @sock (SOCK_SEQPACKET); failures go there
 * too, and are reported by rootfs_mount. Forks a short-lived process and waits for it.
 */
int rootfs_send_trees(const struct rootfs_plan *plan, int userns_fd, int sock, struct err *err);
/* Step 1, new mount namespace, host paths still visible: mounts all of it. Gives the root's fd. */
int rootfs_mount(const struct rootfs_plan *plan, int *ret_root_fd, struct err *err);
/* Step 2: pivot_root into it, the host's tree is detached, cwd is '/' of the new root, verified. */
int rootfs_enter(const struct rootfs_plan *plan, int root_fd, struct err *err);
/*
 * In between: the directory @path of the root, made with its parents where it is not there yet; an
 * fd of it or -errno.
 */
int rootfs_make_dir(int root_fd, const char *path);
/* Step 3: sysctls are set by then; console, read-only paths, masked paths, read-only root. */
int rootfs_finish(const struct rootfs_plan *plan, struct err *err);
