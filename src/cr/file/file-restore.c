// SPDX-License-Identifier: Apache-2.0
/*
 * The restore of open files: checks the records (an image is hostile input), then opens every
 * description once, in passes, since one may need another (a pipe's second end, an epoll target).
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/file/restore-internal.h"
#include "sys/proc.h"
#include "sys/syscall.h"

/* ---- planning ---- */

static const void *field_of(const ProtobufCMessage *msg, const char *name)
{
	const ProtobufCFieldDescriptor *f =
		protobuf_c_message_descriptor_get_field_by_name(msg->descriptor, name);

	return f ? (const char *)msg + f->offset : NULL;
}

/*
 * Every record of an open file has a `desc`, those of sockets of the network `id` and `flags`:
 * where, the schema knows.
 */
static Kist__FileDesc desc_of(const ProtobufCMessage *msg)
{
	Kist__FileDesc *const *desc = field_of(msg, "desc"), made = KIST__FILE_DESC__INIT;
	const uint32_t *id = field_of(msg, "id"), *flags = field_of(msg, "flags");

	if (desc)
		return **desc;
	made.id = id ? *id : 0;
	made.flags = flags ? *flags : 0;
	return made;
}

static int plan_entry(struct file_restore *r, const struct file_kind *kind,
	const ProtobufCMessage *msg, struct err *err)
{
	Kist__FileDesc desc = desc_of(msg);
	struct file_entry *e;

	if (desc.id == 0 || desc.id > r->n_entries)
		return err_setx(err, -EINVAL, "image: %s with an id out of range", kind->name);
	e = &r->entries[desc.id];
	if (e->kind)
		return err_setx(err, -EINVAL, "image: two open files with id %u", desc.id);
	*e = (struct file_entry){
		.kind = kind, .msg = msg, .desc = desc, .fd = -EBADF, .spare = -EBADF};
	return 0;
}

static size_t live_size(const struct file_restore *r)
{
	return (r->n_entries + 1) * sizeof(*r->live);
}

static int plan_entries(struct file_restore *r, struct err *err)
{
	size_t i, k, n = 0;
	int c;

	for (k = 0; file_kinds[k]; k++)
		n += file_kinds[k]->open ? image_count(r->img, file_kinds[k]->record) : 0;
	r->entries = calloc(n + 1, sizeof(*r->entries));
	if (!r->entries)
		return err_oom(err);
	r->n_entries = n;
	r->live =
		mmap(NULL, live_size(r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->live == MAP_FAILED) {
		r->live = NULL;
		return err_oom(err);
	}
	for (k = 0; file_kinds[k]; k++) {
		for (i = 0; file_kinds[k]->open && i < image_count(r->img, file_kinds[k]->record);
			i++) {
			c = plan_entry(
				r, file_kinds[k], image_get(r->img, file_kinds[k]->record, i), err);
			if (c < 0)
				return c;
		}
	}
	return 0;
}

static int check_slots(struct file_restore *r, const Kist__FdTable *t, struct err *err)
{
	int last = -1;
	size_t i;

	for (i = 0; i < t->n_slots; i++) {
		const Kist__FdSlot *s = t->slots[i];

		if (s->fd <= last || s->fd >= FILE_FD_LIMIT)
			return err_setx(err, -EINVAL,
				"image: fd %d of task %u is out of order or range", s->fd, t->task);
		if (!file_restore_kind(r, s->id))
			return err_setx(err, -EINVAL, "image: fd %d of task %u is an unknown file",
				s->fd, t->task);
		last = s->fd;
	}
	r->base = MAX(r->base, last + 1);
	return 0;
}

static int table_cmp(const void *a, const void *b)
{
	uint32_t x = (*(const Kist__FdTable *const *)a)->task;
	uint32_t y = (*(const Kist__FdTable *const *)b)->task;

	return (x > y) - (x < y);
}

static int plan_tables(struct file_restore *r, struct err *err)
{
	size_t n = image_count(r->img, RECORD_FD_TABLE), i;
	const Kist__FdTable *t, *other;
	int c;

	r->tables = calloc(n + 1, sizeof(*r->tables));
	if (!r->tables)
		return err_oom(err);
	for (i = 0; i < n; i++)
		r->tables[i] = (const Kist__FdTable *)image_get(r->img, RECORD_FD_TABLE, i);
	r->n_tables = n;
	qsort(r->tables, n, sizeof(*r->tables), table_cmp);
	for (i = 0; i < n; i++) {
		t = r->tables[i];
		if (i && r->tables[i - 1]->task == t->task)
			return err_setx(err, -EINVAL, "image: two fd tables of task %u", t->task);
		other = t->shares_table_of ? table_get(r, t->shares_table_of) : NULL;
		if (t->shares_table_of && (!other || other->shares_table_of || t->n_slots))
			return err_setx(err, -EINVAL, "image: task %u shares no fd table", t->task);
		c = check_slots(r, t, err);
		if (c < 0)
			return c;
	}
	return 0;
}

static int check_entries(struct file_restore *r, struct err *err)
{
	size_t i;
	int c;

	for (i = 1; i <= r->n_entries; i++) {
		struct file_entry *e = &r->entries[i];

		c = e->kind->check ? e->kind->check(r, e->msg, err) : 0;
		if (c < 0)
			return err_wrap(err, "open file %zu (%s)", i, e->kind->name);
	}
	return 0;
}

int file_restore_new(const struct image *img, const struct file_restore_opts *opts,
	struct file_restore **ret, struct err *err)
{
	struct file_restore *r = calloc(1, sizeof(*r));
	int c;

	if (!r)
		return err_oom(err);
	r->img = img;
	r->opts = *opts;
	r->root_fd = opts->root_fd;
	r->base = 3;
	r->procfd = proc_open(err);
	c = r->procfd < 0 ? r->procfd : plan_entries(r, err);
	if (c == 0)
		c = plan_tables(r, err);
	if (c == 0)
		c = check_entries(r, err);
	if (c == 0)
		c = lock_check_all(r, err);
	if (c < 0) {
		file_restore_free(r);
		return c;
	}
	*ret = r;
	return 0;
}

void file_restore_free(struct file_restore *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 1; i <= r->n_entries; i++)
		if (r->entries[i].kind) {
			autoclose_p(&r->entries[i].fd);
			autoclose_p(&r->entries[i].spare);
		}
	autoclose_p(&r->procfd);
	if (r->own_root)
		autoclose_p(&r->root_fd);
	if (r->live)
		(void)munmap(r->live, live_size(r)); /* ours, whole */
	free(r->entries);
	free(r->tables);
	free(r);
}

/* ---- what the plan knows ---- */

int file_restore_base(const struct file_restore *r)
{
	return r->base;
}

const struct image *file_restore_image(const struct file_restore *r)
{
	return r->img;
}

int file_restore_root(const struct file_restore *r)
{
	return r->root_fd;
}

int file_restore_procfd(const struct file_restore *r)
{
	return r->procfd;
}

const struct file_external *file_restore_external(const struct file_restore *r, const char *key)
{
	size_t i;

	for (i = 0; i < r->opts.n_externals; i++)
		if (strcmp(r->opts.externals[i].key, key) == 0)
			return &r->opts.externals[i];
	return NULL;
}

const struct file_kind *file_restore_kind(const struct file_restore *r, uint32_t id)
{
	return id == 0 || id > r->n_entries ? NULL : r->entries[id].kind;
}

const void *file_restore_msg(const struct file_restore *r, uint32_t id, enum record_type type)
{
	const struct file_kind *kind = file_restore_kind(r, id);

	return kind && kind->record == type ? r->entries[id].msg : NULL;
}

int file_check_inode_of(struct file_restore *r, uint32_t id, uint32_t inode_of,
	enum record_type type, struct err *err)
{
	if (inode_of == 0)
		return 0;
	if (inode_of == id || !file_restore_msg(r, inode_of, type))
		return err_setx(err, -EINVAL, "image: %u is no other file of this kind", inode_of);
	return 0;
}

int file_restore_fd(const struct file_restore *r, uint32_t id)
{
	if (!file_restore_kind(r, id) || r->entries[id].fd < 0)
		return -ENOENT;
	return r->entries[id].fd;
}

int file_reopen(const struct file_restore *r, int fd, int flags)
{
	char name[32];
	int n;

	snprintf(name, sizeof(name), "self/fd/%d", fd);
	n = openat(r->procfd, name, flags | O_CLOEXEC | O_NOCTTY);
	return n < 0 ? -errno : n;
}

/* ---- the store ---- */

#define SETFL_FLAGS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

static int set_flags(int fd, unsigned int flags)
{
	int now;

	if (flags & O_PATH)
		return 0;
	now = fcntl(fd, F_GETFL);
	if (now < 0)
		return -errno;
	if ((now & SETFL_FLAGS) == (int)(flags & SETFL_FLAGS))
		return 0;
	return fcntl(fd, F_SETFL, (now & ~SETFL_FLAGS) | (flags & SETFL_FLAGS)) < 0 ? -errno : 0;
}

int file_store(struct file_restore *r, uint32_t id, int fd, struct err *err)
{
	struct file_entry *e = &r->entries[id];
	int high, c;

	c = set_flags(fd, e->desc.flags);
	high = c < 0 ? c : fd_move_above(fd, r->base);
	if (high < 0) {
		(void)close(fd); /* never used */
		(void)err_set(
			err, high, "open file %u (%s): cannot be kept ready", id, e->kind->name);
		return high == -EMFILE || high == -EINVAL
			       ? err_hint(err, "raise the limit of open files (ulimit -n)")
			       : high;
	}
	e->fd = high;
	if (e->kind->live)
		r->live[id] = high;
	return 0;
}

/* The store needs numbers above everyone's slots; each task gets its own limits back later. */
static void raise_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur >= lim.rlim_max)
		return;
	lim.rlim_cur = lim.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &lim); /* then file_store says what is missing */
}

/* One round over those that are not open yet. Returns how many were opened, or -errno. */
static int open_pass(struct file_restore *r, int pass, size_t *ret_left, struct err *err)
{
	size_t i, left = 0;
	int opened = 0, c;

	for (i = 1; i <= r->n_entries; i++) {
		struct file_entry *e = &r->entries[i];

		if (e->done)
			continue;
		c = e->kind->open(r, e->msg, pass, err);
		if (c < 0)
			return err_wrap(err, "open file %zu (%s)", i, e->kind->name);
		if (c > 0) {
			left++;
			continue;
		}
		e->done = true;
		opened++;
	}
	*ret_left = left;
	return opened;
}

int file_restore_open(struct file_restore *r, struct err *err)
{
	size_t left = r->n_entries, i;
	int pass, c;

	raise_limit();
	c = fd_move_above(r->procfd, r->base);
	if (c < 0)
		return err_set(err, c, "no room for open files above %d", r->base);
	r->procfd = c;
	c = r->root_fd < 0 ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)
			   : fcntl(r->root_fd, F_DUPFD_CLOEXEC, r->base);
	c = c < 0 ? -errno : fd_move_above(c, r->base);
	if (c < 0)
		return err_set(err, c, "cannot open '/'");
	r->root_fd = c;
	r->own_root = true;
	for (pass = 0; left; pass++) {
		c = open_pass(r, pass, &left, err);
		if (c < 0)
			return c;
		if (c == 0 && pass >= FILE_PASSES)
			return err_setx(
				err, -EINVAL, "image: %zu open files wait for each other", left);
	}
	for (i = 1; i <= r->n_entries; i++) {
		autoclose_p(&r->entries[i].spare);
		r->entries[i].spare = -EBADF;
	}
	return lock_take_all(r, err);
}

/* ---- going live ---- */

int file_restore_hold(struct file_restore *r, int pidfd, struct err *err)
{
	size_t i;

	raise_limit();
	for (i = 1; i <= r->n_entries; i++) {
		struct file_entry *e = &r->entries[i];

		if (!r->live[i])
			continue;
		e->fd = sys_pidfd_getfd(pidfd, r->live[i]);
		if (e->fd < 0)
			return err_set(
				err, e->fd, "cannot hold open file %zu (%s)", i, e->kind->name);
	}
	return 0;
}

int file_restore_live(struct file_restore *r, struct err *err)
{
	size_t i;
	int c;

	for (i = 1; i <= r->n_entries; i++) {
		const struct file_entry *e = &r->entries[i];

		c = e->fd >= 0 && e->kind->live ? e->kind->live(r, e->msg, err) : 0;
		if (c < 0)
			return err_wrap(err, "open file %zu (%s)", i, e->kind->name);
	}
	return 0;
}
