// SPDX-License-Identifier: Apache-2.0
/*
 * epoll(7). A target is known to the kernel by description and by the fd number it was added
 * under, which may be closed or reused since. Dump finds the description by kcmp(2); restore adds
 * it under that number in the root task, for the moment, before anything else has the number.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/file/dump-internal.h"
#include "cr/file/restore-internal.h"
#include "sys/syscall.h"

/* ---- dump ---- */

struct epoll_seen { /* dumped at the end, when all descriptions are known */
	uint32_t id;
	int local;
	struct target *task;
	int fd;
	const char *what;
	Kist__EpollTarget *targets;
	uint64_t *inos;
	size_t n, cap, inos_cap;
};

struct epoll_state {
	struct epoll_seen *seen;
	size_t n, cap;
};

static void epoll_done(struct file_dump *d)
{
	struct epoll_state *s = *file_dump_state(d, &file_kind_epoll);
	size_t i;

	for (i = 0; s && i < s->n; i++) {
		autoclose_p(&s->seen[i].local);
		free(s->seen[i].targets);
		free(s->seen[i].inos);
	}
	if (s)
		free(s->seen);
	free(s);
}

static int epoll_probe(struct file_dump *d, const struct fd_view *v)
{
	return strcmp(v->link, "anon_inode:[eventpoll]") == 0;
}

static int parse_targets(struct epoll_seen *e, const struct fd_view *v, struct err *err)
{
	Kist__EpollTarget t = KIST__EPOLL_TARGET__INIT;
	const char *p = buf_str(&v->fdinfo);
	uint64_t ino;

	while ((p = strstr(p, "tfd:"))) {
		if (sscanf(p, "tfd: %d events: %x data: %" SCNx64 " pos:%*d ino:%" SCNx64, &t.fd,
			    &t.events, &t.data, &ino) != 4)
			return file_refuse(v, err, -EINVAL, "its targets cannot be read");
		if (array_reserve(&e->targets, &e->cap, e->n + 1, sizeof(t)) < 0 ||
			array_reserve(&e->inos, &e->inos_cap, e->n + 1, sizeof(ino)) < 0)
			return err_oom(err);
		e->inos[e->n] = ino;
		e->targets[e->n++] = t;
		p += 4;
	}
	return 0;
}

static int epoll_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	struct epoll_state *s = *file_dump_state(d, &file_kind_epoll);
	struct epoll_seen *e;

	if (!s)
		*file_dump_state(d, &file_kind_epoll) = s = calloc(1, sizeof(*s));
	if (!s || array_reserve(&s->seen, &s->cap, s->n + 1, sizeof(*s->seen)) < 0)
		return err_oom(err);
	e = &s->seen[s->n++];
	*e = (struct epoll_seen){.id = id, .task = v->task, .fd = v->fd, .what = v->what};
	e->local = fcntl(v->local, F_DUPFD_CLOEXEC, 0);
	if (e->local < 0)
		return file_refuse(v, err, -errno, "cannot be duplicated: %m");
	return parse_targets(e, v, err);
}

/* Is the description that @pid has as @fd the target @t of this epoll? */
static bool is_target(const struct file_dump *d, const struct epoll_seen *e, pid_t pid, int fd,
	const Kist__EpollTarget *t, uint32_t nth)
{
	struct kcmp_epoll_slot slot = {.efd = e->local, .tfd = t->fd, .toff = nth};

	return sys_kcmp(pid, d->self, KCMP_EPOLL_TFD, fd, (unsigned long)&slot) == 0;
}

static uint32_t find_target(struct file_dump *d, const struct epoll_seen *e, size_t i, uint32_t nth)
{
	const Kist__EpollTarget *t = &e->targets[i];
	size_t k;

	/* most often it still is the fd of that number */
	if (is_target(d, e, e->task->pid, t->fd, t, nth))
		return dump_find_slot(d, e->task, t->fd);
	for (k = 0; k < d->n_seen; k++)
		if (d->seen[k]->ino == e->inos[i] &&
			is_target(d, e, d->seen[k]->pid, d->seen[k]->fd, t, nth))
			return d->seen[k]->id;
	return 0;
}

static int finish_one(struct file_dump *d, struct epoll_seen *e, struct err *err)
{
	struct fd_view v = {.task = e->task,
		.fd = e->fd,
		.what = e->what,
		.local = e->local,
		.link = (char *)"epoll"};
	autofree Kist__EpollTarget **refs = calloc(e->n + 1, sizeof(*refs));
	Kist__Epoll msg = KIST__EPOLL__INIT;
	Kist__FileDesc desc;
	Kist__FdOwner owner;
	uint32_t nth;
	size_t i, k;

	if (!refs)
		return err_oom(err);
	for (i = 0; i < e->n; i++) {
		for (nth = 0, k = 0; k < i; k++)
			nth += e->targets[k].fd == e->targets[i].fd;
		e->targets[i].id = find_target(d, e, i, nth);
		if (!e->targets[i].id) {
			(void)file_refuse(&v, err, -ENOTSUP,
				"it watches an open file (added as fd %d) that no process of the "
				"tree has any more",
				e->targets[i].fd);
			return err_hint(err, "remove it from the epoll set before it is closed");
		}
		refs[i] = &e->targets[i];
	}
	file_dump_desc(d, &v, e->id, &desc, &owner);
	msg.desc = &desc;
	msg.n_targets = e->n;
	msg.targets = refs;
	return file_dump_put(d, &v, RECORD_EPOLL, &msg, err);
}

static int epoll_finish(struct file_dump *d, struct err *err)
{
	struct epoll_state *s = *file_dump_state(d, &file_kind_epoll);
	size_t i;
	int r;

	for (i = 0; s && i < s->n; i++) {
		r = finish_one(d, &s->seen[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- restore ---- */

static int epoll_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Epoll *msg = (const Kist__Epoll *)m;
	size_t i;

	for (i = 0; i < msg->n_targets; i++) {
		const Kist__EpollTarget *t = msg->targets[i];

		if (t->fd < 0 || t->fd >= FILE_FD_LIMIT || !file_restore_kind(r, t->id) ||
			t->id == msg->desc->id)
			return err_setx(err, -EINVAL, "image: epoll target %zu makes no sense", i);
		r->base = MAX(r->base, t->fd + 1);
	}
	return 0;
}

/* A pidfd of a task that does not live yet. */
static bool comes_later(const struct file_restore *r, uint32_t id)
{
	const Kist__Pidfd *p = file_restore_msg(r, id, RECORD_PIDFD);

	return p && p->pid > 0;
}

static int add(int epfd, const Kist__EpollTarget *t, struct err *err)
{
	struct epoll_event ev = {.events = t->events, .data.u64 = t->data};

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, t->fd, &ev) < 0)
		return err_set(err, -errno, "cannot add open file %u to an epoll set as fd %d",
			t->id, t->fd);
	return 0;
}

/* Adds store fd @fd as number t->fd; what has that number meanwhile steps aside. */
static int add_as(
	struct file_restore *r, int epfd, const Kist__EpollTarget *t, int fd, struct err *err)
{
	int aside = fcntl(t->fd, F_DUPFD_CLOEXEC, r->base), flags = fcntl(t->fd, F_GETFD), c;

	if (dup3(fd, t->fd, O_CLOEXEC) < 0)
		c = err_set(err, -errno, "cannot use fd %d", t->fd);
	else
		c = add(epfd, t, err);
	if (aside < 0) {
		(void)close(t->fd); /* the store has it */
		return c;
	}
	if (dup3(aside, t->fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0) < 0 && c == 0)
		c = err_set(err, -errno, "cannot put fd %d back", t->fd);
	(void)close(aside); /* it is in its place again */
	return c;
}

static int epoll_open(struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Epoll *msg = (const Kist__Epoll *)m;
	autoclose int epfd = -EBADF;
	size_t i;
	int fd, c;

	for (i = 0; i < msg->n_targets; i++)
		if (file_restore_fd(r, msg->targets[i]->id) < 0 &&
			!comes_later(r, msg->targets[i]->id))
			return 1;
	epfd = epoll_create1(EPOLL_CLOEXEC);
	fd = epfd < 0 ? -errno : fd_move_above(TAKE_FD(epfd), r->base);
	if (fd < 0)
		return err_set(err, fd, "cannot make an epoll set");
	epfd = fd;
	for (i = 0; i < msg->n_targets; i++) {
		fd = file_restore_fd(r, msg->targets[i]->id);
		c = fd < 0 ? 0 : add_as(r, epfd, msg->targets[i], fd, err);
		if (c < 0)
			return c;
	}
	return file_store(r, msg->desc->id, TAKE_FD(epfd), err);
}

/* The first task that has both this epoll and the target in its slots. */
static bool first_with(
	const struct file_restore *r, uint32_t task, uint32_t id, const Kist__EpollTarget *t)
{
	size_t i, k;

	for (i = 0; i < r->n_tables; i++) {
		const Kist__FdTable *table = r->tables[i];

		for (k = 0; k < table->n_slots; k++)
			if (table->slots[k]->id == id && table_slot(r, table->task, t->fd) == t->id)
				return table->task == task;
	}
	return false;
}

static int epoll_place(
	struct file_restore *r, const ProtobufCMessage *m, uint32_t task, int fd, struct err *err)
{
	const Kist__Epoll *msg = (const Kist__Epoll *)m;
	size_t i;
	int c;

	for (i = 0; i < msg->n_targets; i++) {
		const Kist__EpollTarget *t = msg->targets[i];

		if (!comes_later(r, t->id) || !first_with(r, task, msg->desc->id, t))
			continue;
		c = add(fd, t, err);
		if (c < 0 && c != -EEXIST) /* a second slot of the same epoll */
			return c;
	}
	return 0;
}

const struct file_kind file_kind_epoll = {
	.name = "epoll",
	.record = RECORD_EPOLL,
	.probe = epoll_probe,
	.dump = epoll_dump,
	.dump_finish = epoll_finish,
	.dump_done = epoll_done,
	.check = epoll_check,
	.open = epoll_open,
	.place = epoll_place,
};
