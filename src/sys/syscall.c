// SPDX-License-Identifier: Apache-2.0
/* See syscall.h. */
#include "sys/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
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

int sys_userfaultfd(int flags)
{
	return ret(syscall(SYS_userfaultfd, flags | O_CLOEXEC));
}

int sys_process_mrelease(int pidfd)
{
	return ret(syscall(SYS_process_mrelease, pidfd, 0));
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

int sys_keyctl(int op, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	return ret(syscall(SYS_keyctl, op, a, b, c, d));
}

int sys_seccomp_filter(unsigned int flags, const struct sock_fprog *prog)
{
	return ret(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, prog));
}

static uint64_t halves(uint32_t low, uint32_t high)
{
	return (uint64_t)high << 32 | low;
}

int sys_capget(
	pid_t pid, uint64_t *ret_effective, uint64_t *ret_permitted, uint64_t *ret_inheritable)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, pid};
	struct __user_cap_data_struct d[2];
	int r = ret(syscall(SYS_capget, &header, d));

	if (r < 0)
		return r;
	*ret_effective = halves(d[0].effective, d[1].effective);
	*ret_permitted = halves(d[0].permitted, d[1].permitted);
	*ret_inheritable = halves(d[0].inheritable, d[1].inheritable);
	return 0;
}

int sys_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	const struct __user_cap_data_struct d[2] = {
		{(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
		{effective >> 32, permitted >> 32, inheritable >> 32},
	};

	return ret(syscall(SYS_capset, &header, d));
}

int sys_sched_setattr(pid_t pid, const struct kernel_sched_attr *attr)
{
	return syscall(SYS_sched_setattr, pid, attr, 0) < 0 ? -errno : 0;
}
