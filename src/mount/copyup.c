// SPDX-License-Identifier: Apache-2.0
/*
 * Fills a new tmpfs with what the image has at its mount point ("tmpcopyup"). The source may be
 * hostile: links are copied, not followed, and devices and sockets are left out.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/util.h"
#include "mount/mount-internal.h"

#define DEPTH_MAX 128
#define CHUNK	  ((size_t)1 << 20)

static int copy_dir(int from_fd, int to_fd, int depth);

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *st)
{
	autoclose int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	autoclose int to = -EBADF;
	ssize_t n;

	if (from < 0)
		return -errno;
	to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;
	do
		n = sendfile(to, from, NULL, CHUNK);
	while (n > 0);
	/* owner before mode: chown takes setuid bits off */
	if (n < 0 || fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
		return -errno;
	return 0;
}

static int copy_link(int from_dir, int to_dir, const char *name, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (symlinkat(target, to_dir, name) < 0 ||
		fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

static int copy_subdir(int from_dir, int to_dir, const char *name, const struct stat *st, int depth)
{
	autoclose int from =
		openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	autoclose int to = -EBADF;
	int r;

	if (from < 0 || mkdirat(to_dir, name, 0700) < 0)
		return -errno;
	to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return -errno;
	r = copy_dir(from, to, depth);
	if (r < 0)
		return r;
	if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
		return -errno;
	return 0;
}

static int copy_entry(int from_dir, int to_dir, const char *name, int depth)
{
	struct stat st;

	if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno; /* gone meanwhile */
	if (S_ISREG(st.st_mode))
		return copy_file(from_dir, to_dir, name, &st);
	if (S_ISLNK(st.st_mode))
		return copy_link(from_dir, to_dir, name, &st);
	if (S_ISDIR(st.st_mode))
		return copy_subdir(from_dir, to_dir, name, &st, depth);
	return 0;
}

static int copy_dir(int from_fd, int to_fd, int depth)
{
	autodir DIR *dir = NULL;
	struct dirent *entry;
	int r = 0;

	if (depth > DEPTH_MAX)
		return -ELOOP;
	dir = dir_open_at(from_fd, ".");
	if (!dir)
		return -errno;
	while (r == 0 && (entry = dir_next(dir)))
		r = copy_entry(from_fd, to_fd, entry->d_name, depth + 1);
	if (r == 0 && errno)
		r = -errno;
	return r;
}

int copyup(int from_fd, int to_fd)
{
	autoclose int from = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		return -errno;
	if (fchownat(to_fd, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0)
		return -errno;
	return copy_dir(from, to_fd, 0);
}
