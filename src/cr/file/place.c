// SPDX-License-Identifier: Apache-2.0
/* Putting descriptions into the slots of a task, and what waits until every task has its slots. */
#include <fcntl.h>
#include <stdio.h>

#include "base/util.h"
#include "cr/file/restore-internal.h"
#include "sys/syscall.h"

const Kist__FdTable *table_get(const struct file_restore *r, uint32_t task)
{
	size_t low = 0, high = r->n_tables, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (r->tables[mid]->task == task)
			return r->tables[mid];
		if (r->tables[mid]->task < task)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

uint32_t table_slot(const struct file_restore *r, uint32_t task, int fd)
{
	const Kist__FdTable *t = table_get(r, task);
	size_t i;

	for (i = 0; t && i < t->n_slots; i++)
		if (t->slots[i]->fd == fd)
			return t->slots[i]->id;
	return 0;
}

uint32_t file_restore_shares(const struct file_restore *r, uint32_t task)
{
	const Kist__FdTable *t = table_get(r, task);

	return t ? t->shares_table_of : 0;
}

static int fill_slot(struct file_restore *r, const Kist__FdSlot *s, struct err *err)
{
	int fd = r->entries[s->id].fd;

	if (fd < 0)
		return 0; /* place() opens it */
	if (dup3(fd, s->fd, s->cloexec ? O_CLOEXEC : 0) < 0)
		return err_set(err, -errno, "cannot fill fd %d", s->fd);
	return 0;
}

/* The numbers below base that the task does not use: what came from the restoring process. */
static void close_gaps(const struct file_restore *r, const Kist__FdTable *t)
{
	int next = 0;
	size_t i;

	for (i = 0; i < t->n_slots; i++) {
		if (t->slots[i]->fd > next)
			(void)sys_close_range(next, t->slots[i]->fd - 1, 0); /* may be empty */
		next = t->slots[i]->fd + 1;
	}
	if (next < r->base)
		(void)sys_close_range(next, r->base - 1, 0); /* may be empty */
}

/* The kinds that have more to do in the task, in the order of the table (pidfds before epoll). */
static int place_kind(struct file_restore *r, const struct file_kind *kind, const Kist__FdTable *t,
	struct err *err)
{
	size_t i;
	int c;

	for (i = 0; i < t->n_slots; i++) {
		const struct file_entry *e = &r->entries[t->slots[i]->id];

		if (e->kind != kind)
			continue;
		c = kind->place(r, e->msg, t->task, t->slots[i]->fd, err);
		if (c == 0 && t->slots[i]->cloexec &&
			fcntl(t->slots[i]->fd, F_SETFD, FD_CLOEXEC) < 0)
			c = err_set(err, -errno, "cannot be closed on exec");
		if (c < 0)
			return err_wrap(err, "fd %d (%s)", t->slots[i]->fd, kind->name);
	}
	return 0;
}

static int place_task(struct file_restore *r, struct err *err)
{
	size_t i;
	int c;

	for (i = 1; i <= r->n_entries; i++) {
		const struct file_entry *e = &r->entries[i];

		c = e->kind->task ? e->kind->task(r, e->msg, err) : 0;
		if (c < 0)
			return err_wrap(err, "open file %zu (%s)", i, e->kind->name);
	}
	return 0;
}

int file_restore_task(struct file_restore *r, uint32_t task, struct err *err)
{
	const Kist__FdTable *t = table_get(r, task);
	size_t i;
	int c;

	if (!t)
		return err_setx(err, -EINVAL, "image: task %u has no fd table", task);
	if (t->shares_table_of)
		return place_task(r, err);
	close_gaps(r, t);
	for (i = 0; i < t->n_slots; i++) {
		c = fill_slot(r, t->slots[i], err);
		if (c < 0)
			return c;
	}
	for (i = 0; file_kinds[i]; i++) {
		c = file_kinds[i]->place ? place_kind(r, file_kinds[i], t, err) : 0;
		if (c < 0)
			return c;
	}
	return place_task(r, err);
}

static int set_owner(const struct file_entry *e, struct err *err)
{
	const Kist__FdOwner *o = e->desc.owner;
	struct f_owner_ex ex;
	int flags;

	if (o && o->pid) {
		ex.type = (int)o->kind;
		ex.pid = o->pid;
		/* the process may be gone by now as well as it might have been then */
		if (fcntl(e->fd, F_SETOWN_EX, &ex) < 0 && errno != ESRCH)
			return err_set(err, -errno, "cannot set process %d as owner", o->pid);
	}
	if (o && o->sig && fcntl(e->fd, F_SETSIG, o->sig) < 0)
		return err_set(err, -errno, "cannot set its signal %d", o->sig);
	if (!(e->desc.flags & O_ASYNC) || (e->desc.flags & O_PATH))
		return 0;
	flags = fcntl(e->fd, F_GETFL);
	if (flags < 0 || fcntl(e->fd, F_SETFL, flags | O_ASYNC) < 0)
		return err_set(err, -errno, "cannot turn signals on");
	return 0;
}

int file_restore_last(struct file_restore *r, struct err *err)
{
	size_t i;
	int c;

	for (i = 1; i <= r->n_entries; i++) {
		const struct file_entry *e = &r->entries[i];

		c = e->fd < 0 ? 0 : set_owner(e, err);
		if (c == 0 && e->kind->last)
			c = e->kind->last(r, e->msg, err);
		if (c < 0)
			return err_wrap(err, "open file %zu (%s)", i, e->kind->name);
	}
	return 0;
}
