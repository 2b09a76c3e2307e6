// SPDX-License-Identifier: Apache-2.0
/*
 * inotify(7): watches. The kernel tells a watch's inode by number and file handle; the path is
 * found by the handle where the file system opens handles, else by looking for the inode.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/util.h"
#include "cr/file/path.h"

#ifndef INOTIFY_IOC_SETNEXTWD
#define INOTIFY_IOC_SETNEXTWD _IOW('I', 0, int32_t)
#endif
#define MASK_USER (IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT)

static int inotify_probe(struct file_dump *d, const struct fd_view *v)
{
	return strcmp(v->link, "anon_inode:inotify") == 0 ||
	       strcmp(v->link, "anon_inode:[inotify]") == 0;
}

static int unhex(const char *text, unsigned char *out, size_t n)
{
	unsigned int x;
	size_t i;

	for (i = 0; i < n; i++) {
		if (sscanf(text + 2 * i, "%2x", &x) != 1)
			return -EINVAL;
		out[i] = x;
	}
	return 0;
}

/* One "inotify wd:…" line of fdinfo. */
static int parse_watch(const char *line, Kist__InotifyWatch *w, struct path_inode *inode)
{
	unsigned int wd, sdev, bytes = 0, type = 0;
	uint64_t ino;
	int at = 0;

	if (sscanf(line, "inotify wd:%x ino:%" SCNx64 " sdev:%x mask:%x", &wd, &ino, &sdev,
		    &w->mask) != 4)
		return -EINVAL;
	w->wd = wd;
	w->mask &= MASK_USER;
	*inode = (struct path_inode){.ino = ino, .sdev = sdev};
	line = strstr(line, "fhandle-bytes:");
	if (!line ||
		sscanf(line, "fhandle-bytes:%x fhandle-type:%x f_handle:%n", &bytes, &type, &at) !=
			2 ||
		!at || bytes == 0 || bytes > sizeof(inode->bytes))
		return 0; /* the number alone must do */
	inode->handle.handle_bytes = bytes;
	inode->handle.handle_type = type;
	return unhex(line + at, inode->bytes, bytes);
}

struct watches {
	Kist__InotifyWatch *w;
	size_t n, cap;
};

static void watches_done(struct watches *s)
{
	while (s->n > 0)
		free(s->w[--s->n].path);
	free(s->w);
}

static int dump_watches(
	struct file_dump *d, const struct fd_view *v, struct watches *s, struct err *err)
{
	const char *p = buf_str(&v->fdinfo);
	struct path_inode inode;
	int r;

	for (; (p = strstr(p, "inotify wd:")); p++) {
		Kist__InotifyWatch w = KIST__INOTIFY_WATCH__INIT;

		if (parse_watch(p, &w, &inode) < 0)
			return file_refuse(v, err, -EINVAL, "its watches cannot be read");
		r = path_find_inode(d, v->task, &inode, &w.path);
		if (r < 0) {
			(void)file_refuse(v, err, r,
				"the file that it watches (watch %d, inode %llu) was not found",
				w.wd, (unsigned long long)inode.ino);
			return err_hint(err, "remove the watch, or give the file a name again");
		}
		if (array_reserve(&s->w, &s->cap, s->n + 1, sizeof(w)) < 0) {
			free(w.path);
			return err_oom(err);
		}
		s->w[s->n++] = w;
	}
	return 0;
}

static int wd_cmp(const void *a, const void *b)
{
	const Kist__InotifyWatch *x = a, *y = b;

	return (x->wd > y->wd) - (x->wd < y->wd);
}

static int put_inotify(struct file_dump *d, const struct fd_view *v, uint32_t id, struct watches *s,
	struct err *err)
{
	autofree Kist__InotifyWatch **refs = calloc(s->n + 1, sizeof(*refs));
	Kist__Inotify msg = KIST__INOTIFY__INIT;
	Kist__FileDesc desc;
	Kist__FdOwner owner;
	size_t i;

	if (!refs)
		return err_oom(err);
	if (s->n)
		qsort(s->w, s->n, sizeof(*s->w), wd_cmp);
	for (i = 0; i < s->n; i++)
		refs[i] = &s->w[i];
	msg.n_watches = s->n;
	msg.watches = refs;
	file_dump_desc(d, v, id, &desc, &owner);
	msg.desc = &desc;
	return file_dump_put(d, v, RECORD_INOTIFY, &msg, err);
}

static int inotify_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	struct watches s = {0};
	int queued = 0, r;

	/* reading would take them, and the kernel has no way to put one back */
	if (ioctl(v->local, FIONREAD, &queued) == 0 && queued > 0)
		log_warn("fd %d (inotify) of '%s' (pid %d): %d bytes of unread events are lost",
			v->fd, v->task->comm, v->task->pid, queued);
	r = dump_watches(d, v, &s, err);
	if (r == 0)
		r = put_inotify(d, v, id, &s, err);
	watches_done(&s);
	return r;
}

static int inotify_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Inotify *msg = (const Kist__Inotify *)m;
	int last = 0;
	size_t i;

	for (i = 0; i < msg->n_watches; i++) {
		const Kist__InotifyWatch *w = msg->watches[i];

		if (w->wd <= last || (w->mask & ~MASK_USER) || w->path[0] != '/')
			return err_setx(err, -EINVAL, "image: watch %zu makes no sense", i);
		last = w->wd;
	}
	return 0;
}

static int add_watch(struct file_restore *r, int fd, const Kist__InotifyWatch *w, struct err *err)
{
	autoclose int target = path_walk(file_restore_root(r), w->path, O_PATH | O_NOFOLLOW, 0);
	char name[32];
	int wd;

	if (target < 0)
		return err_set(err, target, "cannot find watched '%s' again", w->path);
	if (ioctl(fd, INOTIFY_IOC_SETNEXTWD, w->wd) < 0)
		return err_set(err, -errno, "cannot choose watch %d", w->wd);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", target);
	wd = inotify_add_watch(fd, name, w->mask);
	if (wd < 0)
		return err_set(err, -errno, "cannot watch '%s' again", w->path);
	if (wd != w->wd)
		return err_setx(err, -EEXIST, "'%s' is watch %d instead of %d", w->path, wd, w->wd);
	return 0;
}

static int inotify_open(
	struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Inotify *msg = (const Kist__Inotify *)m;
	autoclose int fd = -EBADF;
	size_t i;
	int c;

	if (pass == 0)
		return 1; /* after the deleted files, whose coming and going is nobody's event */
	fd = inotify_init1(IN_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "cannot make an inotify fd");
	for (i = 0; i < msg->n_watches; i++) {
		c = add_watch(r, fd, msg->watches[i], err);
		if (c < 0)
			return c;
	}
	return file_store(r, msg->desc->id, TAKE_FD(fd), err);
}

const struct file_kind file_kind_inotify = {
	.name = "inotify",
	.record = RECORD_INOTIFY,
	.probe = inotify_probe,
	.dump = inotify_dump,
	.check = inotify_check,
	.open = inotify_open,
};
