// SPDX-License-Identifier: Apache-2.0
/*
 * Deleted files at restore: made under their old name, opened, and deleted again, so that /proc
 * shows what it showed. What has the name meanwhile steps aside for that moment; directories that
 * are gone too are made and removed around it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "base/util.h"
#include "cr/file/path.h"

#define ASIDE ".kist-aside"

struct ghost {
	int parent; /* directory of the name */
	char *name;
	char **made; /* directories that were made for it, outermost first */
	bool aside;  /* another file has the name: it waits as ASIDE */
	bool named;  /* the file stands under its name */
};

static void ghost_done(struct file_restore *r, struct ghost *g, mode_t mode)
{
	autoclose int dir = -EBADF;
	size_t n = strv_len(g->made);
	char *slash;

	/* each of these undoes a step of ours; nothing better can be done where one fails */
	if (g->named)
		(void)unlinkat(g->parent, g->name, S_ISDIR(mode) ? AT_REMOVEDIR : 0);
	if (g->aside)
		(void)renameat2(g->parent, ASIDE, g->parent, g->name, RENAME_NOREPLACE);
	autoclose_p(&g->parent);
	while (n-- > 0) {
		slash = strrchr(g->made[n], '/');
		*slash = '\0';
		dir = path_walk(file_restore_root(r), *g->made[n] ? g->made[n] : "/",
			O_PATH | O_DIRECTORY, 0);
		if (dir >= 0)
			(void)unlinkat(dir, slash + 1, AT_REMOVEDIR);
		autoclose_p(&dir);
		dir = -EBADF;
	}
	strv_free(g->made);
	free(g->name);
}

/* Opens directory @path below the root; makes it, and those above it, where it is missing. */
static int open_dir(struct file_restore *r, struct ghost *g, const char *path, struct err *err)
{
	autofree char *copy = strdup(path);
	autoclose int up = -EBADF;
	int fd, c;
	char *slash;

	if (!copy)
		return err_oom(err);
	fd = path_walk(file_restore_root(r), *path ? path : "/", O_PATH | O_DIRECTORY, 0);
	if (fd != -ENOENT)
		return fd < 0 ? err_set(err, fd, "cannot open directory '%s'", path) : fd;
	slash = strrchr(copy, '/');
	if (!slash)
		return err_set(err, fd, "cannot open directory '%s'", path);
	*slash = '\0';
	up = open_dir(r, g, copy, err);
	if (up < 0)
		return up;
	if (mkdirat(up, slash + 1, 0755) < 0)
		return err_set(err, -errno, "cannot make directory '%s'", path);
	c = strv_push(&g->made, path);
	if (c < 0)
		return err_oom(err);
	fd = openat(up, slash + 1, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "cannot open directory '%s'", path) : fd;
}

static int ghost_start(
	struct file_restore *r, const Kist__FilePath *p, struct ghost *g, struct err *err)
{
	autofree char *dir = strdup(p->path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	struct stat st;

	if (!dir)
		return err_oom(err);
	*slash = '\0';
	g->name = strdup(slash + 1);
	if (!g->name)
		return err_oom(err);
	if (!*g->name || strcmp(g->name, ".") == 0 || strcmp(g->name, "..") == 0)
		return err_setx(err, -EINVAL, "image: '%s' names no file", p->path);
	g->parent = open_dir(r, g, dir, err);
	if (g->parent < 0)
		return g->parent;
	if (fstatat(g->parent, g->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_set(err, -errno, "cannot look at '%s'", p->path);
	if (renameat2(g->parent, g->name, g->parent, ASIDE, RENAME_NOREPLACE) < 0)
		return err_set(err, -errno, "cannot move '%s' out of the way", p->path);
	g->aside = true;
	return 0;
}

static int link_other(
	struct file_restore *r, const Kist__FilePath *p, struct ghost *g, struct err *err)
{
	autoclose int fd = path_walk(file_restore_root(r), p->other, O_PATH | O_NOFOLLOW, 0);
	struct stat st;
	char self[32];

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, fd < 0 ? fd : -errno, "cannot find '%s' again", p->other);
	if ((st.st_mode & S_IFMT) != (p->mode & S_IFMT) ||
		(S_ISREG(st.st_mode) && (uint64_t)st.st_size != p->size))
		return err_setx(err, -ESTALE, "'%s' is another file now", p->other);
	snprintf(self, sizeof(self), "self/fd/%d", fd);
	if (linkat(file_restore_procfd(r), self, g->parent, g->name, AT_SYMLINK_FOLLOW) < 0)
		return err_set(err, -errno, "cannot link '%s' to '%s'", p->other, p->path);
	return 0;
}

static int make_node(const Kist__FilePath *p, struct ghost *g)
{
	if (S_ISDIR(p->mode))
		return mkdirat(g->parent, g->name, 0700);
	if (S_ISLNK(p->mode))
		return symlinkat(p->target ? p->target : "", g->parent, g->name);
	return mknodat(g->parent, g->name, (p->mode & S_IFMT) | 0600,
		makedev(p->rdev_major, p->rdev_minor));
}

static int fill_file(
	struct file_restore *r, const Kist__FilePath *p, struct ghost *g, struct err *err)
{
	autoclose int fd = openat(g->parent, g->name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, -errno, "cannot open '%s' again", p->path);
	return image_get_content(file_restore_image(r), p->content, fd, err);
}

static int set_attributes(const Kist__FilePath *p, struct ghost *g, struct err *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
		{.tv_sec = p->mtime_sec, .tv_nsec = (long)(p->mtime_nsec % 1000000000)}};

	if (fchownat(g->parent, g->name, p->uid, p->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
		(!S_ISLNK(p->mode) && fchmodat(g->parent, g->name, p->mode & 07777, 0) < 0) ||
		utimensat(g->parent, g->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(err, -errno, "cannot set owner and mode of '%s' again", p->path);
	return 0;
}

static int make_new(
	struct file_restore *r, const Kist__FilePath *p, struct ghost *g, struct err *err)
{
	int c;

	if (make_node(p, g) < 0)
		return err_set(err, -errno, "cannot make '%s' again", p->path);
	g->named = true;
	c = S_ISREG(p->mode) ? fill_file(r, p, g, err) : 0;
	return c < 0 ? c : set_attributes(p, g, err);
}

int path_ghost(
	struct file_restore *r, const Kist__FilePath *p, int flags, int *ret_fd, struct err *err)
{
	struct ghost g = {.parent = -EBADF};
	int c, fd;

	c = ghost_start(r, p, &g, err);
	if (c == 0 && p->other) {
		c = link_other(r, p, &g, err);
		g.named = c == 0;
	} else if (c == 0) {
		c = make_new(r, p, &g, err);
	}
	if (c == 0) {
		fd = path_walk(g.parent, g.name, flags, 0);
		if (fd < 0)
			c = err_set(err, fd, "cannot open '%s' again", p->path);
		else
			*ret_fd = fd;
	}
	ghost_done(r, &g, p->mode);
	return c;
}
