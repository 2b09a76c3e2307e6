/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoint: stops a tree of processes, writes all of it into an image, and ends it or lets it
 * go. Nothing of the tree is changed before the image is complete: a failed dump leaves it running
 * as it was, and leaves no image.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "cr/file/file.h"
#include "cr/image/image.h"

struct cgroup;

struct dump_opts {
	bool leave_running;
	bool overwrite; /* an image in the directory gives way, once nothing is refused any more */
	bool sync;	/* the image is on the disk before the processes are ended */
	bool tcp_established, file_locks, ext_unix, shell_job;
	const struct file_external *externals; /* what restore_opts will give again */
	size_t n_externals;
	const char *marker; /* a file of this name is in the image, for callers that look for it */
	int timeout_ms;	    /* for a task to stop; 0: 10 s */
	/* of a container, else NULL */
	struct cgroup *cgroup;	 /* frozen while the tasks are being stopped */
	const char *config_json; /* its description, stored whole */
	void *arg;
	/* What is inside its namespaces, when all tasks are stopped. */
	int (*namespaces)(void *arg, struct image_writer *w, pid_t root, struct err *err);
	/* The image is complete, the processes are about to be ended. */
	int (*before_kill)(void *arg, struct err *err);
};

struct dump_result {
	size_t tasks, threads;
	uint64_t frozen_us; /* how long the tree stood still */
};

/* Dumps the tree of @root (a pid as we see it) into the empty directory @dirfd. */
int dump_tree(pid_t root, int dirfd, const struct dump_opts *opts, struct dump_result *ret,
	struct err *err);
