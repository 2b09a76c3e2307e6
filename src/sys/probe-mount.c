// SPDX-License-Identifier: Apache-2.0
/* Attempts at namespaces, mounts, and what else a container is made of. */
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "base/util.h"
#include "sys/probe-internal.h"
#include "sys/syscall.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#ifndef SYS_statmount
#define SYS_statmount 457 /* Linux 6.8, the same on all architectures */
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#define FILESYSTEMS_MAX (64u << 10)

static int unshare_all(void)
{
	return unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
		       CLONE_NEWCGROUP) < 0
		       ? -errno
		       : 0;
}

int probe_namespaces(void)
{
	return probe_in_child(unshare_all);
}

static int unshare_user(void)
{
	return unshare(CLONE_NEWUSER) < 0 ? -errno : 0;
}

int probe_user_ns(void)
{
	return probe_in_child(unshare_user);
}

static int unshare_time(void)
{
	return unshare(CLONE_NEWTIME) < 0 ? -errno : 0;
}

int probe_time_ns(void)
{
	return probe_in_child(unshare_time);
}

static int probe_filesystem(const char *name)
{
	autoclose int fd = sys_fsopen(name);
	autobuf struct buf b = {0};
	char line[64];
	int r;

	if (fd >= 0)
		return 0; /* which also loads the module */
	r = file_read_at(AT_FDCWD, "/proc/filesystems", &b, FILESYSTEMS_MAX);
	if (r < 0)
		return r;
	snprintf(line, sizeof(line), "\t%s\n", name);
	return strstr(buf_str(&b), line) ? 0 : -ENODEV;
}

int probe_overlay(void)
{
	return probe_filesystem("overlay");
}

int probe_fuse(void)
{
	return access("/dev/fuse", R_OK | W_OK) < 0 ? -errno : probe_filesystem("fuse");
}

int probe_fsopen(void)
{
	autoclose int fd = sys_open_tree(AT_FDCWD, "/", O_CLOEXEC);

	if (fd < 0)
		return fd;
	return syscall(SYS_fsopen, NULL, 0) < 0 && errno == ENOSYS ? -ENOSYS : 0;
}

int probe_idmapped_mount(void)
{
	struct mount_attr attr = {0};

	return sys_mount_setattr(-EBADF, "", 0, &attr, sizeof(attr)) == -ENOSYS ? -ENOSYS : 0;
}

int probe_statmount(void)
{
	return syscall(SYS_statmount, NULL, NULL, 0, 0) < 0 && errno == ENOSYS ? -ENOSYS : 0;
}

int probe_ipc_next_id(void)
{
	return access("/proc/sys/kernel/shm_next_id", F_OK) < 0 ? -errno : 0;
}

int probe_keyring(void)
{
	int r = sys_keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0);

	return r == -ENOSYS || r == -EPERM ? r : 0; /* ENOKEY: there is none yet */
}

int probe_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 0
		       ? -errno
		       : 0;
}
