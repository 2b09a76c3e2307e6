// SPDX-License-Identifier: Apache-2.0
/*
 * Inodes with a name: regular files, directories, fifos, device nodes. Dump checks that the path
 * still leads to the inode from the root of the tree; restore checks that it leads to a fitting
 * one. A file whose name is gone is carried by the image, or found under another name.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "base/util.h"
#include "cr/file/file-internal.h"
#include "cr/file/path.h"
#include "cr/file/view.h"
#include "sys/proc.h"
#include "sys/syscall.h"

#define DELETED " (deleted)"

void path_dump_done(struct path_dump *p)
{
	free(p->path);
	free(p->other);
	free(p->target);
}

Kist__FilePath *path_dump_take(struct path_dump *p)
{
	Kist__FilePath *msg = malloc(sizeof(*msg));

	if (msg)
		*msg = p->msg; /* with its strings */
	else
		path_dump_done(p);
	return msg;
}

int path_walk(int root_fd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {.flags = (unsigned int)flags | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};

	if (!(flags & O_PATH))
		how.flags |= O_NOCTTY;
	return sys_openat2(root_fd, path, &how);
}

/* ---- dump ---- */

/* 1: @path leads to the inode of the view, 0: elsewhere or nowhere. */
static int leads_to(const struct file_dump *d, const struct fd_view *v, const char *path)
{
	autoclose int fd = path_walk(file_dump_options(d)->root_fd, path, O_PATH | O_NOFOLLOW, 0);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == v->st.st_ino &&
	       st.st_dev == v->st.st_dev;
}

/* The link as a path below the tree's root: what readlink shows of the root is cut off. */
static int inside_path(struct file_dump *d, const struct fd_view *v, char **ret, struct err *err)
{
	autofree char *root = NULL;
	char name[32];
	size_t n;
	int r;

	if (v->link[0] != '/')
		return file_refuse(v, err, -ENOTSUP, "it has no path");
	snprintf(name, sizeof(name), "self/fd/%d", file_dump_options(d)->root_fd);
	r = proc_readlink(file_dump_procfd(d), name, &root);
	if (r < 0)
		return err_set(err, r, "cannot tell the path of the root directory");
	n = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (n && (strncmp(v->link, root, n) != 0 || (v->link[n] != '/' && v->link[n]))) {
		(void)file_refuse(v, err, -EXDEV, "it lies outside of the root '%s'", root);
		return err_hint(err, "close it, or open it inside of the root");
	}
	*ret = strdup(v->link[n] ? v->link + n : "/");
	return *ret ? 0 : err_oom(err);
}

static void fill_stat(Kist__FilePath *p, const struct stat *st)
{
	p->mode = st->st_mode;
	p->has_uid = p->has_gid = p->has_size = p->has_mtime_sec = p->has_mtime_nsec = true;
	p->uid = st->st_uid;
	p->gid = st->st_gid;
	p->size = st->st_size;
	p->mtime_sec = st->st_mtim.tv_sec;
	p->mtime_nsec = st->st_mtim.tv_nsec;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		p->has_rdev_major = p->has_rdev_minor = true;
		p->rdev_major = major(st->st_rdev);
		p->rdev_minor = minor(st->st_rdev);
	}
}

/* What the image must hold of an inode that no name leads to any more. */
static int dump_ghost(struct file_dump *d, const struct fd_view *v, uint32_t id,
	struct path_dump *p, struct err *err)
{
	autoclose int fd = -EBADF;
	uint32_t first;
	int r;

	r = file_dump_inode(d, v, id, &first, err);
	if (r < 0)
		return r;
	if (first != id) {
		p->msg.has_inode_of = true;
		p->msg.inode_of = first;
		return 0;
	}
	r = file_view_owner(v, &v->st, &p->msg.uid, &p->msg.gid, err);
	if (r < 0)
		return r;
	if (S_ISLNK(v->st.st_mode)) {
		r = proc_readlink(v->local, "", &p->target);
		p->msg.target = p->target;
		return r < 0 ? file_refuse(v, err, r, "cannot be read: %s", strerror(-r)) : 0;
	}
	if (!S_ISREG(v->st.st_mode))
		return 0;
	fd = file_view_reopen(v, O_RDONLY);
	if (fd < 0)
		return file_refuse(
			v, err, fd, "it is deleted and cannot be read: %s", strerror(-fd));
	p->msg.has_content = true;
	return image_put_content(file_dump_writer(d), fd, v->st.st_size, &p->msg.content, err);
}

static int dump_nameless(struct file_dump *d, const struct fd_view *v, uint32_t id,
	struct path_dump *p, struct err *err)
{
	size_t len = strlen(p->path), cut = strlen(DELETED);

	if (len <= cut || strcmp(p->path + len - cut, DELETED) != 0) {
		(void)file_refuse(
			v, err, -ESTALE, "its path leads to another file now, or nowhere");
		return err_hint(err, "it was opened outside of the container, or something is "
				     "mounted over it: close it, or unmount that");
	}
	p->path[len - cut] = '\0';
	p->msg.has_deleted = p->msg.deleted = true;
	if (!S_ISDIR(v->st.st_mode) && v->st.st_nlink > 0) {
		if (path_find_other(d, v, p->path, &p->other) == 0) {
			p->msg.other = p->other;
			return 0;
		}
		(void)file_refuse(
			v, err, -ENOTSUP, "its name is gone, and its other name was not found");
		return err_hint(err, "give it a name beside '%s' again", p->path);
	}
	return dump_ghost(d, v, id, p, err);
}

int path_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct path_dump *ret,
	struct err *err)
{
	struct path_dump p = {.msg = KIST__FILE_PATH__INIT};
	int r;

	r = inside_path(d, v, &p.path, err);
	if (r == 0) {
		fill_stat(&p.msg, &v->st);
		if (!leads_to(d, v, p.path))
			r = dump_nameless(d, v, id, &p, err);
	}
	if (r < 0) {
		path_dump_done(&p);
		return r;
	}
	p.msg.path = p.path;
	*ret = p;
	return 0;
}

int path_dump_device(struct file_dump *d, const struct fd_view *v, uint32_t id,
	struct path_dump *ret, struct err *err)
{
	struct path_dump p = {.msg = KIST__FILE_PATH__INIT};
	autoclose int fd = path_walk(file_dump_options(d)->root_fd, v->link, O_PATH, 0);
	struct stat st;

	if (leads_to(d, v, v->link) || fd < 0 || fstat(fd, &st) < 0 ||
		(st.st_mode & S_IFMT) != (v->st.st_mode & S_IFMT) || st.st_rdev != v->st.st_rdev)
		return path_dump(d, v, id, ret, err);
	p.path = strdup(v->link);
	if (!p.path)
		return err_oom(err);
	fill_stat(&p.msg, &v->st);
	p.msg.path = p.path;
	*ret = p;
	return 0;
}

/* ---- restore ---- */

int path_check(const Kist__FilePath *p, struct err *err)
{
	if (p->path[0] != '/' || strlen(p->path) >= PATH_MAX)
		return err_setx(err, -EINVAL, "image: '%.200s' is no absolute path", p->path);
	if (!S_ISREG(p->mode) && !S_ISDIR(p->mode) && !S_ISFIFO(p->mode) && !S_ISCHR(p->mode) &&
		!S_ISBLK(p->mode) && !S_ISLNK(p->mode) && !S_ISSOCK(p->mode))
		return err_setx(err, -EINVAL, "image: '%s' has no file type", p->path);
	if (p->other && p->other[0] != '/')
		return err_setx(err, -EINVAL, "image: '%.200s' is no absolute path", p->other);
	if (p->deleted && !p->other && !p->inode_of && S_ISREG(p->mode) && !p->has_content)
		return err_setx(err, -EINVAL, "image: deleted '%s' has no content", p->path);
	return 0;
}

/* Does the file at the path still fit what was saved? */
static int check_found(const Kist__FilePath *p, const struct stat *st, struct err *err)
{
	if ((st->st_mode & S_IFMT) != (p->mode & S_IFMT)) {
		(void)err_setx(err, -ESTALE, "'%s' is of another type now", p->path);
		return err_hint(err, "restore the file system to what it was at the checkpoint");
	}
	if ((S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) &&
		st->st_rdev != makedev(p->rdev_major, p->rdev_minor))
		return err_setx(err, -ESTALE, "'%s' is another device now", p->path);
	if (S_ISREG(st->st_mode) && p->has_size && (uint64_t)st->st_size != p->size) {
		(void)err_setx(err, -ESTALE, "'%s' has another size now (%llu, was %llu)", p->path,
			(unsigned long long)st->st_size, (unsigned long long)p->size);
		return err_hint(err, "restore the file system to what it was at the checkpoint");
	}
	return 0;
}

/* The flags that open(2) takes again: the others only were of use to the first open. */
static int open_flags(const Kist__FilePath *p, int flags)
{
	int keep = O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_DIRECT | O_NOATIME |
		   O_NOFOLLOW | O_DIRECTORY | FILE_O_LARGEFILE;

	if (flags & O_PATH)
		keep = O_PATH | O_NOFOLLOW | O_DIRECTORY;
	if (!S_ISDIR(p->mode))
		keep &= ~O_DIRECTORY; /* comes with O_TMPFILE */
	return flags & keep;
}

static int open_named(
	struct file_restore *r, const Kist__FilePath *p, int flags, int *ret_fd, struct err *err)
{
	autoclose int look = -EBADF, fd = -EBADF;
	struct stat st, st2;
	int c;

	look = path_walk(file_restore_root(r), p->path, O_PATH | O_NOFOLLOW, 0);
	if (look < 0 || fstat(look, &st) < 0)
		return err_set(err, look < 0 ? look : -errno, "cannot find '%s' again", p->path);
	c = check_found(p, &st, err);
	if (c < 0)
		return c;
	if (S_ISLNK(st.st_mode) && !(flags & O_PATH))
		return err_setx(err, -EINVAL, "image: '%s' is a link", p->path);
	fd = path_walk(file_restore_root(r), p->path, flags, 0);
	if (fd < 0 || fstat(fd, &st2) < 0)
		return err_set(err, fd < 0 ? fd : -errno, "cannot open '%s' again", p->path);
	if (st.st_ino != st2.st_ino || st.st_dev != st2.st_dev)
		return err_setx(err, -ESTALE, "'%s' changes while it is opened", p->path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int path_open(
	struct file_restore *r, const Kist__FilePath *p, int flags, int *ret_fd, struct err *err)
{
	int fd;

	flags = open_flags(p, flags);
	if (!p->deleted)
		return open_named(r, p, flags, ret_fd, err);
	if (!p->inode_of)
		return path_ghost(r, p, flags, ret_fd, err);
	fd = file_restore_fd(r, p->inode_of);
	if (fd < 0)
		return 1;
	fd = file_reopen(r, fd, flags & ~O_NOFOLLOW);
	if (fd < 0)
		return err_set(err, fd, "cannot open deleted '%s' again", p->path);
	*ret_fd = fd;
	return 0;
}
