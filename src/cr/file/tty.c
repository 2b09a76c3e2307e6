// SPDX-License-Identifier: Apache-2.0
/*
 * Terminals at dump: pty masters and slaves of the tree, paired by the slave's device; terminals
 * from outside, which the caller gives again. Settings of a pair, session and foreground group
 * go with the master's record.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "base/util.h"
#include "cr/file/dump-internal.h"
#include "cr/file/path.h"
#include "cr/file/tty.h"
#include "cr/file/view.h"
#include "sys/proc.h"

struct tty_seen {
	struct fd_view v; /* own copies; .local is ours */
	uint32_t id;
	bool master;
	unsigned int index;
	dev_t dev; /* of the slave: the devpts instance (0: unknown), and its device */
	dev_t rdev;
};

struct tty_state {
	struct tty_seen *seen;
	size_t n, cap;
};

static void tty_done(struct file_dump *d)
{
	struct tty_state *s = *file_dump_state(d, &file_kind_tty);
	size_t i;

	for (i = 0; s && i < s->n; i++)
		view_done(&s->seen[i].v);
	if (s)
		free(s->seen);
	free(s);
}

static int tty_probe(struct file_dump *d, const struct fd_view *v)
{
	unsigned int maj = major(v->st.st_rdev);

	if (!S_ISCHR(v->st.st_mode) || (v->flags & O_PATH))
		return 0;
	return file_dump_external(d, v) || maj == 4 || maj == TTYAUX_MAJOR ||
	       (maj >= PTS_MAJOR && maj < PTS_MAJOR + 8);
}

/* Which terminal is it? A master is known by its slave, which is looked at without opening it. */
static int identify(const struct fd_view *v, struct tty_seen *t)
{
	unsigned int dev;
	struct stat st;
	int peer;

	t->master = v->st.st_rdev == makedev(TTYAUX_MAJOR, PTMX_MINOR);
	if (t->master) {
		if (ioctl(v->local, TIOCGPTN, &t->index) < 0)
			return -errno;
		peer = ioctl(v->local, TIOCGPTPEER, O_PATH | O_NOCTTY | O_CLOEXEC);
		if (peer < 0 || fstat(peer, &st) < 0)
			return -errno;
		(void)close(peer); /* O_PATH */
		t->dev = st.st_dev;
		t->rdev = st.st_rdev;
		return 0;
	}
	t->dev = v->st.st_dev;
	t->rdev = v->st.st_rdev;
	if (major(t->rdev) == TTYAUX_MAJOR) { /* /dev/tty: whichever it was at open */
		if (ioctl(v->local, TIOCGDEV, &dev) < 0)
			return -errno;
		t->rdev = makedev((dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00));
		t->dev = 0;
	}
	t->index = minor(t->rdev);
	return 0;
}

static int tty_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	struct tty_state *s = *file_dump_state(d, &file_kind_tty);
	struct tty_seen *t;
	int r;

	if (!s)
		*file_dump_state(d, &file_kind_tty) = s = calloc(1, sizeof(*s));
	if (!s || array_reserve(&s->seen, &s->cap, s->n + 1, sizeof(*s->seen)) < 0)
		return err_oom(err);
	t = &s->seen[s->n];
	*t = (struct tty_seen){.id = id, .v = *v};
	t->v.fdinfo = (struct buf){0};
	t->v.what = v->what ? "passed fd" : NULL;
	t->v.link = strdup(v->link);
	t->v.local = fcntl(v->local, F_DUPFD_CLOEXEC, 0);
	s->n++;
	if (!t->v.link || t->v.local < 0)
		return err_oom(err);
	r = identify(v, t);
	return r < 0 ? file_refuse(v, err, r, "its terminal cannot be identified: %s", strerror(-r))
		     : 0;
}

static bool same_tty(const struct tty_seen *a, const struct tty_seen *b)
{
	return a->rdev == b->rdev && (a->dev == b->dev || !a->dev || !b->dev);
}

static const struct tty_seen *find_master(const struct tty_state *s, const struct tty_seen *t)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->seen[i].master && same_tty(&s->seen[i], t))
			return &s->seen[i];
	return NULL;
}

/* Whose controlling terminal is it, and who is in the foreground? A task of the session tells. */
static void find_session(struct file_dump *d, const struct tty_seen *t, Kist__Tty *msg)
{
	autobuf struct buf b = {0};
	struct proc_stat st;
	size_t i;

	for (i = 0; i < d->n_tasks; i++) {
		if (proc_read(d->tasks[i]->procfd, "stat", &b) < 0 ||
			proc_parse_stat(buf_str(&b), b.len, &st) < 0)
			continue;
		if (st.tty_nr != (int)(((major(t->rdev) & 0xfff) << 8) | (minor(t->rdev) & 0xff) |
					 ((minor(t->rdev) & 0xfff00) << 12)))
			continue;
		msg->session = file_dump_vpid(d, st.sid);
		msg->has_session = msg->session > 0;
		msg->group = st.tty_pgrp > 0 ? file_dump_vgroup(d, st.tty_pgrp) : 0;
		msg->has_group = msg->group > 0;
		return;
	}
}

/* The pair's settings, read through either side. *termios, *size: storage. */
static int get_settings(const struct tty_seen *t, Kist__Tty *msg, struct termios2 *termios,
	Kist__TermSize *size, struct err *err)
{
	struct winsize ws;
	int on;

	if (ioctl(t->v.local, TCGETS2, termios) < 0 || ioctl(t->v.local, TIOCGWINSZ, &ws) < 0)
		return file_refuse(&t->v, err, -errno, "its settings cannot be read: %m");
	msg->has_termios = true;
	msg->termios = (ProtobufCBinaryData){sizeof(*termios), (uint8_t *)termios};
	*size = (Kist__TermSize)KIST__TERM_SIZE__INIT;
	size->rows = ws.ws_row;
	size->cols = ws.ws_col;
	size->has_xpixel = size->has_ypixel = true;
	size->xpixel = ws.ws_xpixel;
	size->ypixel = ws.ws_ypixel;
	msg->size = size;
	if (ioctl(t->v.local, TIOCGEXCL, &on) == 0)
		msg->has_exclusive = msg->exclusive = on != 0;
	if (!t->master)
		return 0;
	if (ioctl(t->v.local, TIOCGPTLCK, &on) == 0)
		msg->has_locked = msg->locked = on != 0;
	if (ioctl(t->v.local, TIOCGPKT, &on) == 0)
		msg->has_packet = msg->packet = on != 0;
	return 0;
}

static int get_slave_attributes(const struct tty_seen *t, Kist__Tty *msg, struct err *err)
{
	autoclose int peer = ioctl(t->v.local, TIOCGPTPEER, O_PATH | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (peer < 0 || fstat(peer, &st) < 0)
		return file_refuse(&t->v, err, -errno, "its other side cannot be looked at: %m");
	msg->has_uid = msg->has_gid = msg->has_mode = true;
	msg->mode = st.st_mode & 07777;
	return file_view_owner(&t->v, &st, &msg->uid, &msg->gid, err);
}

static int outside_key(
	struct file_dump *d, const struct tty_seen *t, Kist__Tty *msg, struct err *err)
{
	struct fd_view v = t->v;
	const struct file_external *x;

	v.st.st_rdev = t->rdev;
	x = file_dump_external(d, &v);
	if (x || file_dump_options(d)->shell_job) {
		msg->kind = TTY_OUTSIDE;
		msg->key = x ? (char *)x->key : (char *)"tty";
		return 0;
	}
	(void)file_refuse(&t->v, err, -EXDEV, "a terminal whose other side is outside of the tree");
	return err_hint(err, "detach the process from it (setsid, redirect), or use --shell-job");
}

static int put_tty(
	struct file_dump *d, struct tty_state *s, const struct tty_seen *t, struct err *err)
{
	Kist__Tty msg = KIST__TTY__INIT;
	const struct tty_seen *master = t->master ? t : find_master(s, t);
	struct path_dump p = {0};
	struct termios2 termios;
	Kist__FileDesc desc;
	Kist__FdOwner owner;
	Kist__TermSize size;
	int r = 0;

	msg.has_index = true;
	msg.index = t->index;
	msg.kind = t->master ? TTY_MASTER : TTY_SLAVE;
	if (!master) {
		r = outside_key(d, t, &msg, err);
	} else if (t != master) {
		msg.has_inode_of = true;
		msg.inode_of = master->id;
	} else {
		r = path_dump_device(d, &t->v, t->id, &p, err);
		msg.path = r == 0 ? &p.msg : NULL;
		if (r == 0)
			r = get_slave_attributes(t, &msg, err);
	}
	if (r == 0 && (!master || t == master)) {
		r = get_settings(t, &msg, &termios, &size, err);
		find_session(d, t, &msg);
	}
	if (r == 0) {
		file_dump_desc(d, &t->v, t->id, &desc, &owner);
		msg.desc = &desc;
		r = file_dump_put(d, &t->v, RECORD_TTY, &msg, err);
	}
	path_dump_done(&p);
	return r;
}

static int tty_finish(struct file_dump *d, struct err *err)
{
	struct tty_state *s = *file_dump_state(d, &file_kind_tty);
	size_t i;
	int r;

	for (i = 0; s && i < s->n; i++) {
		r = put_tty(d, s, &s->seen[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

const struct file_kind file_kind_tty = {
	.name = "terminal",
	.record = RECORD_TTY,
	.probe = tty_probe,
	.dump = tty_dump,
	.dump_finish = tty_finish,
	.dump_done = tty_done,
	.check = tty_check,
	.open = tty_open,
	.task = tty_task,
	.last = tty_last,
};
