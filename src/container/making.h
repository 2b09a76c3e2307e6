/* SPDX-License-Identifier: Apache-2.0 */
/* A container that this process is creating, or has created: what its steps share. */
#pragma once

#include <signal.h>

#include "container/container-internal.h"

struct container_making {
	const struct container_payload *payload; /* NULL: exec */
	struct container_cgroup cg;
	struct seccomp_prog seccomp;
	struct container_agent agent;
	sigset_t mask; /* the caller's: the container gets it */
	bool masked;
	bool again;   /* the directory is there already (start) */
	int bundle;   /* directory fd of params->bundle, or -EBADF */
	int init_fd;  /* memfd of kist-init */
	int listen;   /* where the start is waited for (params->later) */
	int sync[2];  /* [0] ours, [1] the container's */
	int trees[2]; /* with a user namespace: the host's mounts come through it, as sync */
	int std[3];   /* the container's fds 0-2; -EBADF: as ours, or the console */
	int in, out, err, console; /* our ends: pipes, or the console's master */
	int slave;		   /* of the console, so that reading the master never ends */
	size_t moved_devices;	   /* so many of linux.netDevices are inside, */
	int devices_ns;		   /* in here: devices die with their namespace */
	pid_t stage;		   /* the process between kist and the first one */
};

/* child.c: what runs in the new processes. Neither returns. */
_Noreturn void container_child(struct container *c);
_Noreturn void container_stage(struct container *c);

/* detach.c: makes a container, and starts it if no payload runs in it. */
int container_make_start(
	container_make_fn make, void *arg, struct container **ret, struct err *err);
/* end.c: container_finish in the process that has made @c and seen its end. */
int container_finish_own(struct container *c, int exit_status, struct err *err);

/* create.c: all undos, after a creation that had succeeded. */
void container_undo(struct container *c);
/* start.c: makes m->listen; and, in the first process, waits there for the start. */
int container_listen(struct container *c, struct err *err);
int container_wait_start(struct container_making *m, struct err *err);

/* net.c: linux.netDevices into the namespace of c's first process, and back after a failure. */
int container_devices_move(struct container *c, struct err *err);
void container_devices_return(struct container *c);

/* stdio.c: m->std, our ends of it, and c->stdio. */
int container_stdio_make(struct container *c, struct err *err);

struct rootfs_plan container_rootfs_plan(const struct container *c);

/* userns.c: the id maps of --userns auto: a stand-in to check the spec with, then the real ones. */
int container_userns_check(struct container *c, struct err *err);
int container_userns_allocate(struct container *c, struct err *err);

/* spawn.c */
int container_spawn(struct container *c, struct err *err);
/* Kills and reaps what was spawned. */
void container_unspawn(struct container *c);
