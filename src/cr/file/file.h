/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files: what a task's fds, cwd, root, exe and file mappings refer to. An open file
 * description (open(2), NOTES) is saved once, under an id that fd tables, mappings and other
 * descriptions (an epoll target, a passed fd) name. Kinds are rows of one table; a kind = one file
 * of this folder.
 *
 * Dump reads from outside (pidfd_getfd, kcmp, fdinfo). Restore opens every description once in the
 * root task before it forks, at fd numbers from `base` up; every other task inherits them, puts
 * them into its slots, and drops the rest. Ids are > 0; 0 means "none".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "cr/image/image.h"
#include "cr/tape/target.h"

/* ---- dump ---- */
struct file_dump;
struct file_dump_opts {
	bool tcp_established; /* save established connections (else refuse them) */
	bool file_locks;
	bool ext_unix;	/* leave unix sockets whose peer is outside: restored closed */
	bool shell_job; /* a terminal from outside is inherited at restore */
	int root_fd;	/* '/' of the tree, to tell inside from outside paths */
};
/* The writer and the opts are borrowed. */
int file_dump_new(struct image_writer *w, const struct file_dump_opts *opts, struct file_dump **ret,
	struct err *err);
void file_dump_free(struct file_dump *d);

/* Saves the fd table of a task: FdTable record and every description not seen before. */
int file_dump_task(struct file_dump *d, struct target *t, struct err *err);
/* The id of what backs the mapping START-END (/proc/PID/map_files); shared memory included. */
int file_dump_mapping(struct file_dump *d, struct target *t, uint64_t start, uint64_t end,
	bool shared_writable, uint32_t *ret_id, struct err *err);
/* The id of "cwd", "root" or "exe" of a task. */
int file_dump_link(
	struct file_dump *d, struct target *t, const char *link, uint32_t *ret_id, struct err *err);
/* After the last task: peers, epoll targets, locks; refuses by name what leads outside. */
int file_dump_finish(struct file_dump *d, struct err *err);

/* The tasks are about to be killed: what the dump changed (TCP's repair mode) stays so. */
void file_dump_commit(struct file_dump *d);

/* ---- restore ---- */
struct file_restore;
struct file_restore_opts {
	int root_fd;	    /* '/' of the restored tree; paths are walked below it */
	const int *inherit; /* fds that take the place of outside terminals (0, 1, 2), or NULL */
};
/* Plans: checks every record and reference. The image is borrowed and outlives the plan. */
int file_restore_new(const struct image *img, const struct file_restore_opts *opts,
	struct file_restore **ret, struct err *err);
void file_restore_free(struct file_restore *r);
/* The lowest fd number that no slot of any task uses: the store and helper fds live above it. */
int file_restore_base(const struct file_restore *r);
/* In the root task, inside all namespaces, before it forks: opens every description. */
int file_restore_open(struct file_restore *r, struct err *err);
/* The fd (≥ base) that description @id has in every task until the tape closes them; or -ENOENT. */
int file_restore_fd(const struct file_restore *r, uint32_t id);
/*
 * In each task, with all its relatives alive, session and group set: fills the slots of task @id.
 * @pid_of maps a task id of the image to its pid as the caller sees it (for owners, ctty).
 */
int file_restore_task(struct file_restore *r, uint32_t task, struct err *err);
/* In the root task, when every task has its slots: what has to wait for all (queued fds, locks). */
int file_restore_last(struct file_restore *r, struct err *err);
