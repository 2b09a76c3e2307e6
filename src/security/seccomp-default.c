// SPDX-License-Identifier: Apache-2.0
/*
 * The filter of a container that asks for none. It decides as podman's default profile does: calls
 * that need no privilege of the host are let through, dangerous ones fail with EPERM unless the
 * container has the capability for them, all others with ENOSYS, so that programs fall back to what
 * they did before the call existed.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/util.h"
#include "security/security.h"

/* clang-format off: lists of words, not code */
static const char always[] =
	"_llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset "
	"chdir chmod chown chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 "
	"clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 clone clone3 close "
	"close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 "
	"epoll_ctl "
	"epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve "
	"execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate "
	"fanotify_mark "
	"fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync "
	"fgetxattr "
	"file_getattr file_setattr flistxattr flock fork fremovexattr fsconfig fsetxattr fsmount "
	"fsopen fspick fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex "
	"futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat get_mempolicy "
	"get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 "
	"geteuid "
	"geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp "
	"getpid "
	"getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit "
	"getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr "
	"getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel "
	"io_destroy io_getevents io_setup io_submit ioctl ioprio_get ioprio_set ipc keyctl kill "
	"landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 "
	"lgetxattr "
	"link linkat listen listmount listxattr listxattrat llistxattr lremovexattr lseek "
	"lsetxattr "
	"lsm_get_self_attr lsm_list_modules lsm_set_self_attr lstat lstat64 madvise "
	"map_shadow_stack "
	"mbind membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock "
	"mlock2 "
	"mlockall mmap mmap2 mount mount_setattr move_mount mprotect mq_getsetattr mq_notify "
	"mq_open "
	"mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap "
	"mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at "
	"nanosleep newfstatat open open_tree open_tree_attr openat openat2 pause pidfd_getfd "
	"pidfd_open pidfd_send_signal pipe pipe2 pivot_root pkey_alloc pkey_free pkey_mprotect "
	"poll "
	"ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease "
	"process_vm_readv "
	"process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2 read "
	"readahead "
	"readdir readlink readlinkat readv reboot recv recvfrom recvmmsg recvmmsg_time64 recvmsg "
	"remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall "
	"riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
	"rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo "
	"sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr "
	"sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 "
	"sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp "
	"select "
	"semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg "
	"sendmsg "
	"sendto set_mempolicy set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 "
	"setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setns setpgid "
	"setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
	"setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl "
	"shmdt shmget shutdown sigaction sigaltstack signal signalfd signalfd4 sigpending "
	"sigprocmask "
	"sigreturn sigsuspend socketcall socketpair splice stat stat64 statfs statfs64 statmount "
	"statx symlink symlinkat sync sync_file_range syncfs syscall sysinfo syslog tee tgkill "
	"time "
	"timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime "
	"timer_settime64 timerfd timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime "
	"timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask umount umount2 uname "
	"unlink unlinkat unshare uretprobe utime utimensat utimensat_time64 utimes vfork wait4 "
	"waitid "
	"waitpid write writev "
	/* of one architecture; libseccomp leaves them out on the others */
	"arch_prctl arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush modify_ldt "
	"s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr set_tls sync_file_range2";

static const char never[] =
	"bdflush io_pgetevents io_uring_enter io_uring_register io_uring_setup kexec_file_load "
	"kexec_load migrate_pages move_pages nfsservctl nice oldfstat oldlstat oldolduname oldstat "
	"olduname pciconfig_iobase pciconfig_read pciconfig_write sgetmask ssetmask swapcontext "
	"swapoff swapon sysfs uselib userfaultfd ustat vm86 vm86old vmsplice";

static const struct {
	int cap;
	const char *calls;
} with_cap[] = {
	{CAP_DAC_READ_SEARCH, "open_by_handle_at"},
	{CAP_SYS_ADMIN, "bpf fanotify_init lookup_dcookie perf_event_open quotactl quotactl_fd "
			"setdomainname sethostname"},
	{CAP_SYS_CHROOT, "chroot"},
	{CAP_SYS_MODULE, "delete_module finit_module init_module query_module"},
	{CAP_SYS_PACCT, "acct"},
	{CAP_SYS_PTRACE, "kcmp process_madvise"},
	{CAP_SYS_RAWIO, "ioperm iopl"},
	{CAP_SYS_TIME, "clock_settime clock_settime64 settimeofday stime"},
	{CAP_SYS_TTY_CONFIG, "vhangup"},
};
/* clang-format on */

/* PER_LINUX, PER_LINUX32, both with UNAME26, and the question for the present one */
static const uint64_t personalities[] = {0, 8, 0x20000, 0x20008, 0xffffffff};

static const char *const archs[] = {
#if defined(__x86_64__)
	"SCMP_ARCH_X86_64",
	"SCMP_ARCH_X86",
	"SCMP_ARCH_X32",
#elif defined(__aarch64__)
	"SCMP_ARCH_AARCH64",
	"SCMP_ARCH_ARM",
#endif
};

/* One more rule, for the words of @calls; -ENOMEM leaves a list that seccomp_default drops. */
static int add_rule(struct spec_seccomp *sc, size_t *cap, const char *calls, const char *action,
	int64_t errno_ret, size_t n_args)
{
	struct spec_seccomp_rule *rule;
	const char *p, *end;

	if (array_reserve(&sc->rules, cap, sc->n_rules + 1, sizeof(*sc->rules)) < 0)
		return -ENOMEM;
	rule = &sc->rules[sc->n_rules++];
	rule->errno_ret = errno_ret;
	rule->action = strdup(action);
	rule->args = n_args ? calloc(n_args, sizeof(*rule->args)) : NULL;
	if (!rule->action || (n_args && !rule->args))
		return -ENOMEM;
	rule->n_args = n_args;
	rule->names = calloc(strlen(calls) / 2 + 2, sizeof(*rule->names));
	if (!rule->names)
		return -ENOMEM;
	for (p = calls; *p; p = end + strspn(end, " ")) {
		size_t n = strv_len(rule->names);

		end = p + strcspn(p, " ");
		rule->names[n] = strndup(p, (size_t)(end - p));
		if (!rule->names[n])
			return -ENOMEM;
	}
	return 0;
}

static int set_arg(
	struct spec_seccomp *sc, size_t i, uint32_t index, uint64_t value, const char *op)
{
	struct spec_seccomp_arg *a = &sc->rules[sc->n_rules - 1].args[i];

	a->index = index;
	a->value = value;
	a->op = strdup(op);
	return a->op ? 0 : -ENOMEM;
}

static int add_one_arg(struct spec_seccomp *sc, size_t *cap, const char *call, uint32_t index,
	uint64_t value, const char *op)
{
	int r = add_rule(sc, cap, call, "SCMP_ACT_ALLOW", SPEC_UNSET, 1);

	return r < 0 ? r : set_arg(sc, 0, index, value, op);
}

/* Audit messages need CAP_AUDIT_WRITE; EINVAL makes login programs go on without them. */
static int add_socket(struct spec_seccomp *sc, size_t *cap, bool audit)
{
	int r;

	if (audit)
		return add_rule(sc, cap, "socket", "SCMP_ACT_ALLOW", SPEC_UNSET, 0);
	r = add_rule(sc, cap, "socket", "SCMP_ACT_ERRNO", EINVAL, 2);
	if (r == 0)
		r = set_arg(sc, 0, 0, AF_NETLINK, "SCMP_CMP_EQ");
	if (r == 0)
		r = set_arg(sc, 1, 2, NETLINK_AUDIT, "SCMP_CMP_EQ");
	if (r == 0)
		r = add_one_arg(sc, cap, "socket", 2, NETLINK_AUDIT, "SCMP_CMP_NE");
	return r < 0 ? r : add_one_arg(sc, cap, "socket", 0, AF_NETLINK, "SCMP_CMP_NE");
}

static int fill(struct spec_seccomp *sc, uint64_t caps)
{
	size_t cap = 0, i;
	int r = 0;

	sc->set = true;
	sc->default_errno = ENOSYS;
	sc->default_action = strdup("SCMP_ACT_ERRNO");
	if (!sc->default_action)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(archs) && r == 0; i++)
		r = strv_push(&sc->architectures, archs[i]);
	if (r == 0)
		r = add_rule(sc, &cap, always, "SCMP_ACT_ALLOW", SPEC_UNSET, 0);
	if (r == 0)
		r = add_rule(sc, &cap, never, "SCMP_ACT_ERRNO", EPERM, 0);
	for (i = 0; i < ARRAY_SIZE(with_cap) && r == 0; i++) {
		bool has = caps >> with_cap[i].cap & 1;

		r = add_rule(sc, &cap, with_cap[i].calls, has ? "SCMP_ACT_ALLOW" : "SCMP_ACT_ERRNO",
			has ? SPEC_UNSET : EPERM, 0);
	}
	for (i = 0; i < ARRAY_SIZE(personalities) && r == 0; i++)
		r = add_one_arg(sc, &cap, "personality", 0, personalities[i], "SCMP_CMP_EQ");
	return r < 0 ? r : add_socket(sc, &cap, caps >> CAP_AUDIT_WRITE & 1);
}

int seccomp_default(uint64_t caps, struct spec_seccomp *ret, struct err *err)
{
	struct spec_seccomp sc = {0};

	if (fill(&sc, caps) < 0) {
		spec_seccomp_done(&sc);
		return err_oom(err);
	}
	spec_seccomp_done(ret);
	*ret = sc;
	return 0;
}
