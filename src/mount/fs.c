// SPDX-License-Identifier: Apache-2.0
/* Mounts that exist before they are anywhere: made, flagged, then attached by fd. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

#include "base/util.h"
#include "mount/mount-internal.h"
#include "sys/syscall.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* The kernel's own words about a failure, if it has any: "e tmpfs: Bad value for 'size'". */
static int fs_fail(int fs, int code, const char *type, struct err *err)
{
	char text[256];
	ssize_t n = read(fs, text, sizeof(text) - 1);

	if (n > 2) {
		text[n] = '\0';
		text[strcspn(text, "\n")] = '\0';
		return err_set(err, code, "cannot mount a new '%s' (%s)", type, text + 2);
	}
	return err_set(err, code, "cannot mount a new '%s'", type);
}

static int configure(int fs, const char *type, char *const *data, struct err *err)
{
	char key[64];
	int r = 0;

	for (; data && *data && r == 0; data++) {
		size_t n = strcspn(*data, "=");

		if (n >= sizeof(key))
			return err_setx(err, -EINVAL, "'%s' is no option of '%s'", *data, type);
		memcpy(key, *data, n);
		key[n] = '\0';
		r = sys_fsconfig_string(fs, key, (*data)[n] ? *data + n + 1 : NULL);
		if (r < 0) {
			r = fs_fail(fs, r, type, err);
			err_wrap(err, "option '%s'", *data);
		}
	}
	return r;
}

int fs_new(
	const char *type, const char *source, char *const *data, unsigned int attr, struct err *err)
{
	autoclose int fs = sys_fsopen(type);
	int fd, r;

	if (fs < 0) {
		err_set(err, fs, "cannot mount a new '%s'", type);
		if (fs == -ENODEV)
			err_hint(err, "this kernel has no file system '%s'; is its module there?",
				type);
		return fs;
	}
	if (source) {
		r = sys_fsconfig_string(fs, "source", source);
		if (r < 0)
			return fs_fail(fs, r, type, err);
	}
	r = configure(fs, type, data, err);
	if (r < 0)
		return r;
	r = sys_fsconfig_create(fs);
	if (r < 0)
		return fs_fail(fs, r, type, err);
	fd = sys_fsmount(fs, attr);
	if (fd < 0)
		return fs_fail(fs, fd, type, err);
	return fd;
}

int fs_attach(int mnt_fd, int target_fd)
{
	return sys_move_mount(
		mnt_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int fs_clone(int dirfd, const char *path, unsigned int flags)
{
	return sys_open_tree(dirfd, path, OPEN_TREE_CLONE | flags);
}

static int set_attr(int mnt_fd, struct mount_attr *attr, bool rec)
{
	return sys_mount_setattr(
		mnt_fd, "", AT_EMPTY_PATH | (rec ? AT_RECURSIVE : 0), attr, sizeof(*attr));
}

int fs_set_propagation(int mnt_fd, uint64_t propagation, bool rec)
{
	struct mount_attr attr = {.propagation = propagation};

	return set_attr(mnt_fd, &attr, rec);
}

int fs_set_attr(int mnt_fd, uint64_t set, uint64_t clr, bool rec)
{
	struct mount_attr attr = {.attr_set = set, .attr_clr = clr};

	return set_attr(mnt_fd, &attr, rec);
}

int fs_isolate(struct err *err)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(err, -errno, "cannot make the mounts private");
	return 0;
}
