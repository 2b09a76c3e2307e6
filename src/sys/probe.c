// SPDX-License-Identifier: Apache-2.0
/* See probe.h: the table, and the cache of its results. */
#include "sys/probe.h"

#include <sys/wait.h>

#include "base/util.h"
#include "sys/probe-internal.h"

int probe_in_child(int (*func)(void))
{
	int status, r;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		r = func();
		_exit(r < 0 && r > -256 ? -r : 0);
	}
	do
		r = waitpid(pid, &status, 0);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

#define NEW_KERNEL "a newer kernel has it"
#define CONFIG(x)  "build the kernel with " x

static const struct probe probes[PROBE_COUNT] = {
	[PROBE_CLONE3] = {"processes", "clone3", "5.3", true, "no container starts", NEW_KERNEL,
		probe_clone3},
	[PROBE_CLONE_INTO_CGROUP] = {"processes", "clone into a cgroup", "5.7", false,
		"a start takes some milliseconds more", NEW_KERNEL, probe_clone_into_cgroup},
	[PROBE_SET_TID] = {"processes", "chosen pids (clone3 set_tid)", "5.5", true,
		"no restore: a process can't get its pid back",
		"run as root, or with CAP_CHECKPOINT_RESTORE (Linux 5.9)", probe_set_tid},
	[PROBE_PIDFD_GETFD] = {"processes", "pidfd_getfd", "5.6", true,
		"no checkpoint: open files can't be looked at", NEW_KERNEL, probe_pidfd_getfd},
	[PROBE_KCMP] = {"processes", "kcmp", "3.5", true,
		"no checkpoint: shared open files can't be told apart", CONFIG("CONFIG_KCMP"),
		probe_kcmp},
	[PROBE_PTRACE_RSEQ] = {"processes", "rseq seen by ptrace", "5.13", false,
		"programs of libc 2.35 and later lose their rseq registration in a checkpoint",
		NEW_KERNEL, probe_ptrace_rseq},
	[PROBE_SECCOMP_READ] = {"processes", "seccomp filters read by ptrace", "4.4", false,
		"no checkpoint of processes with a seccomp filter",
		CONFIG("CONFIG_CHECKPOINT_RESTORE"), probe_seccomp_read},
	[PROBE_SECCOMP_NOTIFY] = {"processes", "seccomp notification", "5.0", false,
		"no broker for system calls of containers", NEW_KERNEL, probe_seccomp_notify},
	[PROBE_TIMER_IDS] = {"processes", "chosen ids of POSIX timers", "6.15", false,
		"a restore makes and deletes timers until an id comes round: slow for high ids",
		NEW_KERNEL, probe_timer_ids},
	[PROBE_PROC_CHILDREN] = {"processes", "/proc/PID/task/TID/children", "3.5", true,
		"no checkpoint of process trees", CONFIG("CONFIG_PROC_CHILDREN"),
		probe_proc_children},
	[PROBE_SYS_RESOURCE] = {"processes", "CAP_SYS_RESOURCE", NULL, false,
		"hard limits can't be raised and oom_score_adj can't go down, so an image whose "
		"processes have higher limits than the caller is not restored",
		"give the caller the capability", probe_sys_resource},

	[PROBE_PROCESS_VM] = {"memory", "process_vm_readv", "3.2", true, "no checkpoint",
		CONFIG("CONFIG_CROSS_MEMORY_ATTACH"), probe_process_vm},
	[PROBE_SET_MM_MAP] = {"memory", "PR_SET_MM_MAP", "3.18", true,
		"no restore: the places of heap, stack and arguments can't be set",
		CONFIG("CONFIG_CHECKPOINT_RESTORE"), probe_set_mm_map},
	[PROBE_PAGEMAP_SCAN] = {"memory", "PAGEMAP_SCAN", "6.7", false,
		"page tables are read entry by entry: slow for large sparse memory", NEW_KERNEL,
		probe_pagemap_scan},
	[PROBE_GUARD_PAGES] = {"memory", "guard pages (MADV_GUARD_INSTALL)", "6.13", false,
		"an image of a process with guard pages can't be restored here", NEW_KERNEL,
		probe_guard_pages},
	[PROBE_USERFAULTFD] = {"memory", "userfaultfd", "4.3", false,
		"no lazy restore, no warm clones, no swap file",
		CONFIG("CONFIG_USERFAULTFD") ", or open /dev/userfaultfd", probe_userfaultfd},
	[PROBE_UFFD_MINOR] = {"memory", "userfaultfd: minor faults of shmem", "5.14", false,
		"warm clones don't share memory", NEW_KERNEL, probe_uffd_minor},
	[PROBE_UFFD_WP_ASYNC] = {"memory", "userfaultfd: asynchronous write protection", "6.7",
		false, "no incremental checkpoints", NEW_KERNEL, probe_uffd_wp_async},

	[PROBE_NAMESPACES] = {"namespaces and mounts", "pid, mount, uts, ipc, net, cgroup", "4.6",
		true, "no containers",
		"run as root; inside a container it needs CAP_SYS_ADMIN and no filter of unshare",
		probe_namespaces},
	[PROBE_USER_NS] = {"namespaces and mounts", "user namespaces", "3.8", false, "no --userns",
		"look at the sysctls user.max_user_namespaces and kernel.unprivileged_userns_clone",
		probe_user_ns},
	[PROBE_TIME_NS] = {"namespaces and mounts", "time namespaces", "5.6", false,
		"monotonic clocks jump at a restore", CONFIG("CONFIG_TIME_NS"), probe_time_ns},
	[PROBE_OVERLAY] = {"namespaces and mounts", "overlay", "3.18", true,
		"no container without --rw", "modprobe overlay", probe_overlay},
	[PROBE_FSOPEN] = {"namespaces and mounts", "fsopen, open_tree, move_mount", "5.2", true,
		"no containers", NEW_KERNEL, probe_fsopen},
	[PROBE_IDMAPPED_MOUNT] = {"namespaces and mounts", "mount_setattr", "5.12", false,
		"no recursive read-only and no idmapped binds", NEW_KERNEL, probe_idmapped_mount},
	[PROBE_STATMOUNT] = {"namespaces and mounts", "statmount, listmount", "6.8", false,
		"mounts are read from mountinfo", NEW_KERNEL, probe_statmount},
	[PROBE_FUSE] = {"namespaces and mounts", "fuse", NULL, false,
		"no views of /proc and /sys with the container's own numbers", "modprobe fuse",
		probe_fuse},
	[PROBE_IPC_NEXT_ID] = {"namespaces and mounts", "chosen ids of SysV IPC", "3.9", false,
		"no restore of SysV shared memory, semaphores and queues",
		CONFIG("CONFIG_CHECKPOINT_RESTORE"), probe_ipc_next_id},
	[PROBE_KEYRING] = {"namespaces and mounts", "session keyrings", NULL, false,
		"containers share the caller's keyring", CONFIG("CONFIG_KEYS"), probe_keyring},
	[PROBE_LANDLOCK] = {"namespaces and mounts", "landlock", "5.13", false, "no landlock rules",
		CONFIG("CONFIG_SECURITY_LANDLOCK") " and boot with landlock in lsm=",
		probe_landlock},

	[PROBE_TCP_REPAIR] = {"network", "TCP_REPAIR", "3.5", false,
		"no checkpoint of TCP connections",
		"run with CAP_NET_ADMIN; " CONFIG("CONFIG_CHECKPOINT_RESTORE"), probe_tcp_repair},
	[PROBE_SOCK_DIAG] = {"network", "socket diagnostics (unix, inet)", "3.3", false,
		"no checkpoint of unix sockets", "modprobe unix_diag; modprobe inet_diag tcp_diag",
		probe_sock_diag},
	[PROBE_NFT] = {"network", "nf_tables", "3.13", false,
		"no NAT, no published ports, no lock of connections during a checkpoint",
		"modprobe nf_tables", probe_nft},
	[PROBE_VETH] = {"network", "veth", NULL, false, "no --net bridge", "modprobe veth",
		probe_veth},
	[PROBE_BRIDGE] = {"network", "bridge", NULL, false, "no --net bridge", "modprobe bridge",
		probe_bridge},

	[PROBE_CGROUP_BPF] = {"resources", "BPF programs on cgroups", "4.15", false,
		"no device policy on cgroup v2 hosts", CONFIG("CONFIG_CGROUP_BPF"),
		probe_cgroup_bpf},
	[PROBE_PSI] = {"resources", "pressure information (PSI)", "4.20", false,
		"kist stat shows no pressure", "boot with psi=1", probe_psi},
};

const struct probe *probe_get(enum probe_id id)
{
	return &probes[id];
}

int probe_result(enum probe_id id)
{
	/* 1: not tried yet. Threads may try twice, and come to the same result. */
	static int results[PROBE_COUNT] = {[0 ... PROBE_COUNT - 1] = 1};

	if (results[id] > 0)
		results[id] = probes[id].run();
	return results[id];
}

bool probe_has(enum probe_id id)
{
	return probe_result(id) == 0;
}
