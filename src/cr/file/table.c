// SPDX-License-Identifier: Apache-2.0
/* Fd tables: which task has which description in which slot, and which tasks share a table. */
#include <linux/kcmp.h>
#include <stdio.h>

#include "base/util.h"
#include "cr/file/dump-internal.h"
#include "sys/proc.h"
#include "sys/syscall.h"

/*
 * Finds the fd table of @t among those seen; adds it when it is new. *ret_other: the task that
 * was seen with it, or NULL.
 */
static int find_table(
	struct file_dump *d, struct target *t, struct target **ret_other, struct err *err)
{
	size_t low = 0, high = d->n_tables, mid;
	int c;

	while (low < high) {
		mid = low + (high - low) / 2;
		c = sys_kcmp(t->pid, d->tables[mid]->pid, KCMP_FILES, 0, 0);
		if (c < 0 || c == 3)
			return err_set(err, c < 0 ? c : -EIO,
				"cannot compare the fd tables of processes %d and %d", t->pid,
				d->tables[mid]->pid);
		if (c == 0) {
			*ret_other = d->tables[mid];
			return 0;
		}
		if (c == 1)
			high = mid;
		else
			low = mid + 1;
	}
	if (array_reserve(&d->tables, &d->tables_cap, d->n_tables + 1, sizeof(*d->tables)) < 0)
		return err_oom(err);
	memmove(&d->tables[low + 1], &d->tables[low], (d->n_tables - low) * sizeof(*d->tables));
	d->tables[low] = t;
	d->n_tables++;
	*ret_other = NULL;
	return 0;
}

/* A thread may have left the table by unshare(2); nothing could put that back. */
static int check_threads(struct target *t, struct err *err)
{
	size_t i;
	int c;

	for (i = 1; i < t->n_threads; i++) {
		c = sys_kcmp(t->pid, t->threads[i].tid, KCMP_FILES, 0, 0);
		if (c < 0)
			return err_set(err, c, "cannot compare the fd tables of threads %d and %d",
				t->pid, t->threads[i].tid);
		if (c != 0)
			return err_setx(err, -ENOTSUP,
				"thread %d of '%s' (pid %d) has an fd table of its own",
				t->threads[i].tid, t->comm, t->pid);
	}
	return 0;
}

static int dump_slot(
	struct file_dump *d, struct target *t, int fd, Kist__FdSlot *slot, struct err *err)
{
	autoview struct fd_view v = {.local = -EBADF};
	uint32_t id = 0;
	int r;

	r = view_slot(t->procfd, t, fd, &v, err);
	if (r < 0)
		return r;
	r = dump_view(d, &v, t->pid, -EBADF, &id, err);
	if (r < 0)
		return r;
	*slot = (Kist__FdSlot)KIST__FD_SLOT__INIT;
	slot->fd = fd;
	slot->id = id;
	slot->has_cloexec = slot->cloexec = v.cloexec;
	return dump_locks(d, &v, id, err);
}

static int dump_slots(struct file_dump *d, struct target *t, Kist__FdTable *table, struct err *err)
{
	autofree Kist__FdSlot *slots = NULL;
	autofree Kist__FdSlot **refs = NULL;
	autofree int *fds = NULL;
	size_t n = 0, i;
	int r;

	r = proc_list_ids(t->procfd, "fd", &fds, &n);
	if (r < 0)
		return err_set(err, r, "cannot list the fds of '%s' (pid %d)", t->comm, t->pid);
	slots = calloc(n + 1, sizeof(*slots));
	refs = calloc(n + 1, sizeof(*refs));
	if (!slots || !refs)
		return err_oom(err);
	for (i = 0; i < n; i++) {
		refs[i] = &slots[i];
		r = dump_slot(d, t, fds[i], &slots[i], err);
		if (r < 0)
			return r;
	}
	table->n_slots = n;
	table->slots = refs;
	return image_put(d->writer, RECORD_FD_TABLE, &table->base, err);
}

int file_dump_task(struct file_dump *d, struct target *t, struct err *err)
{
	Kist__FdTable table = KIST__FD_TABLE__INIT;
	struct target *other = NULL;
	int r;

	r = find_table(d, t, &other, err);
	if (r == 0)
		r = check_threads(t, err);
	if (r < 0)
		return r;
	table.task = t->id;
	if (!other)
		return dump_slots(d, t, &table, err);
	table.has_shares_table_of = true;
	table.shares_table_of = other->id;
	return image_put(d->writer, RECORD_FD_TABLE, &table.base, err);
}
