/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libkist: what the program does, as functions. Safe from several threads as long as each works on
 * containers or images of its own; checkpoint and restore fork, and block all signals meanwhile.
 * Needs root (or the capabilities that a message names). Link with -lkist.
 *
 * Every function returns 0 or a useful value ≥ 0, else a negative errno with *err filled (err may
 * be NULL). Strings and fds that are passed in stay the caller's.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KIST_API __attribute__((visibility("default")))

struct kist_error {
	int code;	 /* negative errno */
	char text[1024]; /* names the object and the cause */
	char hint[512];	 /* what can be done, or "" */
};

/* "0.1.0" */
KIST_API const char *kist_version(void);

/* ---- checkpoint and restore ---- */

enum kist_checkpoint_flags {
	KIST_LEAVE_RUNNING = 1 << 0, /* the processes go on afterwards */
	KIST_EXT_UNIX = 1 << 1,	     /* unix sockets connected to outside are restored closed */
	KIST_SHELL_JOB = 1 << 2, /* a terminal from outside is accepted, and wanted at restore */
};

struct kist_result {
	size_t tasks, threads;
	uint64_t time_us; /* checkpoint: how long the tree stood still; restore: until it ran */
	pid_t pid;	  /* restore: the first process */
};

/*
 * Writes the container @name, or the tree of processes below @pid, into the empty directory @dirfd.
 * @timeout_ms: how long a process may take to stop (0: 10 s). Nothing is changed before the image
 * is complete; on failure everything runs on and the directory is empty again. ret may be NULL.
 */
KIST_API int kist_checkpoint(const char *name, int dirfd, unsigned int flags, int timeout_ms,
	struct kist_result *ret, struct kist_error *err);
KIST_API int kist_checkpoint_tree(pid_t pid, int dirfd, unsigned int flags, int timeout_ms,
	struct kist_result *ret, struct kist_error *err);

/*
 * Makes the image in @dirfd run: a container (as @name, or NULL for the name it had) or a tree,
 * then a child of the caller. The image is verified first; a failed restore leaves nothing behind.
 */
KIST_API int kist_restore(
	int dirfd, const char *name, struct kist_result *ret, struct kist_error *err);
/* Verifies version, sizes, checksums and every record of an image. */
KIST_API int kist_image_check(int dirfd, struct kist_error *err);

/* ---- containers ---- */

/* All names, NULL-terminated; the caller frees each and the array with free(3). */
KIST_API int kist_list(char ***ret, struct kist_error *err);
/*
 * "creating", "created", "running", "frozen" or "stopped" (static text), the pid of the first
 * process (0: none) and the exit status (-1: none yet); ret_pid and ret_exit may be NULL.
 */
KIST_API int kist_status(const char *name, const char **ret_status, pid_t *ret_pid, int *ret_exit,
	struct kist_error *err);
KIST_API int kist_kill(const char *name, int signal, struct kist_error *err);
/* SIGTERM, after @timeout_s seconds SIGKILL; returns when it has ended. */
KIST_API int kist_stop(const char *name, int timeout_s, struct kist_error *err);
KIST_API int kist_freeze(const char *name, struct kist_error *err);
KIST_API int kist_thaw(const char *name, struct kist_error *err);
/* Removes it; with @force also while it runs. */
KIST_API int kist_remove(const char *name, int force, struct kist_error *err);
/*
 * A resource key of a container (`kist keys` lists them): the value in cgroup v2's form, which the
 * caller frees; and a new value, in human units too ("512M", "1.5cpu", "max").
 */
KIST_API int kist_get(const char *name, const char *key, char **ret, struct kist_error *err);
KIST_API int kist_set(const char *name, const char *key, const char *value, struct kist_error *err);

#ifdef __cplusplus
}
#endif
