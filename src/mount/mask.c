// SPDX-License-Identifier: Apache-2.0
/* The last touches, inside the new root: what may not be seen, and what may not be written. */
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/util.h"
#include "mount/mount-internal.h"
#include "sys/mountinfo.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

#define MOUNTINFO_MAX ((size_t)64 << 20)

/* The real null device, or an error: a rootfs may have anything at /dev/null. */
static int open_null(int root_fd, struct err *err)
{
	autoclose int fd = walk_open(root_fd, "dev/null", O_PATH | O_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return err_set(err, fd, "cannot open '/dev/null' of the container");
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return err_setx(
			err, -ENODEV, "'/dev/null' of the container is not the null device");
	return TAKE_FD(fd);
}

static int mask(int root_fd, const char *path, struct err *err)
{
	autoclose int at = walk_open(root_fd, path, O_PATH), null = -EBADF, mnt = -EBADF;
	char *data[] = {(char *)"size=4k", (char *)"nr_inodes=2", (char *)"mode=755", NULL};
	struct stat st;
	int r;

	if (at == -ENOENT || at == -ENOTDIR)
		return 0;
	if (at < 0 || fstat(at, &st) < 0)
		return err_set(err, at < 0 ? at : -errno, "cannot open '%s' to mask it", path);
	if (S_ISDIR(st.st_mode)) {
		mnt = fs_new("tmpfs", "tmpfs", data,
			MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				MOUNT_ATTR_NOEXEC,
			err);
		if (mnt < 0)
			return mnt;
	} else {
		null = open_null(root_fd, err);
		if (null < 0)
			return null;
		mnt = fs_clone(null, "", AT_EMPTY_PATH);
	}
	r = mnt < 0 ? mnt : fs_attach(mnt, at);
	return r < 0 ? err_set(err, r, "cannot mask '%s'", path) : 0;
}

static int make_read_only(int root_fd, const char *path, struct err *err)
{
	autoclose int at = walk_open(root_fd, path, O_PATH), mnt = -EBADF;
	int r;

	if (at == -ENOENT || at == -ENOTDIR)
		return 0;
	if (at < 0)
		return err_set(err, at, "cannot open '%s' to make it read-only", path);
	mnt = fs_clone(at, "", AT_EMPTY_PATH | AT_RECURSIVE);
	r = mnt < 0 ? mnt : fs_set_attr(mnt, MOUNT_ATTR_RDONLY, 0, true);
	if (r == 0)
		r = fs_attach(mnt, at);
	return r < 0 ? err_set(err, r, "cannot make '%s' read-only", path) : 0;
}

/* All parts of a root that overlays the host's file systems. */
static int host_parts_read_only(int root_fd, struct err *err)
{
	autobuf struct buf text = {0};
	struct mountinfo m;
	char *p;
	int r = file_read_at(root_fd, "proc/self/mountinfo", &text, MOUNTINFO_MAX);

	if (r < 0)
		return err_set(err, r, "cannot read '/proc/self/mountinfo' inside");
	for (p = text.data; p && (r = mountinfo_next(&p, &m)) > 0;) {
		autoclose int fd = -EBADF;

		if (strcmp(m.fstype, "overlay") != 0)
			continue;
		fd = walk_open(root_fd, m.mountpoint, O_PATH);
		r = fd < 0 ? fd : fs_set_attr(fd, MOUNT_ATTR_RDONLY, 0, false);
		if (r < 0)
			return err_set(err, r, "cannot make '%s' read-only", m.mountpoint);
	}
	return r < 0 ? err_setx(err, r, "'/proc/self/mountinfo' is not understood") : 0;
}

static int root_read_only(const struct rootfs_plan *plan, int root_fd, struct err *err)
{
	int r;

	if (plan->kind == ROOTFS_HOST)
		return host_parts_read_only(root_fd, err);
	r = fs_set_attr(root_fd, MOUNT_ATTR_RDONLY, 0, false);
	return r < 0 ? err_set(err, r, "cannot make the root read-only") : 0;
}

int rootfs_finish(const struct rootfs_plan *plan, struct err *err)
{
	const struct spec_linux *l = &plan->spec->linux_;
	autoclose int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t propagation = MS_PRIVATE;
	bool rec = false;
	char **path;
	int r = 0;

	if (root < 0)
		return err_set(err, -errno, "cannot open '/'");
	if (plan->console_fd >= 0)
		r = dev_console(plan->console_fd, err);
	for (path = l->readonly_paths; path && *path && r == 0; path++)
		r = make_read_only(root, *path, err);
	for (path = l->masked_paths; path && *path && r == 0; path++)
		r = mask(root, *path, err);
	if (r == 0 && plan->spec->root_readonly)
		r = root_read_only(plan, root, err);
	if (r < 0)
		return r;
	if (l->rootfs_propagation &&
		propagation_parse(l->rootfs_propagation, &propagation, &rec) < 0)
		return err_setx(
			err, -EINVAL, "'%s' is no propagation of mounts", l->rootfs_propagation);
	r = fs_set_propagation(root, propagation, rec);
	return r < 0 ? err_set(err, r, "cannot set the propagation of the root") : 0;
}
