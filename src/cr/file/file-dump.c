// SPDX-License-Identifier: Apache-2.0
/*
 * The dump of open files: which descriptions exist, each given to its kind once. Descriptions are
 * kept in one array sorted by what stat and fdinfo say and, among equals, by the order that
 * kcmp(2) gives, so that 20,000 fds need a few comparisons each and no fd of ours stays open.
 */
#include "cr/file/dump-internal.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/util.h"
#include "sys/proc.h"
#include "sys/syscall.h"

int file_dump_new(struct image_writer *w, const struct file_dump_opts *opts, struct file_dump **ret,
	struct err *err)
{
	struct file_dump *d = calloc(1, sizeof(*d));
	autoclose int shm = -EBADF;
	struct stat st;
	int r;

	if (!d)
		return err_oom(err);
	d->writer = w;
	d->opts = *opts;
	d->self = getpid();
	d->self_procfd = -EBADF;
	d->state = calloc(file_kind_count(), sizeof(*d->state));
	d->procfd = proc_open(err);
	if (!d->state || d->procfd < 0) {
		r = d->state ? d->procfd : err_oom(err);
		file_dump_free(d);
		return r;
	}
	d->self_procfd = proc_open_pid(d->procfd, d->self);
	shm = memfd_create("kist", MFD_CLOEXEC);
	if (d->self_procfd < 0 || shm < 0 || fstat(shm, &st) < 0) {
		r = err_set(err, d->self_procfd < 0 ? d->self_procfd : -errno,
			"cannot prepare to look at open files");
		file_dump_free(d);
		return r;
	}
	d->shm_dev = st.st_dev;
	*ret = d;
	return 0;
}

void file_dump_free(struct file_dump *d)
{
	size_t i;

	if (!d)
		return;
	for (i = 0; d->state && file_kinds[i]; i++)
		if (d->state[i] && file_kinds[i]->dump_done)
			file_kinds[i]->dump_done(d);
	for (i = 0; i < d->n_seen; i++) {
		autoclose_p(&d->seen[i]->local);
		free(d->seen[i]);
	}
	for (i = 0; i < d->n_reopened; i++)
		free(d->reopened[i].link);
	autoclose_p(&d->procfd);
	autoclose_p(&d->self_procfd);
	free(d->state);
	free(d->seen);
	free(d->inodes);
	free(d->reopened);
	free(d->tables);
	free(d->tasks);
	free(d->posix);
	free(d);
}

int file_dump_add_task(struct file_dump *d, struct target *t, struct err *err)
{
	if (array_reserve(&d->tasks, &d->tasks_cap, d->n_tasks + 1, sizeof(*d->tasks)) < 0)
		return err_oom(err);
	d->tasks[d->n_tasks++] = t;
	return 0;
}

void file_dump_commit(struct file_dump *d)
{
	size_t i;

	for (i = 0; file_kinds[i]; i++)
		if (file_kinds[i]->dump_commit)
			file_kinds[i]->dump_commit(d);
}

/* ---- the order of descriptions ---- */

static int cmp_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* <0, 0, >0, or INT_MIN when kcmp fails (errno in *ret_error). */
static int seen_cmp(const struct file_seen *a, const struct file_seen *b, int *ret_error)
{
	int c = cmp_u64(a->dev, b->dev);

	if (!c)
		c = cmp_u64(a->ino, b->ino);
	if (!c)
		c = cmp_u64(a->flags, b->flags);
	if (!c)
		c = cmp_u64(a->pos, b->pos);
	if (!c)
		c = cmp_u64(a->mnt_id, b->mnt_id);
	if (c)
		return c;
	c = sys_kcmp(a->pid, b->pid, KCMP_FILE, a->fd, b->fd);
	if (c < 0 || c == 3) {
		*ret_error = c < 0 ? c : -EIO;
		return 0;
	}
	return c == 0 ? 0 : c == 1 ? -1 : 1;
}

/* Looks @key up; *ret_at: where it is, or belongs. 1: found, 0: not, or -errno. */
static int seen_search(
	const struct file_dump *d, const struct file_seen *key, size_t *ret_at, struct err *err)
{
	size_t low = 0, high = d->n_seen, mid;
	int c, error = 0;

	while (low < high) {
		mid = low + (high - low) / 2;
		c = seen_cmp(key, d->seen[mid], &error);
		if (error)
			return err_set(err, error, "cannot compare fds of processes %d and %d",
				key->pid, d->seen[mid]->pid);
		if (c == 0) {
			*ret_at = mid;
			return 1;
		}
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	*ret_at = low;
	return 0;
}

static int seen_insert(struct file_dump *d, size_t at, const struct file_seen *key,
	struct file_seen **ret, struct err *err)
{
	struct file_seen *s = malloc(sizeof(*s));

	if (!s || array_reserve(&d->seen, &d->seen_cap, d->n_seen + 1, sizeof(*d->seen)) < 0) {
		free(s);
		return err_oom(err);
	}
	*s = *key;
	memmove(&d->seen[at + 1], &d->seen[at], (d->n_seen - at) * sizeof(*d->seen));
	d->seen[at] = s;
	d->n_seen++;
	*ret = s;
	return 0;
}

static const struct file_seen *seen_key(struct file_seen *s, const struct fd_view *v, pid_t pid)
{
	*s = (struct file_seen){.dev = v->st.st_dev,
		.ino = v->st.st_ino,
		.flags = v->flags,
		.pos = v->pos,
		.mnt_id = v->mnt_id,
		.pid = pid,
		.fd = v->fd,
		.local = -EBADF};
	return s;
}

/* ---- a new description ---- */

static int no_kind(const struct fd_view *v, struct err *err)
{
	(void)file_refuse(v, err, -ENOTSUP, "this kind of open file cannot be saved");
	return err_hint(err, "close it in the process before the checkpoint");
}

static int dump_new(struct file_dump *d, struct fd_view *v, uint32_t id, struct err *err)
{
	size_t i;

	for (i = 0; file_kinds[i]; i++)
		if (file_kinds[i]->probe && file_kinds[i]->probe(d, v))
			return file_kinds[i]->dump(d, v, id, err);
	return no_kind(v, err);
}

int dump_view(struct file_dump *d, struct fd_view *v, pid_t pid, int local, uint32_t *ret_id,
	struct err *err)
{
	struct file_seen key, *s = NULL;
	size_t at = 0;
	int r;

	r = seen_search(d, seen_key(&key, v, pid), &at, err);
	if (r < 0)
		return r;
	if (r == 1) {
		*ret_id = d->seen[at]->id;
		return 0;
	}
	key.id = d->last_id + 1;
	if (local < 0) {
		v->local = sys_pidfd_getfd(v->task->pidfd, v->fd);
		if (v->local < 0)
			return file_refuse(
				v, err, v->local, "cannot be duplicated: %s", strerror(-v->local));
	}
	r = seen_insert(d, at, &key, &s, err);
	if (r < 0)
		return r;
	s->local = local;
	d->last_id++;
	r = dump_new(d, v, key.id, err);
	if (r == 0)
		*ret_id = key.id;
	return r;
}

int file_dump_fd(
	struct file_dump *d, struct target *t, int local_fd, uint32_t *ret_id, struct err *err)
{
	autoclose int local = local_fd;
	autoview struct fd_view v = {.local = -EBADF};
	size_t before;
	uint32_t id = 0;
	int r;

	r = view_slot(d->self_procfd, t, local_fd, &v, err);
	if (r < 0)
		return r;
	before = d->n_seen;
	v.fd = local_fd;
	v.what = "passed fd";
	v.local = fcntl(local_fd, F_DUPFD_CLOEXEC, 0);
	if (v.local < 0)
		return file_refuse(&v, err, -errno, "cannot be duplicated: %m");
	r = dump_view(d, &v, d->self, local, &id, err);
	if (d->n_seen > before)
		(void)TAKE_FD(local); /* now in the list of descriptions */
	if (r == 0)
		*ret_id = id;
	return r;
}

static uint32_t find_id(struct file_dump *d, int procpid, struct target *t, int fd)
{
	autoview struct fd_view v = {.local = -EBADF};
	struct file_seen key;
	struct err err;
	size_t at;

	if (view_slot(procpid, t, fd, &v, &err) < 0 ||
		seen_search(d, seen_key(&key, &v, t->pid), &at, &err) != 1)
		return 0;
	return d->seen[at]->id;
}

uint32_t file_dump_find(struct file_dump *d, int fd)
{
	struct target self = {.pid = d->self, .comm = "kist"};

	return find_id(d, d->self_procfd, &self, fd);
}

uint32_t dump_find_slot(struct file_dump *d, struct target *t, int fd)
{
	return find_id(d, t->procfd, t, fd);
}

/* ---- mappings and links: descriptions that no fd has ---- */

static int dump_reopened(struct file_dump *d, struct fd_view *v, uint32_t *ret_id, struct err *err)
{
	struct file_reopened *m;
	uint32_t id;
	size_t i;
	int r;

	for (i = d->n_reopened; i > 0; i--) {
		m = &d->reopened[i - 1];
		if (m->ino == v->st.st_ino && m->dev == v->st.st_dev && m->flags == v->flags &&
			strcmp(m->link, v->link) == 0) {
			*ret_id = m->id;
			return 0;
		}
	}
	if (array_reserve(&d->reopened, &d->reopened_cap, d->n_reopened + 1, sizeof(*m)) < 0)
		return err_oom(err);
	m = &d->reopened[d->n_reopened];
	*m = (struct file_reopened){
		.dev = v->st.st_dev, .ino = v->st.st_ino, .flags = v->flags, .id = d->last_id + 1};
	m->link = strdup(v->link);
	if (!m->link)
		return err_oom(err);
	d->n_reopened++;
	id = ++d->last_id; /* the array may move while the kind is at work */
	r = dump_new(d, v, id, err);
	if (r == 0)
		*ret_id = id;
	return r;
}

int file_dump_mapping(struct file_dump *d, struct target *t, uint64_t start, uint64_t end,
	bool shared_writable, uint32_t *ret_id, struct err *err)
{
	autoview struct fd_view v = {.local = -EBADF};
	char link[64], what[64];
	int r;

	snprintf(link, sizeof(link), "map_files/%lx-%lx", (unsigned long)start, (unsigned long)end);
	snprintf(what, sizeof(what), "mapping %lx-%lx", (unsigned long)start, (unsigned long)end);
	r = view_link(t, link, what, shared_writable ? O_RDWR : O_RDONLY, &v, err);
	if (r < 0)
		return r;
	return dump_reopened(d, &v, ret_id, err);
}

int file_dump_link(
	struct file_dump *d, struct target *t, const char *link, uint32_t *ret_id, struct err *err)
{
	autoview struct fd_view v = {.local = -EBADF};
	int r;

	r = view_link(t, link, link, strcmp(link, "exe") == 0 ? O_RDONLY : O_PATH, &v, err);
	if (r < 0)
		return r;
	return dump_reopened(d, &v, ret_id, err);
}

int file_dump_finish(struct file_dump *d, struct err *err)
{
	size_t i;
	int r;

	for (i = 0; file_kinds[i]; i++) {
		if (!file_kinds[i]->dump_finish)
			continue;
		r = file_kinds[i]->dump_finish(d, err);
		if (r < 0)
			return r;
	}
	log_debug("%u open files saved", d->last_id);
	return 0;
}
