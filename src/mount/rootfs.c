// SPDX-License-Identifier: Apache-2.0
/* The steps of a root: mount it over the host's '/', where nobody sees it, then move into it. */
#include "mount/rootfs.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/util.h"
#include "mount/mount-internal.h"
#include "sys/syscall.h"

/* The root came from rootfs_send_trees and is not attached yet. */
static int receive(const struct rootfs_plan *plan, struct trees *ret, struct err *err)
{
	autoclose int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct trees t;
	int r = slash < 0 ? err_set(err, -errno, "cannot open '/'") : 0;

	if (r == 0)
		r = trees_receive(plan->trees_fd, plan->spec->n_mounts, &t, err);
	if (r < 0)
		return r;
	r = plan->foreign ? 0 : fs_isolate(err);
	if (r == 0 && !plan->foreign) {
		r = fs_attach(t.root_fd, slash);
		if (r < 0)
			err_set(err, r, "cannot attach the container's root");
	}
	if (r < 0)
		trees_done(&t);
	else
		*ret = t;
	return r;
}

int rootfs_mount(const struct rootfs_plan *plan, int *ret_root_fd, struct err *err)
{
	struct trees trees;
	mode_t mask;
	int r;

	mask = umask(0);
	r = plan->userns && plan->trees_fd >= 0 ? receive(plan, &trees, err)
						: trees_open(plan, -EBADF, &trees, err);
	if (r == 0) {
		r = mounts_all(plan, trees.root_fd, &trees, err);
		if (r == -EINVAL && plan->foreign)
			err_hint(err, "without a mount namespace of its own, a container needs "
				      "Linux 6.15: its mounts must not be seen by others");
		if (r == 0)
			*ret_root_fd = TAKE_FD(trees.root_fd);
		trees_done(&trees);
	}
	(void)umask(mask);
	return r;
}

/* A process whose '/' or cwd is not what it thinks could reach the host's files. */
static int verify(int root_fd, struct err *err)
{
	struct stat want, root, cwd, up;
	char path[8];

	if (fstat(root_fd, &want) < 0 || stat("/", &root) < 0 || stat(".", &cwd) < 0 ||
		stat("..", &up) < 0)
		return err_set(err, -errno, "cannot look at the new root");
	if (want.st_dev != root.st_dev || want.st_ino != root.st_ino || want.st_dev != cwd.st_dev ||
		want.st_ino != cwd.st_ino || want.st_dev != up.st_dev || want.st_ino != up.st_ino)
		return err_setx(err, -EXDEV, "the new root is not where it should be");
	if (!getcwd(path, sizeof(path)) || strcmp(path, "/") != 0)
		return err_setx(err, -EXDEV, "the working directory is outside of the new root");
	return 0;
}

int rootfs_enter(const struct rootfs_plan *plan, int root_fd, struct err *err)
{
	autoclose int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (old < 0)
		return err_set(err, -errno, "cannot open '/'");
	if (fchdir(root_fd) < 0)
		return err_set(err, -errno, "cannot enter the new root");
	if (plan->foreign) {
		if (chroot(".") < 0 || chdir("/") < 0)
			return err_set(err, -errno, "cannot enter the new root");
		return verify(root_fd, err);
	}
	r = sys_pivot_root(".", ".");
	if (r < 0) {
		err_set(err, r, "cannot change to the new root");
		if (r == -EINVAL)
			err_hint(err, "pivot_root(2) does not work on an initramfs: switch to a "
				      "real root first (switch_root)");
		return r;
	}
	/* the old root lies over the new one now; private, so that only our copy of it goes */
	if (fchdir(old) < 0 || mount(NULL, ".", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		umount2(".", MNT_DETACH) < 0)
		return err_set(err, -errno, "cannot let the host's files go");
	if (fchdir(root_fd) < 0 || chdir("/") < 0)
		return err_set(err, -errno, "cannot enter the new root");
	return verify(root_fd, err);
}

int rootfs_make_dir(int root_fd, const char *path)
{
	return walk_mkdir(root_fd, path);
}
