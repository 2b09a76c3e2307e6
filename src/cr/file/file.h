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

/*
 * Something outside that stands for an open file of the tree: the log pipe of a container, its
 * console, a socket of the caller. Dump: whatever has this inode (or is this terminal) is saved as
 * KEY only. Restore: @fd takes its place (a duplicate; the caller keeps its own).
 */
struct file_external {
	const char *key;
	dev_t dev; /* dump: st_dev and st_ino, or st_rdev of a terminal with ino 0 */
	ino_t ino;
	int fd; /* restore */
};

/* ---- dump ---- */
struct file_dump;
struct file_dump_opts {
	bool tcp_established; /* save established connections (else refuse them) */
	bool file_locks;      /* save locks and leases (else refuse them) */
	bool ext_unix;	      /* leave unix sockets whose peer is outside: restored closed */
	bool shell_job;	      /* a terminal from outside becomes the external "tty" */
	int root_fd;	      /* '/' of the tree, to tell inside from outside paths */
	const struct file_external *externals;
	size_t n_externals;
};
/* The writer, root_fd and the externals are borrowed. */
int file_dump_new(struct image_writer *w, const struct file_dump_opts *opts, struct file_dump **ret,
	struct err *err);
void file_dump_free(struct file_dump *d);

/*
 * Makes a task of the tree known, the root first, zombies too: before the first file_dump_task.
 * It is borrowed, stopped, until file_dump_free.
 */
int file_dump_add_task(struct file_dump *d, struct target *t, struct err *err);
/* Saves the fd table of a task: FdTable record and every description not seen before. */
int file_dump_task(struct file_dump *d, struct target *t, struct err *err);
/*
 * The id of what backs the mapping START-END (/proc/PID/map_files); shared memory included. Not
 * for SysV shared memory ("/SYSV…"), which the ipc records carry.
 */
int file_dump_mapping(struct file_dump *d, struct target *t, uint64_t start, uint64_t end,
	bool shared_writable, uint32_t *ret_id, struct err *err);
/* The id of "cwd", "root" or "exe" of a task. */
int file_dump_link(
	struct file_dump *d, struct target *t, const char *link, uint32_t *ret_id, struct err *err);
/* After the last task: peers, epoll targets, locks; refuses by name what leads outside. */
int file_dump_finish(struct file_dump *d, struct err *err);
/* The image is whole and the tasks are about to be killed: their sockets end without a word. */
void file_dump_commit(struct file_dump *d);

/* ---- restore ---- */
struct file_restore;
struct file_restore_opts {
	int root_fd; /* '/' of the restored tree; paths are walked below it. -EBADF: as then seen */
	const struct file_external *externals;
	size_t n_externals;
};
/* Plans: checks every record and reference. The image, root_fd and the externals are borrowed. */
int file_restore_new(const struct image *img, const struct file_restore_opts *opts,
	struct file_restore **ret, struct err *err);
void file_restore_free(struct file_restore *r);
/* The lowest fd number that no slot of any task uses: the store and helper fds live above it. */
int file_restore_base(const struct file_restore *r);
/* The task whose fd table @task shares (CLONE_FILES; it calls no file_restore_task), or 0. */
uint32_t file_restore_shares(const struct file_restore *r, uint32_t task);
/* In the root task, inside all namespaces, before it forks: opens every description. */
int file_restore_open(struct file_restore *r, struct err *err);
/* The fd (≥ base) that description @id has in every task until the tape closes them; or -ENOENT. */
int file_restore_fd(const struct file_restore *r, uint32_t id);
/*
 * In a session leader, right behind its setsid(2) and before it forks: takes the session's
 * controlling terminal, which children get by birth only.
 */
int file_restore_session(struct file_restore *r, struct err *err);
/*
 * In each task, with all its relatives alive, session and group set, credentials not yet dropped:
 * fills the slots of task @id and closes whatever else is below base.
 */
int file_restore_task(struct file_restore *r, uint32_t task, struct err *err);
/* In the root task, when every task has its slots: what has to wait for all (owners, seals). */
int file_restore_last(struct file_restore *r, struct err *err);
/*
 * In the coordinator, which has called file_restore_new but opened nothing: takes what is to go
 * live at last from the root task (@pidfd) while that still has it in the store; pidfd_getfd(2).
 */
int file_restore_hold(struct file_restore *r, int pidfd, struct err *err);
/*
 * Behind everything else that can fail, before the tasks run: the outside sees us again.
 * Connections leave repair mode; so those of a restore that failed can be restored again.
 */
int file_restore_live(struct file_restore *r, struct err *err);
/*
 * Adds what task @id must do after its fds ≥ base are closed: POSIX locks, which a close of any
 * other fd of the file would drop again.
 */
int file_restore_tape(
	const struct file_restore *r, uint32_t task, struct tape *tape, struct err *err);
