/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that Debian 12's libc has no function for, with the man page's names. Each returns
 * the result ≥ 0 or -errno (not -1), and opens every fd O_CLOEXEC.
 */
#pragma once

#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mount_attr;

int sys_pidfd_open(pid_t pid, unsigned int flags);
int sys_pidfd_getfd(int pidfd, int fd);
int sys_pidfd_send_signal(int pidfd, int sig, const siginfo_t *info);
int sys_userfaultfd(int flags);
/* Frees the memory of a dying process beside its own exit; process_mrelease(2), Linux 5.15. */
int sys_process_mrelease(int pidfd);
/* clone3(2): 0 in the child, the pid in the parent. Only without CLONE_VM (the stack is copied). */
pid_t sys_clone3(const struct clone_args *args);
/* kcmp(2): 0 equal, 1 and 2 an order, 3 different without order. */
int sys_kcmp(pid_t a, pid_t b, int type, unsigned long ia, unsigned long ib);
int sys_openat2(int dirfd, const char *path, const struct open_how *how);
int sys_open_tree(int dirfd, const char *path, unsigned int flags);
int sys_move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags);
int sys_fsopen(const char *fstype);
/* fsconfig(2) of a string, a flag (value NULL) or the create command (key NULL). */
int sys_fsconfig_string(int fsfd, const char *key, const char *value);
int sys_fsconfig_fd(int fsfd, const char *key, int fd);
int sys_fsconfig_create(int fsfd);
int sys_fsmount(int fsfd, unsigned int attr);
int sys_mount_setattr(
	int dirfd, const char *path, unsigned int flags, struct mount_attr *attr, size_t size);
int sys_close_range(unsigned int first, unsigned int last, unsigned int flags);
int sys_pivot_root(const char *new_root, const char *put_old);
int sys_rt_sigqueueinfo(pid_t pid, int sig, const siginfo_t *info);
int sys_tgkill(pid_t tgid, pid_t tid, int sig);
int sys_keyctl(int op, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
struct sock_fprog;
/* seccomp(2) SET_MODE_FILTER; the notify fd, which is then O_CLOEXEC, or 0. */
int sys_seccomp_filter(unsigned int flags, const struct sock_fprog *prog);
/* The 64-bit sets of @pid (0: the caller), bit = capability number. capset is for the caller. */
int sys_capget(
	pid_t pid, uint64_t *ret_effective, uint64_t *ret_permitted, uint64_t *ret_inheritable);
int sys_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable);

struct kernel_sched_attr { /* struct sched_attr of linux/sched/types.h, first version */
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};
/* sched_setattr(2), which libc has no function for. */
int sys_sched_setattr(pid_t pid, const struct kernel_sched_attr *attr);
