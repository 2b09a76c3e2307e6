/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restore: makes the tree of an image run again. Everything in the image is checked first; the
 * tree is built, stopped, by ordinary code; each task then plays a tape that replaces its address
 * space; registers come last, and all tasks are let go at once. A failed restore leaves nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "cr/file/file.h"
#include "cr/image/image.h"

struct restore; /* a plan and the shared state of its tasks */

struct restore_opts {
	int root_fd; /* '/' that the tree had, as we see it; -EBADF: our own */
	const struct file_external *externals; /* what the image wants from outside */
	size_t n_externals;
	void *arg;
	/* In the parent, when all tasks are there with all they have, and none runs; or NULL. */
	int (*before_run)(void *arg, struct restore *r, struct err *err);
};

struct restore_result {
	pid_t root; /* as we see it */
	size_t tasks, threads;
	uint64_t total_us;
};

/* Checks the whole image and plans. The image is borrowed until restore_free. */
int restore_new(const struct image *img, const struct restore_opts *opts, struct restore **ret,
	struct err *err);
/* After a failure: ends every task that was made. */
void restore_free(struct restore *r);

/* The pid that we see for the task @vpid of the tree, while before_run is called; or -ESRCH. */
pid_t restore_host_pid(const struct restore *r, pid_t vpid);
/* The pid (in the tree's own pid namespace) that the first process must have. */
pid_t restore_root_pid(const struct restore *r);

/*
 * The body of the first process: call it in the process that restore_root_pid() tells, in all its
 * namespaces and its root directory, signals blocked. @r was made before the fork. Never returns;
 * failures reach the parent through the shared state.
 */
void restore_root_main(struct restore *r) __attribute__((noreturn));

/*
 * The parent's part: waits for the tree, writes registers, lets it go. @root is the first process
 * as we see it, a child of the caller or of its helper.
 */
int restore_finish(struct restore *r, pid_t root, struct restore_result *ret, struct err *err);

/* All of it for a plain tree: makes the first process as a child of the caller. */
int restore_tree(const struct image *img, const struct restore_opts *opts,
	struct restore_result *ret, struct err *err);
