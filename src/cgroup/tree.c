// SPDX-License-Identifier: Apache-2.0
/* Directories of one hierarchy: make with parents, remove whole trees, list the processes below. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/util.h"
#include "cgroup/cgroup-internal.h"

#define PROCS_MAX (64u << 20)

const char *cgroup_relative(const char *path)
{
	while (*path == '/')
		path++;
	return *path ? path : ".";
}

static int make_once(int fd, const char *path)
{
	char part[PATH_MAX];
	const char *slash = path;
	int made = 0;

	if (strlen(path) >= sizeof(part))
		return -ENAMETOOLONG;
	for (;;) {
		slash = strchr(slash, '/');
		if (slash) {
			memcpy(part, path, slash - path);
			part[slash++ - path] = '\0';
		} else {
			strcpy(part, path);
		}
		made = mkdirat(fd, part, 0755) == 0;
		if (!made && errno != EEXIST)
			return -errno;
		if (!slash)
			return made;
	}
}

int cgroup_tree_make(int hierarchy_fd, const char *path)
{
	int r, tries = 10;

	/* The parent may vanish under us, when another kist removes the last cgroup in it. */
	do
		r = make_once(hierarchy_fd, cgroup_relative(path));
	while (r == -ENOENT && --tries);
	return r;
}

/* The first subdirectory of @fd in @name (NAME_MAX + 1 bytes): 1, or 0 when there is none. */
static int first_child(int fd, char *name)
{
	autodir DIR *dir = dir_open_at(fd, ".");
	struct dirent *e;

	if (!dir)
		return -errno;
	while ((e = dir_next(dir)))
		if (e->d_type == DT_DIR) {
			strcpy(name, e->d_name);
			return 1;
		}
	return 0;
}

/*
 * Walks with "..", holding one fd: what runs in a container may have nested its cgroups deeper
 * than we have fds or than a path may be long.
 */
int cgroup_tree_clear(int fd)
{
	autoclose int cur = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_MAX + 1];
	size_t depth = 0;
	int r, next;

	if (cur < 0)
		return -errno;
	for (;;) {
		r = first_child(cur, name);
		if (r < 0)
			return r;
		if (r == 0 && depth == 0)
			return 0;
		if (r && unlinkat(cur, name, AT_REMOVEDIR) == 0)
			continue;
		next = openat(cur, r ? name : "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (next < 0)
			return -errno;
		(void)close(cur); /* only read from */
		cur = next;
		depth += r ? 1 : -1;
		/* A leaf that did not go is in use. */
		if (r && first_child(cur, name) == 0)
			return -EBUSY;
	}
}

int cgroup_tree_remove(int hierarchy_fd, const char *path)
{
	autofree char *p = strdup(cgroup_relative(path));
	const char *keep = cgroup_relative(CGROUP_PARENT);
	size_t keep_len = strlen(keep);
	char *slash;

	if (!p)
		return -ENOMEM;
	if (unlinkat(hierarchy_fd, p, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	if (strncmp(p, keep, keep_len) != 0 || p[keep_len] != '/')
		return 0;
	while ((slash = strrchr(p, '/'))) {
		*slash = '\0';
		if (unlinkat(hierarchy_fd, p, AT_REMOVEDIR) < 0)
			break; /* others are in it */
	}
	return 0;
}

/* Adds the ids in a file; with @pids NULL it only counts them. */
static int add_pids(int fd, const char *path, pid_t **pids, size_t *n, size_t *cap)
{
	autobuf struct buf b = {0};
	char *save, *word;
	int r, pid;

	r = file_read_at(fd, path, &b, PROCS_MAX);
	/* Gone meanwhile, or a threaded cgroup, whose processes its domain lists. */
	if (r == -ENOENT || r == -ENODEV || r == -EOPNOTSUPP)
		return 0;
	if (r < 0 || !b.len)
		return r;
	for (word = strtok_r(b.data, "\n", &save); word; word = strtok_r(NULL, "\n", &save)) {
		if (parse_int(word, &pid) < 0 || pid <= 0)
			continue; /* 0: a process that our pid namespace does not show */
		if (pids && array_reserve(pids, cap, *n + 1, sizeof(**pids)) < 0)
			return -ENOMEM;
		if (pids)
			(*pids)[*n] = pid;
		(*n)++;
	}
	return 0;
}

/* Appends the paths of @path's subdirectories to *@list. */
static int add_children(int fd, const char *path, char ***list)
{
	autodir DIR *dir = dir_open_at(fd, path);
	char child[PATH_MAX];
	struct dirent *e;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (e = dir_next(dir))) {
		if (e->d_type != DT_DIR)
			continue;
		if (strlen(path) + strlen(e->d_name) + 32 > sizeof(child))
			r = -ENAMETOOLONG;
		else if (stpcpy(stpcpy(stpcpy(child, path), "/"), e->d_name))
			r = strv_push(list, child);
	}
	return r;
}

static int tree_ids(int fd, const char *name, pid_t **pids, size_t *n, size_t *cap)
{
	autostrv char **list = NULL;
	char file[PATH_MAX];
	size_t i;
	int r;

	r = strv_push(&list, ".");
	for (i = 0; r == 0 && list[i]; i++) {
		(void)stpcpy(stpcpy(stpcpy(file, list[i]), "/"), name); /* add_children left room */
		r = add_pids(fd, file, pids, n, cap);
		if (r == 0)
			r = add_children(fd, list[i], &list);
	}
	return r;
}

int cgroup_tree_pids(int fd, pid_t **pids, size_t *n, size_t *cap)
{
	return tree_ids(fd, "cgroup.procs", pids, n, cap);
}

int cgroup_tree_threads(int fd, size_t *n)
{
	int r = tree_ids(fd, "cgroup.threads", NULL, n, NULL);

	if (r == 0 && *n == 0) /* v1's name for it */
		r = tree_ids(fd, "tasks", NULL, n, NULL);
	return r;
}
