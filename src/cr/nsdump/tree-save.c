// SPDX-License-Identifier: Apache-2.0
/* A tree of files into the image, walked by fd. Nothing of it is changed, access times included. */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/util.h"
#include "cr/nsdump/mount-internal.h"

#define DEPTH_MAX 200 /* each level holds an fd open */

struct linked { /* a file with further names */
	ino_t ino;
	uint32_t number;
};

struct walk {
	struct nsdump *d;
	const struct idmaps *ids;
	const char *what;
	struct buf path; /* of the present file, for messages */
	uint32_t next;
	bool hugetlb; /* its files cannot be written back */
	struct linked *links;
	size_t n_links, links_cap;
};

static int walk_dir(struct walk *w, int fd, uint32_t number, unsigned int depth, struct err *err);

static int fail(struct walk *w, int r, const char *verb, struct err *err)
{
	return err_set(err, r, "cannot %s '%s%s'", verb, w->what, buf_str(&w->path));
}

/* Fills in what stat tells. */
static void stat_entry(struct walk *w, const struct stat *st, Kist__TreeEntry *e)
{
	e->mode = st->st_mode;
	e->uid = w->ids ? idmap_inside(&w->ids->uid, st->st_uid) : st->st_uid;
	e->gid = w->ids ? idmap_inside(&w->ids->gid, st->st_gid) : st->st_gid;
	e->mtime = st->st_mtim.tv_sec;
	e->mtime_ns = st->st_mtim.tv_nsec;
	e->atime = st->st_atim.tv_sec;
	e->atime_ns = st->st_atim.tv_nsec;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		e->has_major = e->has_minor = true;
		e->major = major(st->st_rdev);
		e->minor = minor(st->st_rdev);
	}
}

/* The number of an earlier name of the file, or 0; remembers a new one. */
static int find_link(struct walk *w, const struct stat *st, uint32_t number, uint32_t *ret)
{
	size_t i;

	*ret = 0;
	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return 0;
	for (i = 0; i < w->n_links; i++)
		if (w->links[i].ino == st->st_ino) {
			*ret = w->links[i].number;
			return 0;
		}
	if (array_reserve(&w->links, &w->links_cap, w->n_links + 1, sizeof(*w->links)) < 0)
		return -ENOMEM;
	w->links[w->n_links++] = (struct linked){st->st_ino, number};
	return 0;
}

static int save_file(struct walk *w, int dirfd, const char *name, const struct stat *st,
	Kist__TreeEntry *e, struct err *err)
{
	autoclose int fd = -EBADF;

	if (st->st_size == 0)
		return 0;
	if (w->hugetlb) {
		err_setx(err, -EOPNOTSUPP, "the file '%s%s' of huge pages cannot be saved", w->what,
			buf_str(&w->path));
		err_hint(err, "remove it, or use memfd_create with MFD_HUGETLB instead");
		return -EOPNOTSUPP;
	}
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fail(w, -errno, "open", err);
	e->has_object = true;
	if (image_put_content(w->d->w, fd, st->st_size, &e->object, err) < 0)
		return err_wrap(err, "file '%s%s'", w->what, buf_str(&w->path));
	return 0;
}

/* Writes the record. @fd: O_PATH of the file; @target: 4096 bytes for what a link says. */
static int save_entry(struct walk *w, int dirfd, const char *name, int fd, const struct stat *st,
	Kist__TreeEntry *e, struct err *err)
{
	struct xattrs x = {0};
	char target[4096];
	ssize_t n;
	int r = 0;

	stat_entry(w, st, e);
	if (e->has_same_as)
		return image_put(w->d->w, RECORD_TMPFS, &e->base, err);
	if (S_ISREG(st->st_mode)) {
		r = save_file(w, dirfd, name, st, e, err);
	} else if (S_ISLNK(st->st_mode)) {
		n = readlinkat(fd, "", target, sizeof(target));
		if (n < 0)
			r = fail(w, -errno, "read the link", err);
		e->has_target = true;
		e->target.data = (uint8_t *)target;
		e->target.len = n < 0 ? 0 : n;
	}
	if (r < 0)
		return r;
	r = xattrs_read(fd, &x);
	e->xattrs = x.list;
	e->n_xattrs = x.n;
	r = r < 0 ? fail(w, r, "read the attributes of", err)
		  : image_put(w->d->w, RECORD_TMPFS, &e->base, err);
	xattrs_done(&x);
	return r;
}

static int save_child(struct walk *w, int dirfd, uint32_t parent, const char *name,
	unsigned int depth, struct err *err)
{
	autoclose int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), sub = -EBADF;
	Kist__TreeEntry e = KIST__TREE_ENTRY__INIT;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(w, -errno, "look at", err);
	e.number = w->next++;
	e.parent = parent;
	e.name.data = (uint8_t *)name;
	e.name.len = strlen(name);
	if (find_link(w, &st, e.number, &e.same_as) < 0)
		return err_oom(err);
	e.has_same_as = e.same_as != 0;
	r = save_entry(w, dirfd, name, fd, &st, &e, err);
	if (r < 0 || !S_ISDIR(st.st_mode))
		return r;
	if (depth >= DEPTH_MAX)
		return err_setx(err, -ELOOP, "'%s%s' is too deep to be saved (%u levels)", w->what,
			buf_str(&w->path), DEPTH_MAX);
	sub = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0)
		return fail(w, -errno, "open", err);
	return walk_dir(w, sub, e.number, depth + 1, err);
}

/* Sorted, so that the same tree gives the same image. */
static int list_dir(int dirfd, char ***ret)
{
	autodir DIR *dir = dir_open_at(dirfd, ".");
	char **names = NULL, **grown;
	size_t n = 0, cap = 0;
	struct dirent *e;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (e = dir_next(dir))) {
		r = array_reserve(&names, &cap, n + 2, sizeof(*names));
		if (r == 0 && !(names[n] = strdup(e->d_name)))
			r = -ENOMEM;
		if (r == 0)
			names[++n] = NULL;
	}
	grown = names ? names : calloc(1, sizeof(*names));
	if (r < 0 || !grown) {
		strv_free(grown);
		return -ENOMEM;
	}
	strv_sort(grown);
	*ret = grown;
	return 0;
}

static int walk_dir(struct walk *w, int fd, uint32_t number, unsigned int depth, struct err *err)
{
	autostrv char **names = NULL;
	size_t len = w->path.len, i;
	int r = list_dir(fd, &names);

	if (r < 0)
		return fail(w, r, "list", err);
	for (i = 0; r == 0 && names[i]; i++) {
		if (buf_addf(&w->path, "/%s", names[i]) < 0)
			return err_oom(err);
		r = save_child(w, fd, number, names[i], depth, err);
		w->path.len = len;
		w->path.data[len] = '\0';
	}
	return r;
}

int tree_save(struct nsdump *d, int fd, uint32_t mount, const char *what, const struct idmaps *ids,
	struct err *err)
{
	struct walk w = {.d = d, .ids = ids, .what = strcmp(what, "/") == 0 ? "" : what, .next = 2};
	Kist__TreeEntry e = KIST__TREE_ENTRY__INIT;
	struct statfs fs;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return err_set(err, -errno, "cannot look at '%s'", what);
	w.hugetlb = fs.f_type == HUGETLBFS_MAGIC;
	e.number = 1;
	e.has_mount = mount != 0;
	e.mount = mount;
	r = save_entry(&w, fd, ".", fd, &st, &e, err);
	if (r == 0 && S_ISDIR(st.st_mode))
		r = walk_dir(&w, fd, 1, 1, err);
	buf_done(&w.path);
	free(w.links);
	return r;
}
