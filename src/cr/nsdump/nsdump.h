/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is inside a container's namespaces: uts names, clocks, IPC objects and sysctls, the network
 * (net.h; but for its connections), mounts made inside, contents of tmpfs and of the overlay's
 * upper layer, cgroups made inside. Saved from outside while the tasks are stopped; restored in
 * phases, each of which says where it runs. Namespaces that the tree shares with us are left alone.
 *
 * Not seen by any kernel interface, hence not kept: undo values of semaphores (SEM_UNDO), the
 * times and last pids of SysV objects.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "cr/image/image.h"
#include "spec/spec.h"

/* A hierarchy in which the container has a cgroup of its own. */
struct nsdump_cgroup {
	const char *controllers; /* "" for cgroup2 */
	int dirfd;		 /* of the container's cgroup */
};

struct nsdump_env {
	int proc_pid_fd; /* O_PATH of /proc/PID of the container's first process, stopped */
	/*
	 * Its mountinfo as it was when the container had been created: what differs now was done
	 * inside. NULL: not known; then every mount counts as made by create.
	 */
	const char *mounts_before;
	int upper_fd;	    /* directory of what the container changed in its rootfs, or -EBADF */
	bool upper_shifted; /* owners on disk are the container's (container_params.idmap) */
	const struct nsdump_cgroup *cgroups;
	size_t n_cgroups;
};

/*
 * Saves all of it. Thread-wide side effects (a visit to other namespaces) are undone on return.
 * Refuses by name what cannot be re-made.
 */
int nsdump_save(struct image_writer *w, const struct nsdump_env *env, struct err *err);

/*
 * Restore, 1: in the parent, before the container's first process. Checks all records of this
 * folder; sets the time offsets in @spec so that the clocks go on from where they stood; fills the
 * (empty) directory @upper_fd, if it is not -EBADF; @upper_shifted as in nsdump_env.
 */
int nsdump_restore_prepare(const struct image *img, struct spec *spec, int upper_fd,
	bool upper_shifted, struct err *err);
/*
 * Restore, 2: in the container's first process, in all of its namespaces, single-threaded, after
 * rootfs_finish and with all capabilities: names, sysctls, IPC objects, mounts, tmpfs contents.
 * Unix socket files are made as bare names: who binds one again removes the name first.
 */
int nsdump_restore_inside(const struct image *img, struct err *err);
/* Restore, 3: there too, when every task has attached its shared memory. */
int nsdump_restore_late(const struct image *img, struct err *err);
/*
 * Restore, 4: in the parent, when all tasks exist and before they run: cgroups made inside.
 * @host_pid gives the pid that we see for one of the tree's pid namespace, or -ESRCH.
 */
int nsdump_restore_cgroups(const struct image *img, const struct nsdump_cgroup *cgroups, size_t n,
	pid_t (*host_pid)(void *arg, pid_t vpid), void *arg, struct err *err);

/*
 * For trees without a container: what has to be added to our own clocks so that the tree's go on
 * (nanoseconds; monotonic, boottime). -ENOENT: the image has no clocks.
 */
int nsdump_time_offsets(
	const struct image *img, int64_t *ret_monotonic, int64_t *ret_boottime, struct err *err);
