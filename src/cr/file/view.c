// SPDX-License-Identifier: Apache-2.0
/* What an fd looks like from outside: fdinfo, stat and link of procfs, proc(5). */
#include "cr/file/view.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "sys/idmap.h"
#include "sys/proc.h"

void view_done(struct fd_view *v)
{
	autoclose_p(&v->local);
	free(v->link);
	buf_done(&v->fdinfo);
}

int file_refuse(const struct fd_view *v, struct err *err, int code, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX / 2], where[64];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* cut when too long */
	va_end(ap);
	if (v->what)
		snprintf(where, sizeof(where), "%s", v->what);
	else
		snprintf(where, sizeof(where), "fd %d", v->fd);
	return err_setx(err, code, "%s ('%s') of '%s' (pid %d): %s", where, v->link ? v->link : "?",
		v->task->comm, v->task->pid, text);
}

static int parse_fdinfo(struct fd_view *v)
{
	const char *text = buf_str(&v->fdinfo);
	size_t len = v->fdinfo.len;
	uint64_t x;

	if (proc_field_u64(text, len, "flags", 8, &x) < 0)
		return -EINVAL;
	v->cloexec = x & O_CLOEXEC;
	v->flags = x & ~(unsigned int)O_CLOEXEC;
	if (proc_field_u64(text, len, "pos", 10, &x) == 0)
		v->pos = (int64_t)x;
	if (proc_field_u64(text, len, "mnt_id", 10, &x) == 0)
		v->mnt_id = (int)x;
	return 0;
}

/*
 * A terminal opened by TIOCGPTPEER with O_CLOEXEC has the flag in its description for ever, and
 * fdinfo mixes it with the fd's own: the task itself is asked.
 */
static int ask_cloexec(struct fd_view *v, struct err *err)
{
	const uint64_t args[6] = {v->fd, F_GETFD};
	int64_t flags;
	int r = target_syscall(v->task, SYS_fcntl, args, &flags, err);

	if (r < 0)
		return r;
	if (flags < 0)
		return file_refuse(
			v, err, (int)flags, "its flags cannot be read: %s", strerror((int)-flags));
	v->cloexec = flags & FD_CLOEXEC;
	return 0;
}

int view_slot(int procpid, struct target *t, int fd, struct fd_view *ret, struct err *err)
{
	autoview struct fd_view v = {.task = t, .fd = fd, .local = -EBADF, .mnt_id = -1};
	char name[32];
	int r;

	snprintf(name, sizeof(name), "fd/%d", fd);
	r = proc_readlink(procpid, name, &v.link);
	if (r < 0)
		return file_refuse(&v, err, r, "cannot be looked at: %s", strerror(-r));
	if (fstatat(procpid, name, &v.st, 0) < 0)
		return file_refuse(&v, err, -errno, "cannot be looked at: %m");
	snprintf(name, sizeof(name), "fdinfo/%d", fd);
	r = proc_read(procpid, name, &v.fdinfo);
	if (r == 0)
		r = parse_fdinfo(&v);
	if (r < 0)
		return file_refuse(&v, err, r, "its fdinfo cannot be read: %s", strerror(-r));
	if (v.cloexec && S_ISCHR(v.st.st_mode)) {
		r = ask_cloexec(&v, err);
		if (r < 0)
			return r;
	}
	*ret = v;
	v = (struct fd_view){.local = -EBADF};
	return 0;
}

int view_link(struct target *t, const char *link, const char *what, int flags, struct fd_view *ret,
	struct err *err)
{
	autoview struct fd_view v = {
		.task = t, .fd = -1, .what = what, .local = -EBADF, .mnt_id = -1};
	int r;

	r = proc_readlink(t->procfd, link, &v.link);
	if (r < 0)
		return file_refuse(&v, err, r, "cannot be looked at: %s", strerror(-r));
	v.local = openat(t->procfd, link, flags | O_CLOEXEC);
	if (v.local < 0)
		return file_refuse(&v, err, -errno, "cannot be opened: %m");
	if (fstat(v.local, &v.st) < 0)
		return file_refuse(&v, err, -errno, "cannot be looked at: %m");
	v.flags = flags;
	*ret = v;
	v = (struct fd_view){.local = -EBADF};
	return 0;
}

int file_view_reopen(const struct fd_view *v, int flags)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", v->local);
	fd = open(name, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int file_view_owner(const struct fd_view *v, const struct stat *st, uint32_t *ret_uid,
	uint32_t *ret_gid, struct err *err)
{
	struct idmaps maps;
	int r = idmaps_read(v->task->procfd, &maps, err);

	if (r < 0)
		return r;
	*ret_uid = idmap_inside(&maps.uid, st->st_uid);
	*ret_gid = idmap_inside(&maps.gid, st->st_gid);
	return 0;
}
