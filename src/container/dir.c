// SPDX-License-Identifier: Apache-2.0
/* The state directories: where they are, their names and locks, and their removal. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/util.h"
#include "container/container-internal.h"
#include "container/dirs.h"

#define NAME_LEN_MAX 64

static const char *root_path(void)
{
	const char *s = getenv("KIST_ROOT");

	return s && *s ? s : CONTAINER_ROOT_DEFAULT;
}

int container_root_open(bool create, struct err *err)
{
	const char *path = root_path();
	int fd;

	if (path[0] != '/')
		return err_setx(
			err, -EINVAL, "the state directory '%s' must be an absolute path", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && create) {
		if (mkdir(path, 0711) < 0 && errno != EEXIST)
			return err_set(err, -errno, "cannot make the state directory '%s'", path);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return err_set(err, -errno, "cannot open the state directory '%s'", path);
	return fd;
}

int container_dirs_open(bool create, struct err *err)
{
	autoclose int root = container_root_open(create, err);
	int fd;

	if (root < 0)
		return root;
	if (create && mkdirat(root, "containers", 0711) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make '%s/containers'", root_path());
	fd = openat(root, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_set(err, -errno, "cannot open '%s/containers'", root_path());
	return fd;
}

int container_name_check(const char *name, struct err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_+-.";
	size_t n = strlen(name);

	if (n == 0 || n > NAME_LEN_MAX || name[0] == '.' || name[0] == '-' ||
		strspn(name, allowed) != n) {
		err_setx(err, -EINVAL, "'%s' is no name for a container", name);
		return err_hint(err,
			"1 to %d letters, digits and _ + - . with neither - nor . in front",
			NAME_LEN_MAX);
	}
	return 0;
}

int container_name_make(char **ret, struct err *err)
{
	static const char *const first[] = {"amber", "bold", "brisk", "calm", "clear", "deep",
		"eager", "fair", "fresh", "green", "keen", "light", "mild", "quick", "still",
		"warm"};
	static const char *const second[] = {"brook", "cedar", "cliff", "delta", "dune", "elm",
		"fern", "fjord", "grove", "heron", "larch", "lark", "otter", "reef", "stone",
		"wren"};
	uint32_t x;

	if (getrandom(&x, sizeof(x), 0) != sizeof(x))
		return err_set(err, -errno, "cannot get random bytes for a name");
	if (asprintf(ret, "%s-%s-%04x", first[x & 15], second[(x >> 4) & 15], x >> 16) < 0)
		return err_oom(err);
	return 0;
}

void container_host_name(const char *name, char *ret, size_t size)
{
	const char *root = root_path();
	size_t n = strlen(root);
	uint32_t h = 2166136261u; /* FNV-1a */

	while (n > 1 && root[n - 1] == '/')
		n--;
	if (n == strlen(CONTAINER_ROOT_DEFAULT) && strncmp(root, CONTAINER_ROOT_DEFAULT, n) == 0) {
		snprintf(ret, size, "%s", name);
		return;
	}
	while (n-- > 0)
		h = (h ^ (unsigned char)*root++) * 16777619u;
	snprintf(ret, size, "%s@%08x", name, h);
}

struct container *container_new(const char *name)
{
	struct container *c = calloc(1, sizeof(*c));
	char id[CONTAINER_HOST_NAME_MAX];

	if (!c)
		return NULL;
	c->dir_fd = c->data_fd = c->lock_fd = c->pidfd = -EBADF;
	c->exit_status = -1;
	c->name = strdup(name);
	container_host_name(name, id, sizeof(id));
	if (!c->name || asprintf(&c->cgroup, "/kist/%s", id) < 0) {
		free(c->name);
		free(c);
		return NULL;
	}
	return c;
}

static void close_fd(int *fd)
{
	autoclose int old = *fd;

	*fd = -EBADF;
}

void container_unlock(struct container *c)
{
	if (c->lock_fd < 0)
		return;
	/* A child may still have the fd: closing it alone would not do. */
	(void)flock(c->lock_fd, LOCK_UN);
	close_fd(&c->lock_fd);
}

int container_dir_lock(struct container *c, struct err *err)
{
	autoclose int fd = openat(c->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_set(err, -errno, "cannot open the directory of container '%s'", c->name);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot lock container '%s'", c->name);
	/* It may have been removed while we waited, and another may be there by that name. */
	if (fstat(fd, &st) < 0 || st.st_nlink == 0)
		return err_setx(err, -ENOENT, "container '%s' does not exist", c->name);
	c->lock_fd = TAKE_FD(fd);
	return 0;
}

int container_dir_make(struct container *c, struct err *err)
{
	autoclose int dirs = container_dirs_open(true, err);
	int r;

	if (dirs < 0)
		return dirs;
	if (mkdirat(dirs, c->name, 0700) < 0) {
		if (errno != EEXIST)
			return err_set(err, -errno, "cannot make the directory of container '%s'",
				c->name);
		err_setx(err, -EEXIST, "a container '%s' exists already", c->name);
		return err_hint(err, "choose another name with -n, or 'kist rm %s'", c->name);
	}
	c->dir_fd = openat(dirs, c->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	r = c->dir_fd < 0 ? -errno : container_dir_lock(c, err);
	if (r < 0)
		(void)err_set(err, r, "cannot open the new directory of container '%s'", c->name);
	else
		r = container_data_open(c, true, err);
	if (r < 0)
		(void)unlinkat(dirs, c->name, AT_REMOVEDIR); /* undoing */
	return r;
}

int container_list(char ***ret, struct err *err)
{
	autoclose int fd = container_dirs_open(false, err);
	autostrv char **names = NULL;
	autodir DIR *dir = NULL;
	struct dirent *e;
	int r = 0;

	if (fd == -ENOENT) {
		*ret = calloc(1, sizeof(**ret));
		return *ret ? 0 : err_oom(err);
	}
	if (fd < 0)
		return fd;
	dir = dir_open_at(fd, ".");
	if (!dir)
		return err_set(err, -errno, "cannot read '%s/containers'", root_path());
	while (r == 0 && (e = dir_next(dir)))
		if (e->d_name[0] != '.' && container_name_check(e->d_name, NULL) == 0)
			r = strv_push(&names, e->d_name);
	if (r == 0 && !names)
		names = calloc(1, sizeof(*names));
	if (r < 0 || !names)
		return err_oom(err);
	strv_sort(names);
	*ret = TAKE_PTR(names);
	return 0;
}

int container_dir_remove(struct container *c, struct err *err)
{
	autoclose int dirs = container_dirs_open(false, err);
	int r;

	if (dirs < 0)
		return dirs;
	r = container_data_remove(c, err);
	if (r < 0)
		return r;
	r = container_tree_clear(c->dir_fd, err);
	if (r < 0)
		return err_wrap(err, "cannot remove the files of container '%s'", c->name);
	if (unlinkat(dirs, c->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_set(
			err, -errno, "cannot remove the directory of container '%s'", c->name);
	return 0;
}
