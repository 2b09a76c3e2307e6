// SPDX-License-Identifier: Apache-2.0
/*
 * Looking for an inode: the other name of a deleted file, the path of a watched one. By its file
 * handle where the file system opens those, else by walking its directories.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/util.h"
#include "cr/file/path.h"
#include "sys/proc.h"

#define ENTRIES_MAX 1000000 /* names looked at before the search gives up */
#define DEPTH_MAX   64

#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID AT_REMOVEDIR /* a handle to compare, not to open; Linux 6.6 */
#endif

struct search {
	dev_t dev; /* of the directories: other file systems are left out */
	ino_t ino;
	bool any_dev; /* overlays give their files other devices than their directories */
	const struct path_inode *handle; /* what must fit too, or NULL */
	size_t left;
	struct buf path;
};

static bool handle_fits(const struct path_inode *want, int dirfd, const char *name)
{
	struct path_inode have = {.handle = {.handle_bytes = sizeof(have.bytes)}};
	int mount;

	if (!want || !want->handle.handle_bytes)
		return true;
	if (name_to_handle_at(dirfd, name, &have.handle, &mount, AT_HANDLE_FID) < 0)
		return false;
	return have.handle.handle_bytes == want->handle.handle_bytes &&
	       have.handle.handle_type == want->handle.handle_type &&
	       memcmp(have.handle.f_handle, want->bytes, want->handle.handle_bytes) == 0;
}

static bool fits(const struct search *s, int dirfd, const char *name, const struct stat *st)
{
	return st->st_ino == s->ino && (s->any_dev || st->st_dev == s->dev) &&
	       handle_fits(s->handle, dirfd, name);
}

static int search_dir(struct search *s, int fd, int depth);

/* One name of the directory @fd. 1: found, s->path is it. */
static int search_name(struct search *s, int fd, const char *name, int depth)
{
	size_t len = s->path.len;
	struct stat st;
	int sub;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || buf_addf(&s->path, "/%s", name) < 0)
		return 0;
	if (fits(s, fd, name, &st))
		return 1;
	if (S_ISDIR(st.st_mode) && depth > 0 && st.st_dev == s->dev) {
		sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0 && search_dir(s, sub, depth - 1) == 1)
			return 1;
	}
	s->path.len = len;
	s->path.data[len] = '\0';
	return 0;
}

/* Searches below @fd (taken over). 1: found, s->path is it; 0: not. */
static int search_dir(struct search *s, int fd, int depth)
{
	struct dirent *e;
	int found = 0;
	DIR *dir = fdopendir(fd);

	if (!dir) {
		(void)close(fd); /* only looked at */
		return 0;
	}
	while (!found && s->left && !s->path.failed && (e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		s->left--;
		found = search_name(s, fd, e->d_name, depth);
	}
	(void)closedir(dir); /* only looked at */
	return found;
}

/* Below the directory @path of the tree. */
static int search_below(
	const struct file_dump *d, struct search *s, const char *path, int depth, char **ret)
{
	int fd = path_walk(file_dump_options(d)->root_fd, path, O_RDONLY | O_DIRECTORY, 0), r;

	if (fd < 0)
		return -ENOENT;
	s->left = ENTRIES_MAX;
	if (strcmp(path, "/") != 0)
		(void)buf_adds(&s->path, path); /* remembered as failed */
	r = search_dir(s, fd, depth);
	*ret = r == 1 ? buf_take(&s->path) : NULL;
	buf_done(&s->path);
	return *ret ? 0 : -ENOENT;
}

int path_find_other(
	const struct file_dump *d, const struct fd_view *v, const char *path, char **ret)
{
	struct search s = {.dev = v->st.st_dev, .ino = v->st.st_ino};
	autofree char *dir = strdup(path);
	int depth = 0;
	char *slash;

	if (!dir)
		return -ENOMEM;
	/* beside it first, then ever wider, up to the root: other names mostly are near */
	while ((slash = strrchr(dir, '/'))) {
		*slash = '\0';
		if (search_below(d, &s, *dir ? dir : "/", depth, ret) == 0)
			return 0;
		depth = DEPTH_MAX;
	}
	return -ENOENT;
}

/* ---- by handle ---- */

/* The path of what the handle opens, when the tree's root leads there too. */
static int open_handle(
	const struct file_dump *d, int mount, const struct path_inode *inode, char **ret)
{
	struct path_inode copy = *inode;
	autoclose int fd = -EBADF, again = -EBADF;
	autofree char *root = NULL, *path = NULL;
	struct stat st, st2;
	char name[32];
	size_t n;

	memcpy(copy.handle.f_handle, inode->bytes, sizeof(inode->bytes));
	fd = open_by_handle_at(mount, &copy.handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(name, sizeof(name), "self/fd/%d", fd);
	if (proc_readlink(file_dump_procfd(d), name, &path) < 0)
		return -ENOENT;
	snprintf(name, sizeof(name), "self/fd/%d", file_dump_options(d)->root_fd);
	if (proc_readlink(file_dump_procfd(d), name, &root) < 0)
		return -ENOENT;
	n = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(path, root, n) != 0)
		return -ENOENT;
	again = path_walk(file_dump_options(d)->root_fd, path + n, O_PATH | O_NOFOLLOW, 0);
	if (again < 0 || fstat(again, &st) < 0 || fstat(fd, &st2) < 0 || st.st_ino != st2.st_ino ||
		st.st_dev != st2.st_dev)
		return -ENOENT;
	*ret = strdup(path[n] ? path + n : "/");
	return *ret ? 0 : -ENOMEM;
}

static int find_on_mount(
	const struct file_dump *d, const char *mount, const struct path_inode *inode, char **ret)
{
	struct search s = {.ino = inode->ino, .any_dev = true, .handle = inode};
	autoclose int fd =
		path_walk(file_dump_options(d)->root_fd, mount, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -ENOENT;
	if (inode->handle.handle_bytes && open_handle(d, fd, inode, ret) == 0)
		return 0;
	s.dev = st.st_dev;
	if (st.st_ino == inode->ino && S_ISDIR(st.st_mode)) {
		*ret = strdup(mount);
		return *ret ? 0 : -ENOMEM;
	}
	return S_ISDIR(st.st_mode) ? search_below(d, &s, mount, DEPTH_MAX, ret) : -ENOENT;
}

int path_find_inode(const struct file_dump *d, const struct target *t,
	const struct path_inode *inode, char **ret)
{
	autobuf struct buf info = {0};
	char *line, *save, path[PATH_MAX];
	unsigned int maj, min;
	int r;

	r = proc_read(t->procfd, "mountinfo", &info);
	if (r < 0)
		return r;
	for (line = strtok_r(info.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &maj, &min, path) != 3 ||
			((maj << 20) | min) != inode->sdev)
			continue;
		if (find_on_mount(d, path, inode, ret) == 0)
			return 0;
	}
	return -ENOENT;
}
