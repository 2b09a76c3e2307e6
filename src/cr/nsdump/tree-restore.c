// SPDX-License-Identifier: Apache-2.0
/*
 * A tree of files out of the image, by fd: every directory on the way was made or checked here, and
 * no name is followed. The image is hostile until tree_check has passed.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/util.h"
#include "cr/nsdump/mount-internal.h"

#define DEPTH_MAX 256

struct level { /* a directory whose entries are being made */
	const Kist__TreeEntry *e;
	int fd;
	char **names; /* made in it */
};

struct rebuild {
	const struct image *img;
	const struct idmaps *ids;
	size_t first; /* index of the record of entry 1 */
	struct level stack[DEPTH_MAX];
	size_t depth;
};

static const Kist__TreeEntry *entry_at(const struct image *img, size_t i)
{
	return (const Kist__TreeEntry *)image_get(img, RECORD_TMPFS, i);
}

static bool name_valid(const ProtobufCBinaryData *n)
{
	return n->len > 0 && n->len <= 255 && !memchr(n->data, '/', n->len) &&
	       !memchr(n->data, '\0', n->len) && !(n->len == 1 && n->data[0] == '.') &&
	       !(n->len == 2 && n->data[0] == '.' && n->data[1] == '.');
}

/* @first: the root of the tree that @i belongs to. */
static int check_entry(const struct image *img, size_t first, size_t i, struct err *err)
{
	const Kist__TreeEntry *e = entry_at(img, i), *up, *other;
	uint64_t size;

	if (e->number != i - first + 1 || e->parent >= e->number)
		goto damaged;
	if (e->number == 1) {
		if (e->name.len || e->parent || e->has_same_as || !S_ISDIR(e->mode))
			goto damaged;
		return 0;
	}
	up = e->parent ? entry_at(img, first + e->parent - 1) : NULL;
	if (!name_valid(&e->name) || !up || !S_ISDIR(up->mode) || up->has_same_as)
		goto damaged;
	if (e->has_same_as) {
		if (e->same_as < 2 || e->same_as >= e->number)
			goto damaged;
		other = entry_at(img, first + e->same_as - 1);
		if (other->has_same_as || S_ISDIR(other->mode) ||
			(other->mode & S_IFMT) != (e->mode & S_IFMT))
			goto damaged;
	}
	if (e->has_object &&
		(!S_ISREG(e->mode) || image_content_size(img, e->object, &size, err) < 0))
		goto damaged;
	if (S_ISLNK(e->mode) && (e->target.len == 0 || !bytes_plain(&e->target)))
		goto damaged;
	return 0;
damaged:
	return err_setx(err, -EBADMSG, "the image is damaged: impossible file entry %u ('%.*s')",
		e->number, (int)MIN(e->name.len, (size_t)255), (const char *)e->name.data);
}

int tree_check(const struct image *img, struct err *err)
{
	size_t i, first = 0, n = image_count(img, RECORD_TMPFS);
	int r = 0;

	if (n && entry_at(img, 0)->number != 1)
		return err_setx(err, -EBADMSG, "the image is damaged: a tree of files has no root");
	for (i = 0; r == 0 && i < n; i++) {
		if (entry_at(img, i)->number == 1)
			first = i;
		r = check_entry(img, first, i, err);
	}
	return r;
}

static void copy_name(const Kist__TreeEntry *e, char name[256])
{
	memcpy(name, e->name.data, e->name.len); /* ≤ 255, checked */
	name[e->name.len] = '\0';
}

/* Removes @name whatever it is. A mount point (EBUSY) stays. */
static int remove_all(int dirfd, const char *name, unsigned int depth)
{
	autoclose int fd = -EBADF;
	autodir DIR *dir = NULL;
	struct dirent *e;
	int r = 0;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != ENOTEMPTY || depth > DEPTH_MAX)
		return -errno;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : dir_open_at(fd, ".");
	if (!dir)
		return -errno;
	while (r == 0 && (e = dir_next(dir)))
		r = remove_all(fd, e->d_name, depth + 1);
	if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

/* What the fresh file system has and the saved one had not, e.g. a node that was removed. */
static int remove_foreign(struct level *l)
{
	autodir DIR *dir = dir_open_at(l->fd, ".");
	struct dirent *e;
	int r = 0;

	if (!dir)
		return -errno;
	strv_sort(l->names);
	while (r == 0 && (e = dir_next(dir))) {
		if (!strv_sorted_has(l->names, e->d_name))
			r = remove_all(l->fd, e->d_name, 0);
		if (r == -EBUSY)
			r = 0; /* create has mounted something there */
	}
	return r;
}

static uint32_t owner(const struct idmap *m, uint32_t id)
{
	return id == IDMAP_NONE || !m ? id : idmap_outside(m, id);
}

/* Owner, mode, attributes, times. @fd: O_PATH (or more) of the file itself. */
static int set_metadata(struct rebuild *b, int fd, const Kist__TreeEntry *e)
{
	const struct timespec times[2] = {{.tv_sec = e->atime, .tv_nsec = e->atime_ns},
		{.tv_sec = e->mtime, .tv_nsec = e->mtime_ns}};
	uint32_t uid = owner(b->ids ? &b->ids->uid : NULL, e->uid);
	uint32_t gid = owner(b->ids ? &b->ids->gid : NULL, e->gid);
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* IDMAP_NONE is what chown(2) takes for "leave it" */
	if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return -errno;
	if (!S_ISLNK(e->mode) && chmod(path, e->mode & 07777) < 0)
		return -errno;
	r = xattrs_write(fd, e->xattrs, e->n_xattrs);
	if (r < 0)
		return r;
	/* by the magic link: utimensat has AT_EMPTY_PATH only since Linux 5.8, and not for all */
	return utimensat(AT_FDCWD, path, times, 0) < 0 && !S_ISLNK(e->mode) ? -errno : 0;
}

static int fail(const Kist__TreeEntry *e, int r, struct err *err)
{
	if (e->number == 1)
		return err_set(err, r, "cannot restore the top directory of a file tree");
	return err_set(err, r, "cannot restore the file '%.*s'", (int)e->name.len,
		(const char *)e->name.data);
}

static int leave_dir(struct rebuild *b, struct err *err)
{
	struct level *l = &b->stack[--b->depth];
	int r = remove_foreign(l);

	if (r == 0)
		r = set_metadata(b, l->fd, l->e);
	strv_free(l->names);
	if (b->depth)
		(void)close(l->fd); /* a directory; the lowest is the caller's */
	return r < 0 ? fail(l->e, r, err) : 0;
}

static int enter_dir(struct rebuild *b, int fd, const Kist__TreeEntry *e)
{
	if (b->depth == DEPTH_MAX)
		return -ELOOP;
	b->stack[b->depth++] = (struct level){.e = e, .fd = fd};
	return 0;
}

/* The path of entry @number below the root of its tree. */
static int entry_path(struct rebuild *b, uint32_t number, struct buf *path)
{
	const Kist__TreeEntry *e = entry_at(b->img, b->first + number - 1);
	int r;

	if (e->parent > 1) {
		r = entry_path(b, e->parent, path);
		if (r < 0)
			return r;
		(void)buf_adds(path, "/"); /* a failure is remembered */
	}
	return buf_add(path, e->name.data, e->name.len);
}

static int make_link(struct rebuild *b, int dirfd, const char *name, const Kist__TreeEntry *e)
{
	autobuf struct buf path = {0};
	int r = entry_path(b, e->same_as, &path);

	if (r == 0)
		r = remove_all(dirfd, name, 0);
	if (r == 0 && linkat(b->stack[0].fd, buf_str(&path), dirfd, name, 0) < 0)
		r = -errno;
	return r;
}

static int make_file(
	struct rebuild *b, int dirfd, const char *name, const Kist__TreeEntry *e, struct err *err)
{
	autoclose int fd =
		openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(e, -errno, err);
	if (e->has_object && image_get_content(b->img, e->object, fd, err) < 0)
		return err_wrap(err, "file '%s'", name);
	return 0;
}

/* Is what stands there already what the entry asks for? Then it may be a mount's anchor. */
static bool same_kind(const struct stat *st, const Kist__TreeEntry *e)
{
	if ((st->st_mode & S_IFMT) != (e->mode & S_IFMT))
		return false;
	if (S_ISCHR(e->mode) || S_ISBLK(e->mode))
		return st->st_rdev == makedev(e->major, e->minor);
	return S_ISDIR(e->mode) || S_ISFIFO(e->mode) || S_ISSOCK(e->mode);
}

static int make_node(
	struct rebuild *b, int dirfd, const char *name, const Kist__TreeEntry *e, struct err *err)
{
	autofree char *target = NULL;
	struct stat st;
	int r;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (same_kind(&st, e))
			return 0;
		r = remove_all(dirfd, name, 0);
		if (r == -EBUSY && (S_ISDIR(st.st_mode) ? 1 : 0) == (S_ISDIR(e->mode) ? 1 : 0))
			return 0; /* create has mounted something there */
		if (r < 0)
			return fail(e, r, err);
	}
	switch (e->mode & S_IFMT) {
	case S_IFREG:
		return make_file(b, dirfd, name, e, err);
	case S_IFDIR:
		r = mkdirat(dirfd, name, 0700);
		break;
	case S_IFLNK:
		target = bytes_dup(&e->target);
		if (!target)
			return err_oom(err);
		r = symlinkat(target, dirfd, name);
		break;
	default:
		r = mknodat(dirfd, name, (e->mode & S_IFMT) | 0600, makedev(e->major, e->minor));
	}
	return r < 0 ? fail(e, -errno, err) : 0;
}

static int make_entry(struct rebuild *b, const Kist__TreeEntry *e, struct err *err)
{
	struct level *l = &b->stack[b->depth - 1];
	autoclose int fd = -EBADF;
	char name[256];
	int r;

	copy_name(e, name);
	if (strv_push(&l->names, name) < 0)
		return err_oom(err);
	if (e->has_same_as) {
		r = make_link(b, l->fd, name, e);
		return r < 0 ? fail(e, r, err) : 0;
	}
	r = make_node(b, l->fd, name, e, err);
	if (r < 0)
		return r;
	if (S_ISDIR(e->mode)) {
		fd = openat(l->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = fd < 0 ? -errno : enter_dir(b, fd, e);
		if (r == 0)
			(void)TAKE_FD(fd); /* the level's now */
	} else {
		fd = openat(l->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		r = fd < 0 ? -errno : set_metadata(b, fd, e);
	}
	return r < 0 ? fail(e, r, err) : 0;
}

static int rebuild(struct rebuild *b, int fd, struct err *err)
{
	const Kist__TreeEntry *e = entry_at(b->img, b->first);
	size_t i;
	int r = S_ISDIR(e->mode) ? enter_dir(b, fd, e) : -ENOTDIR;

	if (r < 0)
		return fail(e, r, err);
	for (i = b->first + 1; r == 0 && (e = entry_at(b->img, i)) && e->number != 1; i++) {
		while (r == 0 && b->depth && b->stack[b->depth - 1].e->number != e->parent)
			r = leave_dir(b, err);
		if (r == 0 && b->depth == 0)
			r = err_setx(err, -EBADMSG,
				"the image is damaged: file entry %u stands in the wrong place",
				e->number);
		if (r == 0)
			r = make_entry(b, e, err);
	}
	while (r == 0 && b->depth)
		r = leave_dir(b, err);
	while (b->depth) { /* after a failure */
		struct level *l = &b->stack[--b->depth];

		strv_free(l->names);
		if (b->depth)
			(void)close(l->fd); /* a directory; the lowest is the caller's */
	}
	return r;
}

int tree_restore(
	const struct image *img, uint32_t mount, int fd, const struct idmaps *ids, struct err *err)
{
	autofree struct rebuild *b = calloc(1, sizeof(*b));
	const Kist__TreeEntry *e;
	size_t i;

	if (!b)
		return err_oom(err);
	b->img = img;
	b->ids = ids;
	for (i = 0; (e = entry_at(img, i)); i++) {
		if (e->number != 1 || (e->has_mount ? e->mount : 0) != mount)
			continue;
		b->first = i;
		return rebuild(b, fd, err);
	}
	return 0;
}
