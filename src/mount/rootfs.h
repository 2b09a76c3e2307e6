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
	ROOTFS_HOST,	/* overlays over the host's own mounts */
};

struct rootfs_plan {
	const struct spec *spec;
	enum rootfs_kind kind;
	int bundle_fd;	/* relative paths of the spec start here; -EBADF: none */
	int state_fd;	/* the container's directory: holds upper/ and work/ of the overlays */
	int console_fd; /* pty slave (or -EBADF) to bind at /dev/console */
	bool userns;	/* made inside a user namespace: device nodes are binds, no mknod */
};

/* Step 1, new mount namespace, host paths still visible: mounts all of it. Gives the root's fd. */
int rootfs_mount(const struct rootfs_plan *plan, int *ret_root_fd, struct err *err);
/* Step 2: pivot_root into it, the host's tree is detached, cwd is '/' of the new root, verified. */
int rootfs_enter(int root_fd, struct err *err);
/* Step 3: sysctls are set by then; read-only paths, masked paths, read-only root. */
int rootfs_finish(const struct rootfs_plan *plan, struct err *err);
