// SPDX-License-Identifier: Apache-2.0
/* What the kinds ask the dump for: owners, inodes seen before, externals, writing. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "base/util.h"
#include "cr/file/dump-internal.h"
#include "sys/proc.h"

struct image_writer *file_dump_writer(struct file_dump *d)
{
	return d->writer;
}

const struct file_dump_opts *file_dump_options(const struct file_dump *d)
{
	return &d->opts;
}

int file_dump_procfd(const struct file_dump *d)
{
	return d->procfd;
}

const struct target *file_dump_root_task(const struct file_dump *d)
{
	return d->n_tasks ? d->tasks[0] : NULL;
}

void **file_dump_state(struct file_dump *d, const struct file_kind *kind)
{
	size_t i;

	for (i = 0; file_kinds[i] != kind; i++)
		;
	return &d->state[i];
}

pid_t file_dump_vpid(const struct file_dump *d, pid_t pid)
{
	size_t i, k;

	for (i = 0; i < d->n_tasks; i++) {
		const struct target *t = d->tasks[i];

		if (t->pid == pid)
			return t->vpid;
		for (k = 0; k < t->n_threads; k++)
			if (t->threads[k].tid == pid)
				return t->threads[k].vtid;
	}
	return 0;
}

/* A process group or session keeps its number after its leader died: any member knows it. */
static pid_t group_vpid(const struct file_dump *d, pid_t group)
{
	pid_t vpid = file_dump_vpid(d, group);
	struct proc_stat st;
	char value[256], *last;
	autobuf struct buf b = {0};
	size_t i;

	for (i = 0; !vpid && i < d->n_tasks; i++) {
		const struct target *t = d->tasks[i];

		if (proc_read(t->procfd, "stat", &b) < 0 ||
			proc_parse_stat(buf_str(&b), b.len, &st) < 0 || st.pgid != group)
			continue;
		if (proc_read(t->procfd, "status", &b) < 0 ||
			proc_field(buf_str(&b), b.len, "NSpgid", value, sizeof(value)) < 0)
			continue;
		last = strrchr(value, '\t');
		vpid = atoi(last ? last + 1 : value);
	}
	return vpid;
}

pid_t file_dump_vgroup(const struct file_dump *d, pid_t group)
{
	return group_vpid(d, group);
}

static void dump_owner(
	struct file_dump *d, const struct fd_view *v, Kist__FileDesc *desc, Kist__FdOwner *owner)
{
	struct f_owner_ex ex;
	int sig;
	pid_t vpid;

	*owner = (Kist__FdOwner)KIST__FD_OWNER__INIT;
	if (v->flags & O_PATH)
		return;
	sig = fcntl(v->local, F_GETSIG);
	if (sig < 0 || fcntl(v->local, F_GETOWN_EX, &ex) < 0 || (ex.pid == 0 && sig == 0))
		return;
	vpid = !ex.pid			 ? 0
	       : ex.type == F_OWNER_PGRP ? group_vpid(d, ex.pid)
					 : file_dump_vpid(d, ex.pid);
	if (ex.pid && !vpid)
		log_warn("fd %d of '%s' (pid %d) signals process %d, which is not saved", v->fd,
			v->task->comm, v->task->pid, ex.pid);
	owner->kind = ex.type;
	owner->pid = vpid;
	owner->has_sig = sig != 0;
	owner->sig = sig;
	desc->owner = owner;
}

void file_dump_desc(struct file_dump *d, const struct fd_view *v, uint32_t id, Kist__FileDesc *desc,
	Kist__FdOwner *owner)
{
	*desc = (Kist__FileDesc)KIST__FILE_DESC__INIT;
	desc->id = id;
	desc->has_flags = v->flags != 0;
	desc->flags = v->flags;
	dump_owner(d, v, desc, owner);
}

int file_dump_inode(struct file_dump *d, const struct fd_view *v, uint32_t id, uint32_t *ret_first,
	struct err *err)
{
	size_t low = 0, high = d->n_inodes, mid;

	while (low < high) {
		const struct file_inode *i;

		mid = low + (high - low) / 2;
		i = &d->inodes[mid];
		if (i->dev == v->st.st_dev && i->ino == v->st.st_ino) {
			*ret_first = i->id;
			return 0;
		}
		if (v->st.st_dev < i->dev || (v->st.st_dev == i->dev && v->st.st_ino < i->ino))
			high = mid;
		else
			low = mid + 1;
	}
	if (array_reserve(&d->inodes, &d->inodes_cap, d->n_inodes + 1, sizeof(*d->inodes)) < 0)
		return err_oom(err);
	memmove(&d->inodes[low + 1], &d->inodes[low], (d->n_inodes - low) * sizeof(*d->inodes));
	d->inodes[low] = (struct file_inode){.dev = v->st.st_dev, .ino = v->st.st_ino, .id = id};
	d->n_inodes++;
	*ret_first = id;
	return 0;
}

int file_dump_put(struct file_dump *d, const struct fd_view *v, enum record_type type,
	const void *msg, struct err *err)
{
	int r = image_put(d->writer, type, msg, err);

	if (r < 0 && v)
		err_wrap(err, "cannot save fd %d of '%s' (pid %d)", v->fd, v->task->comm,
			v->task->pid);
	return r;
}

const struct file_external *file_dump_external(const struct file_dump *d, const struct fd_view *v)
{
	const struct file_external *x;
	size_t i;

	for (i = 0; i < d->opts.n_externals; i++) {
		x = &d->opts.externals[i];
		if (x->ino ? x->dev == v->st.st_dev && x->ino == v->st.st_ino
			   : S_ISCHR(v->st.st_mode) && x->dev == v->st.st_rdev)
			return x;
	}
	return NULL;
}

bool file_dump_is_shmem(const struct file_dump *d, const struct fd_view *v)
{
	return v->st.st_dev == d->shm_dev && S_ISREG(v->st.st_mode);
}
