/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's cgroup on any host: v2, v1, or hybrid (limits on the v1 hierarchies, a companion
 * directory on the cgroup2 mount for freeze, kill, events and BPF). cgroups(7),
 * Documentation/admin-guide/cgroup-v2.rst. Paths are relative to each hierarchy's mount, start
 * with '/', and never contain '..'.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

enum cgroup_mode { CGROUP_V2, CGROUP_HYBRID, CGROUP_V1 };

/* What the host has: the mode and where each hierarchy is mounted, found once from mountinfo. */
struct cgroup_host;
int cgroup_host_open(struct cgroup_host **ret, struct err *err);
void cgroup_host_free(struct cgroup_host *host);
enum cgroup_mode cgroup_host_mode(const struct cgroup_host *host);
/* The directory fd of hierarchy @i (-EBADF past the last), its controller list ("" for cgroup2). */
int cgroup_host_hierarchy(const struct cgroup_host *host, size_t i, const char **ret_controllers);

/*
 * One cgroup: a directory in every hierarchy that matters. Holds fds, not only the path.
 *
 * Of the v1 hierarchies only those that count from the start (memory, blkio) are joined at once;
 * the others (cpu, cpuset, pids, devices, …) when the first key of theirs is set, which moves the
 * processes that are inside by then. A hierarchy costs 30 µs to make, 10 to enter, 25 to remove
 * (cpuset 230 to make). @host must outlive the cgroup.
 */
struct cgroup;
/* Creates @path (parents too); -EEXIST when it is there. Undone on failure. */
int cgroup_create(struct cgroup_host *host, const char *path, struct cgroup **ret, struct err *err);
/* Opens an existing one; hierarchies in which it is missing are left out (-ENOENT if in none). */
int cgroup_open(struct cgroup_host *host, const char *path, struct cgroup **ret, struct err *err);
/* Opens the cgroups in which a process is, one of each hierarchy: to read keys, or to set them. */
int cgroup_open_pid(struct cgroup_host *host, pid_t pid, struct cgroup **ret, struct err *err);
/* Joins every v1 hierarchy now, and not when a first key of it is set. */
int cgroup_join_all(struct cgroup *cg, struct err *err);
void cgroup_free(struct cgroup *cg); /* closes; the directories stay */
const char *cgroup_path(const struct cgroup *cg);
/*
 * Its directory fd in hierarchy @i of the host (-EBADF: none there; -ENOENT past the last), which
 * stays the cgroup's, and that hierarchy's controllers ("" for cgroup2).
 */
int cgroup_dir(const struct cgroup *cg, size_t i, const char **ret_controllers);
/* Kills what is inside if @kill, waits on populated (at most @timeout_ms), removes the tree. */
int cgroup_destroy(struct cgroup *cg, bool kill, int timeout_ms, struct err *err);

/*
 * The cheap way in, 50-100 µs instead of the 5-20 ms that the first move of another process takes
 * (it waits for an RCU grace period): the parent starts its child by clone3 with CLONE_INTO_CGROUP
 * and cgroup_fd2(), and the child, while it has one thread and still is root of the host, calls
 * cgroup_enter(), which joins the v1 hierarchies. A cgroup namespace must be unshared after that:
 * with CLONE_NEWCGROUP in the same clone it would show the parent's cgroup as its root.
 */
int cgroup_enter(struct cgroup *cg, struct err *err);
/* The cgroup2 directory fd for CLONE_INTO_CGROUP and BPF, -EBADF without. Stays the cgroup's. */
int cgroup_fd2(const struct cgroup *cg);
/* Moves a process (0: the caller) into it, in every hierarchy, with all its threads. */
int cgroup_attach(struct cgroup *cg, pid_t pid, struct err *err);
/* All pids in it and below. The caller frees *ret. */
int cgroup_pids(struct cgroup *cg, pid_t **ret, size_t *ret_n, struct err *err);
bool cgroup_populated(struct cgroup *cg);
/* Waits until no process is left (zombies don't count); -1: for ever. 0 or -ETIMEDOUT. */
int cgroup_wait_empty(struct cgroup *cg, int timeout_ms);

/* Freezes or thaws; waits until it is so (at most @timeout_ms: then undone, -ETIMEDOUT). */
int cgroup_freeze(struct cgroup *cg, bool freeze, int timeout_ms, struct err *err);
bool cgroup_frozen(struct cgroup *cg);
/* SIGKILL to everything inside, frozen or not. */
int cgroup_kill(struct cgroup *cg, struct err *err);
/* Sends @sig to every process inside. */
int cgroup_signal(struct cgroup *cg, int sig, struct err *err);

/*
 * The key table. @key is a v2 file name ("memory.max") or one of kist's own ("devices"); @value is
 * human ("512M", "50%", "1.5cpu", "max"). A batch is all-or-nothing, in an order that the kernel
 * accepts; values are read back. Refusals name key, reason and alternative.
 */
struct cgroup_setting {
	const char *key, *value;
};
int cgroup_set(struct cgroup *cg, const struct cgroup_setting *s, size_t n, struct err *err);
/* Writes a file of cgroup2 that is not in the table, as it is; refused on other hosts. */
int cgroup_set_raw(struct cgroup *cg, const char *file, const char *value, struct err *err);
/* Checks keys and values against the table and this host without touching a cgroup. */
int cgroup_check(
	struct cgroup_host *host, const struct cgroup_setting *s, size_t n, struct err *err);
/* Reads a key in v2 form ("max", "50000 100000") into @ret (appended). */
int cgroup_get(struct cgroup *cg, const char *key, struct buf *ret, struct err *err);

struct spec_device_rule; /* spec/spec.h */
/* The device policy, in order, from deny-all or allow-all as the rules say: v1 files or BPF. */
int cgroup_set_devices(
	struct cgroup *cg, const struct spec_device_rule *rules, size_t n, struct err *err);

struct cgroup_stat { /* UINT64_MAX: this host does not tell */
	uint64_t cpu_usage_us, cpu_user_us, cpu_system_us, cpu_periods, cpu_throttled,
		cpu_throttled_us;
	uint64_t memory_current, memory_peak, memory_max, memory_swap, memory_anon, memory_file,
		memory_working_set, memory_kernel, oom_kills;
	uint64_t pids_current, pids_max;
	uint64_t io_read_bytes, io_write_bytes, io_reads, io_writes;
	uint64_t psi_cpu_some_us, psi_memory_some_us, psi_memory_full_us, psi_io_some_us,
		psi_io_full_us;
};
int cgroup_stat(struct cgroup *cg, struct cgroup_stat *ret, struct err *err);
