// SPDX-License-Identifier: Apache-2.0
/*
 * /dev: the nodes that every program counts on and those of the spec, the links, the console. The
 * directory is opened once; all else is done below that fd, a name at a time.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/util.h"
#include "mount/mount-internal.h"

static const struct {
	const char *name;
	unsigned int major, minor;
} nodes[] = {
	{"full", 1, 7},
	{"null", 1, 3},
	{"random", 1, 8},
	{"tty", 5, 0},
	{"urandom", 1, 9},
	{"zero", 1, 5},
};

static const struct {
	const char *name, *target;
} links[] = {
	{"core", "/proc/kcore"},
	{"fd", "/proc/self/fd"},
	{"stderr", "/proc/self/fd/2"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
};

struct node {
	const char *path; /* of the host's node, for the bind */
	mode_t mode;	  /* with the type */
	dev_t dev;
	uid_t uid;
	gid_t gid;
};

static bool is_node(const struct stat *st, const struct node *node)
{
	return (st->st_mode & S_IFMT) == (node->mode & S_IFMT) &&
	       (S_ISFIFO(node->mode) || st->st_rdev == node->dev);
}

/* The host's node over an empty file: where mknod(2) is refused (user namespaces). */
static int bind_node(int dir_fd, const char *name, const struct node *node, struct err *err)
{
	autoclose int src = fs_clone(AT_FDCWD, node->path, 0), at = -EBADF;
	struct stat st;
	int r;

	if (src < 0)
		return err_set(err, src, "cannot bind the host's '%s'", node->path);
	if (fstat(src, &st) < 0 || !is_node(&st, node))
		return err_setx(err, -ENODEV, "the host's '%s' is not the device %u:%u", node->path,
			major(node->dev), minor(node->dev));
	r = openat(dir_fd, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (r >= 0)
		close(r);
	else if (errno != EEXIST)
		return err_set(err, -errno, "cannot make '%s'", node->path);
	at = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (at < 0 || fstat(at, &st) < 0)
		return err_set(err, -errno, "cannot open '%s'", node->path);
	if (S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode))
		return err_setx(err, -EEXIST, "'%s' in the rootfs is no device", node->path);
	r = fs_set_propagation(src, MS_PRIVATE, false);
	if (r == 0)
		r = fs_attach(src, at);
	return r < 0 ? err_set(err, r, "cannot bind the host's '%s'", node->path) : 0;
}

static int make_node(const struct rootfs_plan *plan, int dir_fd, const char *name,
	const struct node *node, struct err *err)
{
	struct stat st;

	if (mknodat(dir_fd, name, node->mode, node->dev) == 0) {
		/* the umask is 0 here, so the mode is as asked */
		if ((node->uid || node->gid) &&
			fchownat(dir_fd, name, node->uid, node->gid, AT_SYMLINK_NOFOLLOW) < 0)
			return err_set(err, -errno, "cannot set the owner of '%s'", node->path);
		return 0;
	}
	if (errno == EEXIST) {
		if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_node(&st, node))
			return 0;
		if (!plan->userns)
			return err_setx(err, -EEXIST,
				"'%s' in the rootfs is something else than the device %u:%u",
				node->path, major(node->dev), minor(node->dev));
	} else if (errno != EPERM) {
		return err_set(err, -errno, "cannot make the device '%s'", node->path);
	}
	return bind_node(dir_fd, name, node, err);
}

static int make_default_nodes(const struct rootfs_plan *plan, int dev_fd, struct err *err)
{
	char path[64];
	size_t i;
	int r = 0;

	for (i = 0; i < ARRAY_SIZE(nodes) && r == 0; i++) {
		const struct node node = {.path = path,
			.mode = S_IFCHR | 0666,
			.dev = makedev(nodes[i].major, nodes[i].minor)};

		snprintf(path, sizeof(path), "/dev/%s", nodes[i].name);
		r = make_node(plan, dev_fd, nodes[i].name, &node, err);
	}
	return r;
}

static int make_links(int dev_fd, struct err *err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(links); i++)
		/* one that is there already is the image's own choice */
		if (symlinkat(links[i].target, dev_fd, links[i].name) < 0 && errno != EEXIST)
			return err_set(err, -errno, "cannot make '/dev/%s'", links[i].name);
	/* of the container's own devpts, never a node of the host's */
	if (unlinkat(dev_fd, "ptmx", 0) < 0 && errno != ENOENT)
		return err_set(err, -errno, "cannot replace '/dev/ptmx'");
	if (symlinkat("pts/ptmx", dev_fd, "ptmx") < 0)
		return err_set(err, -errno, "cannot make '/dev/ptmx'");
	return 0;
}

static int make_spec_node(
	const struct rootfs_plan *plan, int root_fd, const struct spec_device *d, struct err *err)
{
	const mode_t type = d->type == 'b' ? S_IFBLK : d->type == 'p' ? S_IFIFO : S_IFCHR;
	const char *base = strrchr(d->path, '/');
	autofree char *parent = base ? strndup(d->path, (size_t)(base - d->path)) : NULL;
	autoclose int dir = -EBADF;
	struct node node = {
		.path = d->path,
		.mode = type | (d->file_mode == SPEC_UNSET ? 0666 : (mode_t)d->file_mode & 07777),
		.dev = makedev((unsigned int)d->major, (unsigned int)d->minor),
		.uid = d->uid,
		.gid = d->gid,
	};

	if (!base || !base[1])
		return err_setx(err, -EINVAL, "'%s' is no path of a device", d->path);
	if (!parent)
		return err_oom(err);
	dir = walk_mkdir(root_fd, parent);
	if (dir < 0)
		return err_set(err, dir, "cannot make the directory of '%s'", d->path);
	return make_node(plan, dir, base + 1, &node, err);
}

int dev_setup(const struct rootfs_plan *plan, int root_fd, struct err *err)
{
	const struct spec_linux *l = &plan->spec->linux_;
	autoclose int dev_fd = walk_mkdir(root_fd, "dev");
	size_t i;
	int r = 0;

	if (dev_fd < 0)
		return err_set(err, dev_fd, "cannot open '/dev' of the rootfs");
	/* the spec's first: it may want another mode or owner for one of the default ones */
	for (i = 0; i < l->n_devices && r == 0; i++)
		if (strcmp(l->devices[i].path, "/dev/ptmx") != 0) /* always the container's own */
			r = make_spec_node(plan, root_fd, &l->devices[i], err);
	if (r == 0)
		r = make_default_nodes(plan, dev_fd, err);
	return r < 0 ? r : make_links(dev_fd, err);
}

int dev_console(int console_fd, struct err *err)
{
	autoclose int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), dev = -EBADF;
	autoclose int at = -EBADF, mnt = -EBADF;
	struct stat st;
	int r;

	dev = root < 0 ? -errno : walk_open(root, "dev", O_PATH | O_DIRECTORY);
	if (dev < 0)
		return err_set(err, dev, "cannot open '/dev'");
	if (!isatty(console_fd))
		return err_setx(err, -ENOTTY, "the console is no terminal");
	r = openat(dev, "console", O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (r >= 0)
		close(r);
	at = openat(dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (at < 0 || fstat(at, &st) < 0)
		return err_set(err, -errno, "cannot make '/dev/console'");
	if (S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode))
		return err_setx(
			err, -EEXIST, "'/dev/console' in the rootfs is a link or directory");
	mnt = fs_clone(console_fd, "", AT_EMPTY_PATH);
	r = mnt < 0 ? mnt : fs_attach(mnt, at);
	return r < 0 ? err_set(err, r, "cannot bind the terminal at '/dev/console'") : 0;
}
