// SPDX-License-Identifier: Apache-2.0
/*
 * Paths inside a root whose owner is hostile and may be changing it at this moment. Symbolic links
 * are followed as the container would see them (RESOLVE_IN_ROOT); whatever is made, is made by
 * *at() calls with a single component below an fd.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/util.h"
#include "mount/mount-internal.h"
#include "sys/syscall.h"

#define LINKS_MAX   40 /* as the kernel's own limit */
#define RETRIES_MAX 32 /* of a walk that a rename disturbed */

static int walk(int root_fd, const char *path, int flags, uint64_t resolve)
{
	const struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = resolve};
	int i, fd = -EAGAIN;

	for (i = 0; i < RETRIES_MAX && fd == -EAGAIN; i++)
		fd = sys_openat2(root_fd, *path ? path : ".", &how);
	return fd;
}

int walk_open(int root_fd, const char *path, int flags)
{
	return walk(root_fd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int walk_open_strict(int root_fd, const char *path, int flags)
{
	return walk(root_fd, path, flags,
		RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
}

/* Splits off the last component; false when there is none that could be made. */
static bool split(const char *path, char *ret_parent, char *ret_base)
{
	size_t end = strlen(path), start;

	while (end && path[end - 1] == '/')
		end--;
	for (start = end; start && path[start - 1] != '/'; start--)
		;
	if (start == end || end - start > NAME_MAX || start >= PATH_MAX)
		return false;
	memcpy(ret_base, path + start, end - start);
	ret_base[end - start] = '\0';
	memcpy(ret_parent, path, start);
	ret_parent[start] = '\0';
	return strcmp(ret_base, ".") != 0 && strcmp(ret_base, "..") != 0;
}

static int make(int root_fd, const char *path, bool dir, int links);

/* A link to nowhere stands where something is to be made: make its target, as seen inside. */
static int make_target(
	int root_fd, int parent_fd, const char *parent, const char *base, bool dir, int links)
{
	char target[PATH_MAX], path[PATH_MAX];
	ssize_t n = readlinkat(parent_fd, base, target, sizeof(target) - 1);

	if (n < 0)
		return errno == EINVAL ? (dir ? -ENOTDIR : -EEXIST) : -errno;
	target[n] = '\0';
	if (snprintf(path, sizeof(path), "%s/%s", target[0] == '/' ? "" : parent, target) >=
		(int)sizeof(path))
		return -ENAMETOOLONG;
	return make(root_fd, path, dir, links - 1);
}

static int make(int root_fd, const char *path, bool dir, int links)
{
	char parent[PATH_MAX], base[NAME_MAX + 1];
	autoclose int parent_fd = -EBADF, fd = -EBADF;
	struct stat st;
	int r;

	fd = walk_open(root_fd, path, O_PATH | (dir ? O_DIRECTORY : 0));
	if (fd != -ENOENT)
		return TAKE_FD(fd);
	if (links <= 0)
		return -ELOOP;
	if (!split(path, parent, base))
		return -ENOENT;
	parent_fd = make(root_fd, parent, true, links);
	if (parent_fd < 0)
		return parent_fd;
	if (dir) {
		r = mkdirat(parent_fd, base, 0755) < 0 ? -errno : 0;
	} else {
		r = openat(parent_fd, base, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (r < 0)
			r = -errno;
		else
			close(r);
	}
	if (r < 0 && r != -EEXIST)
		return r;
	fd = openat(parent_fd, base, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return make_target(root_fd, parent_fd, parent, base, dir, links);
	if (dir != S_ISDIR(st.st_mode))
		return dir ? -ENOTDIR : -EISDIR;
	return TAKE_FD(fd);
}

int walk_mkdir(int root_fd, const char *path)
{
	return make(root_fd, path, true, LINKS_MAX);
}

int walk_mkfile(int root_fd, const char *path)
{
	return make(root_fd, path, false, LINKS_MAX);
}

int walk_reopen(int fd, struct err *err)
{
	char link[64], path[PATH_MAX];
	autoclose int here = -EBADF;
	struct stat a, b;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return err_set(err, -errno, "cannot read '%s'", link);
	path[n] = '\0';
	here = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (here < 0)
		return err_set(err, -errno, "cannot open '%s'", path);
	if (fstat(fd, &a) < 0 || fstat(here, &b) < 0)
		return err_set(err, -errno, "cannot stat '%s'", path);
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return err_setx(err, -ESTALE, "'%s' was replaced in the meantime", path);
	return TAKE_FD(here);
}
