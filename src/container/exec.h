/* SPDX-License-Identifier: Apache-2.0 */
/* Joining a running container: by a further process, or with one's terminal. */
#pragma once

#include "container/container.h"

struct container_exec {
	const struct spec_process *process; /* args, env, cwd, user, caps, … */
	bool interactive;		    /* stdin is passed on */
	bool detach;			    /* do not wait for its end */
	int preserve_fds;		    /* so many from 3 on are passed on */
	bool inherit;			    /* with detach: the caller's stdio, not /dev/null */
	/*
	 * When it is there and about to execute: its pid, and the master of its terminal (borrowed;
	 * -EBADF without one). A negative return ends it. Or NULL.
	 */
	int (*started)(void *arg, pid_t pid, int console, struct err *err);
	void *arg;
};
/* Runs one more process inside; *ret_status is its exit status (0 when detached). */
int container_exec(
	struct container *c, const struct container_exec *exec, int *ret_status, struct err *err);

/*
 * Lends the caller's terminal, or stdio, to a detached container until it ends (*ret_status is its
 * exit status) or the user leaves by ctrl-p ctrl-q (-1).
 */
int container_attach(struct container *c, int *ret_status, struct err *err);
