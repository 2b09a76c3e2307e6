/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this kernel, and this caller's rights, can do: one row a feature, probed by trying it, at
 * most once a process. `kist doctor` prints the table; code that has a second way asks probe_has.
 */
#pragma once

#include <stdbool.h>

enum probe_id {
	/* processes */
	PROBE_CLONE3,
	PROBE_CLONE_INTO_CGROUP,
	PROBE_SET_TID,
	PROBE_PIDFD_GETFD,
	PROBE_KCMP,
	PROBE_PTRACE_RSEQ,
	PROBE_SECCOMP_READ,
	PROBE_SECCOMP_NOTIFY,
	PROBE_TIMER_IDS,
	PROBE_PROC_CHILDREN,
	PROBE_SYS_RESOURCE,
	/* memory */
	PROBE_PROCESS_VM,
	PROBE_SET_MM_MAP,
	PROBE_PAGEMAP_SCAN,
	PROBE_GUARD_PAGES,
	PROBE_USERFAULTFD,
	PROBE_UFFD_MINOR,
	PROBE_UFFD_WP_ASYNC,
	/* namespaces and mounts */
	PROBE_NAMESPACES,
	PROBE_USER_NS,
	PROBE_TIME_NS,
	PROBE_OVERLAY,
	PROBE_FSOPEN,
	PROBE_IDMAPPED_MOUNT,
	PROBE_STATMOUNT,
	PROBE_FUSE,
	PROBE_IPC_NEXT_ID,
	PROBE_KEYRING,
	PROBE_LANDLOCK,
	/* network */
	PROBE_TCP_REPAIR,
	PROBE_SOCK_DIAG,
	PROBE_NFT,
	PROBE_VETH,
	PROBE_BRIDGE,
	/* resources */
	PROBE_CGROUP_BPF,
	PROBE_PSI,
	PROBE_COUNT
};

struct probe {
	const char *group; /* heading in the list: "processes" … */
	const char *name;
	const char *since; /* "5.6": the first Linux with it, or NULL */
	bool required;	   /* kist does not do its main job without */
	const char *cost;  /* what its absence means */
	const char *advice;
	int (*run)(void); /* 0: there, else -errno */
};

const struct probe *probe_get(enum probe_id id);
/* 0, or the -errno with which the attempt ended. */
int probe_result(enum probe_id id);
bool probe_has(enum probe_id id);
