// SPDX-License-Identifier: Apache-2.0
/* See syscall.h. */
#include "sys/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static long ret(long r)
{
	return r < 0 ? -errno : r;
}

int sys_pidfd_open(pid_t pid, unsigned int flags)
{
	return ret(syscall(SYS_pidfd_open, pid, flags));
}

int sys_pidfd_getfd(int pidfd, int fd)
{
	return ret(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
}

int sys_pidfd_send_signal(int pidfd, int sig, const siginfo_t *info)
{
	return ret(syscall(SYS_pidfd_send_signal, pidfd, sig, info, 0));
}

pid_t sys_clone3(const struct clone_args *args)
{
	return ret(syscall(SYS_clone3, args, sizeof(*args)));
}

int sys_kcmp(pid_t a, pid_t b, int type, unsigned long ia, unsigned long ib)
{
	return ret(syscall(SYS_kcmp, a, b, type, ia, ib));
}

int sys_openat2(int dirfd, const char *path, const struct open_how *how)
{
	return ret(syscall(SYS_openat2, dirfd, path, how, sizeof(*how)));
}

int sys_open_tree(int dirfd, const char *path, unsigned int flags)
{
	return ret(syscall(SYS_open_tree, dirfd, path, flags | OPEN_TREE_CLOEXEC));
}

int sys_move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)
{
	return ret(syscall(SYS_move_mount, from_fd, from, to_fd, to, flags));
}

int sys_fsopen(const char *fstype)
{
	return ret(syscall(SYS_fsopen, fstype, FSOPEN_CLOEXEC));
}

int sys_fsconfig_string(int fsfd, const char *key, const char *value)
{
	return ret(syscall(SYS_fsconfig, fsfd, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key,
		value, 0));
}

int sys_fsconfig_fd(int fsfd, const char *key, int fd)
{
	return ret(syscall(SYS_fsconfig, fsfd, FSCONFIG_SET_FD, key, NULL, fd));
}

int sys_fsconfig_create(int fsfd)
{
	return ret(syscall(SYS_fsconfig, fsfd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
}

int sys_fsmount(int fsfd, unsigned int attr)
{
	return ret(syscall(SYS_fsmount, fsfd, FSMOUNT_CLOEXEC, attr));
}

int sys_mount_setattr(
	int dirfd, const char *path, unsigned int flags, struct mount_attr *attr, size_t size)
{
	return ret(syscall(SYS_mount_setattr, dirfd, path, flags, attr, size));
}

int sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	return ret(syscall(SYS_close_range, first, last, flags));
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
	return ret(syscall(SYS_pivot_root, new_root, put_old));
}

int sys_rt_sigqueueinfo(pid_t pid, int sig, const siginfo_t *info)
{
	return ret(syscall(SYS_rt_sigqueueinfo, pid, sig, info));
}

int sys_tgkill(pid_t tgid, pid_t tid, int sig)
{
	return ret(syscall(SYS_tgkill, tgid, tid, sig));
}
