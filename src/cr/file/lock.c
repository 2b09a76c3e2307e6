// SPDX-License-Identifier: Apache-2.0
/*
 * File locks: flock(2), POSIX and OFD locks of fcntl(2), leases. fdinfo names those of each fd.
 * All but the POSIX locks belong to the description and are taken as soon as it is open; a POSIX
 * lock belongs to the fd table, and any close of the same file drops it, so that they come last.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "cr/file/dump-internal.h"
#include "cr/file/restore-internal.h"

enum lock_kind { LOCK_KIND_FLOCK = 1, LOCK_KIND_POSIX, LOCK_KIND_OFD, LOCK_KIND_LEASE };

static const struct {
	const char *word;
	enum lock_kind kind;
} lock_words[] = {
	{"DELEG", 0},
	{"FLOCK", LOCK_KIND_FLOCK},
	{"LEASE", LOCK_KIND_LEASE},
	{"OFDLCK", LOCK_KIND_OFD},
	{"POSIX", LOCK_KIND_POSIX},
};

/* "1: POSIX  ADVISORY  WRITE 123 00:1f:99 0 EOF", as in /proc/locks. 0, or -EINVAL. */
static int parse_lock(const char *line, Kist__Lock *lock)
{
	char word[16], how[16], type[16], end[32];
	unsigned long long start;
	size_t i;

	if (sscanf(line, "%*d: %15s %15s %15s %*d %*s %llu %31s", word, how, type, &start, end) !=
		5)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(lock_words); i++)
		if (strcmp(word, lock_words[i].word) == 0)
			lock->kind = lock_words[i].kind;
	if (!lock->kind)
		return -EINVAL;
	if (strcmp(type, "WRITE") == 0)
		lock->type = F_WRLCK;
	else if (strcmp(type, "READ") == 0)
		lock->type = F_RDLCK;
	else
		return -EINVAL; /* MAND and RW locks left the kernel; UNLCK: a broken lease */
	if (strcmp(how, "BREAKING") == 0)
		return -EBUSY;
	lock->has_start = lock->has_len = true;
	lock->start = start;
	lock->len = strcmp(end, "EOF") == 0 ? 0 : strtoull(end, NULL, 10) - start + 1;
	return 0;
}

/* A POSIX lock shows at every fd of the file in the table: it is saved once. */
static int posix_is_new(
	struct file_dump *d, const struct fd_view *v, const Kist__Lock *lock, struct err *err)
{
	struct posix_seen *p;
	size_t i;

	for (i = 0; i < d->n_posix; i++) {
		p = &d->posix[i];
		if (p->task == v->task->id && p->ino == v->st.st_ino && p->dev == v->st.st_dev &&
			p->start == lock->start && p->len == lock->len)
			return 0;
	}
	if (array_reserve(&d->posix, &d->posix_cap, d->n_posix + 1, sizeof(*p)) < 0)
		return err_oom(err);
	d->posix[d->n_posix++] = (struct posix_seen){.task = v->task->id,
		.dev = v->st.st_dev,
		.ino = v->st.st_ino,
		.start = lock->start,
		.len = lock->len};
	return 1;
}

/* A write lock needs an fd that can write, a read lock one that can read. */
static bool can_hold(const struct fd_view *v, const Kist__Lock *lock)
{
	unsigned int mode = v->flags & O_ACCMODE;

	return mode == O_RDWR || mode == (lock->type == F_WRLCK ? O_WRONLY : O_RDONLY);
}

static int dump_lock(struct file_dump *d, const struct fd_view *v, uint32_t id, const char *line,
	struct err *err)
{
	Kist__Lock lock = KIST__LOCK__INIT;
	int r;

	r = parse_lock(line, &lock);
	if (r == -EBUSY)
		return file_refuse(v, err, r, "its lease is being broken; try again");
	if (r < 0)
		return file_refuse(v, err, -ENOTSUP, "unknown kind of lock: %s", line);
	if (!d->opts.file_locks) {
		(void)file_refuse(v, err, -ENOTSUP, "it holds a file lock");
		return err_hint(err, "locks are saved with --file-locks");
	}
	lock.id = id;
	if (lock.kind == LOCK_KIND_POSIX) {
		if (!can_hold(v, &lock))
			return 0; /* another fd of the table shows it too */
		r = posix_is_new(d, v, &lock, err);
		if (r <= 0)
			return r;
		lock.has_task = lock.has_fd = true;
		lock.task = v->task->id;
		lock.fd = v->fd;
	} else if (v->local < 0) {
		return 0; /* saved with the first slot of this description */
	}
	return image_put(d->writer, RECORD_LOCK, &lock.base, err);
}

int dump_locks(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	const char *p = buf_str(&v->fdinfo), *eol;
	char line[256];
	int r;

	for (; *p; p = eol + 1) {
		eol = strchrnul(p, '\n');
		if (strncmp(p, "lock:", 5) == 0 && (size_t)(eol - p) < sizeof(line)) {
			snprintf(line, sizeof(line), "%.*s", (int)(eol - p - 5), p + 5);
			r = dump_lock(d, v, id, line + strspn(line, "\t "), err);
			if (r < 0)
				return r;
		}
		if (!*eol)
			break;
	}
	return 0;
}

/* ---- restore ---- */

static const Kist__Lock *get_lock(const struct file_restore *r, size_t i)
{
	return (const Kist__Lock *)image_get(r->img, RECORD_LOCK, i);
}

int lock_check_all(struct file_restore *r, struct err *err)
{
	size_t i, n = image_count(r->img, RECORD_LOCK);

	for (i = 0; i < n; i++) {
		const Kist__Lock *lock = get_lock(r, i);

		if (lock->kind < LOCK_KIND_FLOCK || lock->kind > LOCK_KIND_LEASE ||
			(lock->type != F_RDLCK && lock->type != F_WRLCK) ||
			lock->start > INT64_MAX || lock->len > INT64_MAX - lock->start)
			return err_setx(err, -EINVAL, "image: lock %zu makes no sense", i);
		if (!file_restore_kind(r, lock->id))
			return err_setx(
				err, -EINVAL, "image: lock of unknown open file %u", lock->id);
		if (lock->kind == LOCK_KIND_POSIX &&
			table_slot(r, lock->task, lock->fd) != lock->id)
			return err_setx(err, -EINVAL,
				"image: lock by fd %d of task %u, which is another file", lock->fd,
				lock->task);
	}
	return 0;
}

static struct flock to_flock(const Kist__Lock *lock)
{
	return (struct flock){.l_type = lock->type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)lock->start,
		.l_len = (off_t)lock->len};
}

int lock_take_all(struct file_restore *r, struct err *err)
{
	size_t i, n = image_count(r->img, RECORD_LOCK);

	for (i = 0; i < n; i++) {
		const Kist__Lock *lock = get_lock(r, i);
		int fd = file_restore_fd(r, lock->id), c = 0;
		struct flock fl = to_flock(lock);

		if (lock->kind == LOCK_KIND_FLOCK)
			c = flock(fd, (lock->type == F_WRLCK ? LOCK_EX : LOCK_SH) | LOCK_NB);
		else if (lock->kind == LOCK_KIND_OFD)
			c = fcntl(fd, F_OFD_SETLK, &fl);
		else if (lock->kind == LOCK_KIND_LEASE)
			c = fcntl(fd, F_SETLEASE, lock->type);
		if (c < 0) {
			(void)err_set(err, -errno, "cannot take the lock on open file %u again",
				lock->id);
			return err_hint(err, "another process has locked the file meanwhile");
		}
	}
	return 0;
}

int file_restore_tape(
	const struct file_restore *r, uint32_t task, struct tape *tape, struct err *err)
{
	size_t i, n = image_count(r->img, RECORD_LOCK);

	for (i = 0; i < n; i++) {
		const Kist__Lock *lock = get_lock(r, i);
		struct flock fl = to_flock(lock);
		uint64_t data;

		if (lock->kind != LOCK_KIND_POSIX || lock->task != task)
			continue;
		data = tape_data(tape, &fl, sizeof(fl));
		(void)TAPE_ADD(tape, "lock", TAPE_STOP | TAPE_DATA(2), SYS_fcntl, lock->fd, F_SETLK,
			data); /* the row's number is not needed */
	}
	return tape->failed ? err_oom(err) : 0;
}
