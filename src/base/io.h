/* SPDX-License-Identifier: Apache-2.0 */
/* Whole reads and writes, small files, fds over sockets. All fds made here are O_CLOEXEC. */
#pragma once

#include <dirent.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Reads until @len bytes, or end of file. Returns the bytes read (short only at the end) or -errno.
 */
ssize_t io_read(int fd, void *data, size_t len);
ssize_t io_pread(int fd, void *data, size_t len, off_t off);
/* Writes all of it. Returns 0 or -errno. */
int io_write(int fd, const void *data, size_t len);
int io_pwrite(int fd, const void *data, size_t len, off_t off);

/* Appends the rest of @fd to @b, at most @max bytes (-EFBIG beyond). Returns 0 or -errno. */
int io_read_all(int fd, struct buf *b, size_t max);

/* Appends the file @path below @dirfd (AT_FDCWD) to @b; at most @max bytes. Returns 0 or -errno. */
int file_read_at(int dirfd, const char *path, struct buf *b, size_t max);
/* Writes @s into an existing file with one write(2), as control files of /proc and cgroups want. */
int file_write_at(int dirfd, const char *path, const char *s);
/* Replaces @path by a file with this content, atomically (rename) and durably (fsync). */
int file_replace_at(int dirfd, const char *path, const void *data, size_t len, mode_t mode);
/* As file_replace_at but not durable: for state that is void after a crash of the machine. */
int file_swap_at(int dirfd, const char *path, const void *data, size_t len, mode_t mode);

/*
 * Opens the directory @path below @dirfd ("." for @dirfd itself, read from its start) for dir_next;
 * a link at its end is not followed. The caller's (autodir or closedir(3)). NULL with errno.
 */
DIR *dir_open_at(int dirfd, const char *path);
/* The next entry other than "." and "..". NULL at the end (errno is 0) and on an error (errno). */
struct dirent *dir_next(DIR *dir);

static inline void autodir_p(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir); /* only read from */
}
#define autodir __attribute__((cleanup(autodir_p)))

/* Sends @n fds (≤ 16) with a non-empty message over a unix socket; unix(7). Returns 0 or -errno. */
int fd_send(int sock, const int *fds, size_t n, const void *data, size_t len);
/*
 * Receives a message of up to @len bytes and up to *@n fds, which then belong to the caller; *@n
 * is set to their number. Returns the bytes, 0 at the end, or -errno (-EMSGSIZE when cut).
 */
ssize_t fd_recv(int sock, int *fds, size_t *n, void *data, size_t len);

/* Moves @fd to a number ≥ @min; the old one is closed. Returns the new fd, or -errno (@fd kept). */
int fd_move_above(int fd, int min);
