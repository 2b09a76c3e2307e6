// SPDX-License-Identifier: Apache-2.0
/* Attempts at what concerns processes. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/util.h"
#include "sys/probe-internal.h"
#include "sys/syscall.h"

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ull
#endif
#define PTRACE_RSEQ_CONFIGURATION 0x420f
#ifndef PR_TIMER_CREATE_RESTORE_IDS
#define PR_TIMER_CREATE_RESTORE_IDS 77 /* Linux 6.15 */
#endif
#define TIMER_RESTORE_IDS_GET 2

int probe_clone3(void)
{
	/* too small a size is refused with EINVAL, by a kernel that knows the call */
	return syscall(SYS_clone3, NULL, 1) < 0 && errno == EINVAL ? 0 : -ENOSYS;
}

int probe_clone_into_cgroup(void)
{
	autoclose int fd = open("/", O_PATH | O_CLOEXEC);
	const struct clone_args args = {
		.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = fd};
	pid_t r = sys_clone3(&args);

	if (r == 0)
		_exit(0);
	return r == -EBADF ? 0 : -EINVAL; /* "/" is no cgroup, says one that looked */
}

int probe_set_tid(void)
{
	pid_t mine = getpid();
	const struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&mine, .set_tid_size = 1};
	pid_t r = sys_clone3(&args);

	if (r == 0)
		_exit(0);
	return r == -EEXIST ? 0 : r < 0 ? r : -EINVAL; /* our own pid is taken */
}

int probe_pidfd_getfd(void)
{
	autoclose int self = sys_pidfd_open(getpid(), 0), file = -EBADF, fd = -EBADF;

	if (self < 0)
		return self;
	file = open("/", O_PATH | O_CLOEXEC);
	fd = sys_pidfd_getfd(self, file);
	return fd < 0 ? fd : 0;
}

int probe_kcmp(void)
{
	int r = sys_kcmp(getpid(), getpid(), KCMP_VM, 0, 0);

	return r < 0 ? r : 0;
}

/* A child that waits, seized and stopped, for one request of ptrace(2). */
static int with_tracee(int (*request)(pid_t pid))
{
	int r = 0, status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* the parent kills it anyhow */
		for (;;)
			pause();
	}
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ||
		ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		r = -errno;
	if (r == 0 && waitpid(pid, &status, 0) != pid)
		r = -errno;
	if (r == 0)
		r = request(pid);
	(void)kill(pid, SIGKILL); /* it is our child: there until we wait */
	(void)waitpid(pid, &status, 0);
	return r;
}

static int rseq_request(pid_t pid)
{
	unsigned char conf[64];

	return ptrace(PTRACE_RSEQ_CONFIGURATION, pid, sizeof(conf), conf) < 0 ? -errno : 0;
}

int probe_ptrace_rseq(void)
{
	return with_tracee(rseq_request);
}

static int filter_request(pid_t pid)
{
	/* EINVAL: it is not in filter mode; ENOENT: no such filter. Both come from the feature. */
	if (ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 1000, NULL) >= 0)
		return 0;
	return errno == EINVAL || errno == ENOENT ? 0 : -errno;
}

int probe_seccomp_read(void)
{
	return with_tracee(filter_request);
}

int probe_seccomp_notify(void)
{
	uint32_t action = SECCOMP_RET_USER_NOTIF;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0 ? -errno : 0;
}

int probe_timer_ids(void)
{
	return prctl(PR_TIMER_CREATE_RESTORE_IDS, TIMER_RESTORE_IDS_GET, 0, 0, 0) < 0 ? -errno : 0;
}

int probe_proc_children(void)
{
	return access("/proc/thread-self/children", R_OK) < 0 ? -errno : 0;
}

int probe_sys_resource(void)
{
	uint64_t effective, permitted, inheritable;
	int r = sys_capget(0, &effective, &permitted, &inheritable);

	if (r < 0)
		return r;
	return effective >> CAP_SYS_RESOURCE & 1 ? 0 : -EPERM;
}
