// SPDX-License-Identifier: Apache-2.0
/*
 * The data directory of a container: what it changes in its files (upper/, work/). That may be
 * much, and /run is memory on most hosts, so it lies on disk: below KIST_DATA, or /var/lib/kist.
 * With a KIST_ROOT of one's own it is the state directory itself.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/util.h"
#include "container/container-internal.h"
#include "container/dirs.h"

#define DATA_DEFAULT "/var/lib/kist"

/* NULL: the state directory. */
static const char *data_path(void)
{
	const char *data = getenv("KIST_DATA"), *root = getenv("KIST_ROOT");

	if (data && *data)
		return data;
	return root && *root ? NULL : DATA_DEFAULT;
}

static int open_root(const char *path, bool create, struct err *err)
{
	int fd;

	if (path[0] != '/')
		return err_setx(
			err, -EINVAL, "the data directory '%s' must be an absolute path", path);
	if (create && mkdir(path, 0711) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make the data directory '%s'", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "cannot open the data directory '%s'", path);
	return fd;
}

/* What lies there without a state is of a container that a reboot has ended: it gives way. */
static int make_dir(int root, struct container *c, struct err *err)
{
	autoclose int old = -EBADF;
	int r;

	if (mkdirat(root, c->name, 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return err_set(
			err, -errno, "cannot make the data directory of container '%s'", c->name);
	old = openat(root, c->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	r = old < 0 ? err_set(err, -errno, "cannot open what is left of a container '%s'", c->name)
		    : container_tree_clear(old, err);
	return r;
}

int container_data_open(struct container *c, bool create, struct err *err)
{
	const char *path = data_path();
	autoclose int root = -EBADF;
	int r;

	if (!path) {
		c->data_fd = openat(c->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return c->data_fd < 0
			       ? err_set(err, -errno, "cannot open the directory of '%s'", c->name)
			       : 0;
	}
	root = open_root(path, create, err);
	if (root < 0)
		return root;
	r = create ? make_dir(root, c, err) : 0;
	if (r < 0)
		return r;
	c->data_fd = openat(root, c->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (c->data_fd < 0)
		return err_set(
			err, -errno, "cannot open the data directory of container '%s'", c->name);
	return 0;
}

int container_data_remove(struct container *c, struct err *err)
{
	const char *path = data_path();
	autoclose int root = -EBADF;
	int r;

	if (!path || c->data_fd < 0)
		return 0; /* goes with the state directory, or was never made */
	r = container_tree_clear(c->data_fd, err);
	if (r < 0)
		return err_wrap(err, "cannot remove the files of container '%s'", c->name);
	root = open_root(path, false, err);
	if (root < 0)
		return root;
	if (unlinkat(root, c->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_set(
			err, -errno, "cannot remove the data directory of container '%s'", c->name);
	return 0;
}
