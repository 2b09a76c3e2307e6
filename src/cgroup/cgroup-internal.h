/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of src/cgroup share: hierarchies, controllers, and the fds of a cgroup. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "cgroup/cgroup.h"
#include "cgroup/keys.h"

/* kist's own parent directory: removed with the last cgroup in it. */
#define CGROUP_PARENT	   "/kist"
#define CGROUP_HIERARCHIES 16

struct cgroup_hierarchy {
	int fd; /* of the mounted directory */
	bool v2;
	uint32_t controllers; /* bits of enum cgroup_controller */
	char *names;	      /* "cpu,cpuacct", "name=systemd", "" */
	char *root;	      /* which directory of the hierarchy is mounted there */
};

struct cgroup_host {
	enum cgroup_mode mode;
	struct cgroup_hierarchy h[CGROUP_HIERARCHIES];
	size_t n;
	int v2; /* index of cgroup2 in h, -1 without */
};

struct cgroup {
	struct cgroup_host *host;
	char *path;
	int fd[CGROUP_HIERARCHIES]; /* -EBADF: no directory (yet) in this hierarchy */
	uint32_t roots;		    /* bits: where the fd is the root, which takes no limits */
	bool scattered;		    /* of cgroup_open_pid: another path in each hierarchy */
};

const char *cgroup_controller_name(enum cgroup_controller c, bool v2);
/* Which hierarchy serves @c, as an index into host->h; -1: none. */
int cgroup_host_find(const struct cgroup_host *host, enum cgroup_controller c);

/* Path below a hierarchy's mounted directory: "." for "/". */
const char *cgroup_relative(const char *path);

/* tree.c */
/* Makes the directory and its parents. 1: it was made, 0: it was there, or -errno. */
int cgroup_tree_make(int hierarchy_fd, const char *path);
/* Removes all directories below @fd. */
int cgroup_tree_clear(int fd);
/* Removes @path and, below CGROUP_PARENT, the parents that became empty. */
int cgroup_tree_remove(int hierarchy_fd, const char *path);
/* Appends the pids in @fd and below, unsorted, with duplicates. */
int cgroup_tree_pids(int fd, pid_t **pids, size_t *n, size_t *cap);
/* Counts the threads in @fd and below. */
int cgroup_tree_threads(int fd, size_t *n);

/*
 * The directory fd that serves @c: on a v1 hierarchy that was left out so far it is made now and
 * the processes are moved in; on cgroup2 the controller is enabled for it. -errno with @err.
 */
int cgroup_join(struct cgroup *cg, enum cgroup_controller c, struct err *err);
/*
 * The fd in hierarchy @i, opened if it has come to be there since (another kist may have joined
 * it), or -errno.
 */
int cgroup_open_in(struct cgroup *cg, size_t i);
/* The fd that serves @c for reading, -EBADF when there is none. */
int cgroup_fd(struct cgroup *cg, enum cgroup_controller c);
/* Enables memory, pids, cpu and io for a new cgroup of a v2 host, as far as it can be. */
void cgroup_enable_defaults(struct cgroup *cg);
/* The fd whose cgroup.procs tells who is inside: cgroup2's, or a v1 one. */
int cgroup_members_fd(const struct cgroup *cg);
