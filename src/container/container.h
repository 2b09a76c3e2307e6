/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers: their state on disk and their life: create, start, exec, kill, delete. What `run`,
 * `exec`, the OCI front, checkpoint and restore stand on.
 *
 * State: one directory per container below KIST_ROOT (default /run/kist), named after it, locked
 * by flock(2) on the directory itself while it is changed (and one for its files, see data.c).
 * `state.json` there is replaced atomically. It says what was set up; whether the container runs is
 * asked of the kernel (pid and start time), so any kist process may be killed at any point.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "container/params.h"
#include "net/bridge.h"

#define CONTAINER_ROOT_DEFAULT "/run/kist" /* mode 0711, made when it is missing */

enum container_status {
	CONTAINER_CREATING, /* being made, or what a killed kist left of that */
	CONTAINER_CREATED,  /* set up, waits for the start */
	CONTAINER_RUNNING,
	CONTAINER_FROZEN,
	CONTAINER_STOPPED,
};
const char *container_status_name(enum container_status status); /* "running" … */

struct container {
	char *name; /* its id too: names the directory, the cgroup, the link */
	enum container_status status;
	pid_t pid;			 /* of its first process as we see it, 0: none */
	uint64_t start_time;		 /* field 22 of /proc/PID/stat, guards against pid reuse */
	int pidfd;			 /* of it, while it runs; else -EBADF */
	int dir_fd;			 /* its directory: state.json, log, attach */
	int data_fd;			 /* on disk: upper/, work/; -EBADF: it is gone */
	struct container_params *params; /* how it was made; with the spec */
	char *cgroup;			 /* path for cgroup_open */
	bool net_attached;
	struct net_attachment net; /* when net_attached */
	/*
	 * Set by a checkpoint before the processes end: container_finish then keeps the address for
	 * the restore (net_bridge_park) instead of giving it back. container_delete gives it back.
	 */
	bool net_parked;
	int64_t created, started; /* seconds since the epoch, 0: never */
	int exit_status;	  /* 0-255 as kist gives it, -1: none (yet) */
	/*
	 * What fds 0-2 of the first process were made of, as readlink(2) of /proc/PID/fd says it
	 * on the host's side ("pipe:[N]", "/dev/null"); "console" for a pty made by kist (slave:
	 * /dev/pts/N inside). A restored container gets new ones at the same numbers.
	 */
	char stdio[3][64];
	bool params_saved;		 /* in its directory, as they are */
	int lock_fd;			 /* holds the lock, -EBADF: not locked */
	struct container_making *making; /* only in the process that creates it */
};

/* In the container's directory: mountinfo at creation. What is mounted later was mounted inside. */
#define CONTAINER_MOUNTS_FILE "mountinfo"

/* The fd of KIST_ROOT, made when @create. -ENOENT when there is none. The caller closes it. */
int container_root_open(bool create, struct err *err);

/* Reads a container's state and asks the kernel for the rest. -ENOENT, with its text, if none. */
int container_open(const char *name, struct container **ret, struct err *err);
/* The same, locked until container_free: nobody else changes it. Waits for the lock. */
int container_open_locked(const char *name, struct container **ret, struct err *err);
void container_free(struct container *c);
/* All names, sorted. The caller frees *ret (strv_free). */
int container_list(char ***ret, struct err *err);
/* Asks the kernel again: status, pidfd. */
int container_refresh(struct container *c, struct err *err);
/* Writes state.json (the container must be locked). Fields may be changed before, by the caller. */
int container_save(struct container *c, struct err *err);
/* All that state.json holds, with the status of now. The caller's (json_decref). */
int container_to_json(const struct container *c, json_t **ret, struct err *err);
/* A name for a container that got none; and is this a name: letters, digits, _ + - . */
int container_name_make(char **ret, struct err *err);
int container_name_check(const char *name, struct err *err);

/*
 * Another last step than exec: checkpoint/restore. @child runs in the container's first process
 * (pid 1 of its pid namespace), inside all namespaces, with the rootfs entered, sysctls, masks and
 * console done, the network attached, fds 0-2 in place and all other fds still open, before
 * rlimits, credentials, seccomp; SIGPIPE and the mask are as in kist. It returns only to fail
 * (negative, with @err filled). @parent runs meanwhile in the process that called container_create,
 * the parent (not the tracer) of @pid; a negative return undoes the creation whole. Both get the
 * same @arg, each in its own copy of the memory: fds opened before are in both.
 */
struct container_payload {
	void *arg;
	/* Before the first process: may fill upper/ below c->data_fd, change the spec. Or NULL. */
	int (*prepare)(void *arg, struct container *c, struct err *err);
	int (*child)(void *arg, struct err *err);
	int (*parent)(void *arg, const struct container *c, struct err *err);
	const char *net_guard; /* see net_bridge_attach, or NULL */
};

/*
 * Makes a container as @params say, up to its first process, which waits for container_start. With
 * a payload it is running when this returns. Everything is undone on failure. @params becomes the
 * container's (also on failure). The result is locked.
 */
int container_create(struct container_params *params, const struct container_payload *payload,
	struct container **ret, struct err *err);
/* Lets the command of a created container go, unlocks. -ECANCELED: a poststart hook failed. */
int container_start(struct container *c, struct err *err);
/* Sets a stopped container up again from its state (params, upper/ kept). As container_create. */
int container_recreate(const char *name, bool detach, struct container **ret, struct err *err);

/* Makes a container: container_create or container_recreate. */
typedef int (*container_make_fn)(void *arg, struct container **ret, struct err *err);
/*
 * A container from its making to its end: makes and starts it, passes signals, window size and the
 * terminal on, and finishes it. *ret_status is its exit status (128+N for a signal).
 */
int container_foreground(container_make_fn make, void *arg, int *ret_status, struct err *err);
/*
 * The same by a small monitor: makes and starts it (or runs its payload) in a forked process, which
 * then becomes the monitor (log, exit status, attach). Returns in the caller when the container
 * runs, or with the error of that. @make's stdio is the caller's.
 */
int container_detach(container_make_fn make, void *arg, struct err *err);
/*
 * The container has ended: records the status (-1: as the monitor wrote it), releases cgroup and
 * network, and removes all of it if it was made with --rm. Also for what killed kists left.
 */
int container_finish(const char *name, int exit_status, struct err *err);

/* argv[0] with which the monitor starts kist for that, and the name as argv[1]. */
#define CONTAINER_FINISH "kist-finish"

/* Sends a signal to the first process. "container not running" when it does not run. */
int container_kill(struct container *c, int sig, struct err *err);
/* SIGTERM, after @timeout_s seconds SIGKILL; returns when the container has ended. */
int container_stop(struct container *c, int timeout_s, struct err *err);
int container_freeze(struct container *c, bool freeze, struct err *err);
/* Removes cgroup, network and files; -EBUSY while it runs, unless @force, which kills it first. */
int container_delete(const char *name, bool force, struct err *err);
/*
 * Removes a stopped container that is being restored under its own name: as container_delete, but a
 * parked address stays parked, for peers must find somebody there at all times.
 */
int container_make_way(const char *name, struct err *err);
