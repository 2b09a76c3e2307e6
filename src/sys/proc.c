// SPDX-License-Identifier: Apache-2.0
/* See proc.h. */
#include "sys/proc.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/util.h"
#include "sys/syscall.h"

#define PROC_FILE_MAX (64u << 20)

int proc_open(struct err *err)
{
	autoclose int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs st;

	if (fd < 0)
		return err_set(err, -errno, "cannot open '/proc'");
	if (fstatfs(fd, &st) < 0 || st.f_type != PROC_SUPER_MAGIC)
		return err_setx(err, -ENOTSUP, "'/proc' is not a proc file system");
	return TAKE_FD(fd);
}

#define PROC_ROOT_INODE 1

int proc_open_private(struct err *err)
{
	autoclose int fs = sys_fsopen("proc"), fd = -EBADF;
	struct stat st;

	if (fs >= 0 && sys_fsconfig_create(fs) == 0) {
		fd = sys_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
		if (fd >= 0)
			return TAKE_FD(fd);
	}
	fd = proc_open(err);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || st.st_ino != PROC_ROOT_INODE)
		return err_setx(err, -ENOTSUP, "'/proc' is only a part of a proc file system");
	return TAKE_FD(fd);
}

int proc_open_pid(int procfd, pid_t pid)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "%d", pid);
	fd = openat(procfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return fd;
}

int proc_open_task(int procfd, pid_t pid, pid_t tid)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "%d/task/%d", pid, tid);
	fd = openat(procfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return fd;
}

int proc_read(int dirfd, const char *name, struct buf *b)
{
	buf_reset(b);
	return file_read_at(dirfd, name, b, PROC_FILE_MAX);
}

int proc_readlink(int dirfd, const char *name, char **ret)
{
	size_t size = 256;
	autofree char *s = NULL;
	ssize_t n;
	char *p;

	for (;;) {
		p = realloc(s, size);
		if (!p)
			return -ENOMEM;
		s = p;
		n = readlinkat(dirfd, name, s, size);
		if (n < 0)
			return -errno;
		if ((size_t)n < size)
			break;
		size *= 2;
	}
	s[n] = '\0';
	*ret = TAKE_PTR(s);
	return 0;
}

static int int_cmp(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

int proc_list_ids(int dirfd, const char *name, int **ret, size_t *ret_n)
{
	autofree int *ids = NULL;
	size_t n = 0, cap = 0;
	autodir DIR *dir = dir_open_at(dirfd, name);
	struct dirent *e;
	int r = 0, id;

	if (!dir)
		return -errno;
	while ((e = dir_next(dir))) {
		if (!isdigit((unsigned char)e->d_name[0]) || parse_int(e->d_name, &id) < 0)
			continue;
		r = array_reserve(&ids, &cap, n + 1, sizeof(*ids));
		if (r < 0)
			break;
		ids[n++] = id;
	}
	if (r == 0 && errno)
		r = -errno;
	if (r < 0)
		return r;
	if (n)
		qsort(ids, n, sizeof(*ids), int_cmp);
	*ret = TAKE_PTR(ids);
	*ret_n = n;
	return 0;
}

/* Field numbers of /proc/PID/stat behind the comm, counted as in proc(5). */
int proc_parse_stat(const char *text, size_t len, struct proc_stat *ret)
{
	const char *open = memchr(text, '(', len), *close = memrchr(text, ')', len), *p, *end;
	struct proc_stat st = {0};
	int64_t v[53] = {0};
	size_t n;
	int i;

	end = text + len;
	if (!open || !close || close < open || close + 2 >= end)
		return -EINVAL;
	n = MIN((size_t)(close - open - 1), sizeof(st.comm) - 1);
	memcpy(st.comm, open + 1, n);
	st.pid = atoi(text);
	st.state = close[2];
	p = close + 3;
	for (i = 4; i <= 52; i++) {
		bool neg = false;
		uint64_t x = 0;

		while (p < end && *p == ' ')
			p++;
		if (p < end && *p == '-') {
			neg = true;
			p++;
		}
		if (p >= end || !isdigit((unsigned char)*p))
			break;
		while (p < end && isdigit((unsigned char)*p))
			x = x * 10 + (*p++ - '0');
		v[i] = neg ? -(int64_t)x : (int64_t)x;
	}
	if (i < 23)
		return -EINVAL;
	st.ppid = v[4];
	st.pgid = v[5];
	st.sid = v[6];
	st.tty_nr = v[7];
	st.tty_pgrp = v[8];
	st.flags = v[9];
	st.nice = v[19];
	st.num_threads = v[20];
	st.start_time = v[22];
	st.vsize = v[23];
	st.rss = v[24];
	st.start_code = v[26];
	st.end_code = v[27];
	st.start_stack = v[28];
	st.exit_signal = v[38];
	st.start_data = v[45];
	st.end_data = v[46];
	st.start_brk = v[47];
	st.arg_start = v[48];
	st.arg_end = v[49];
	st.env_start = v[50];
	st.env_end = v[51];
	st.exit_code = v[52];
	*ret = st;
	return 0;
}

int proc_field(const char *text, size_t len, const char *key, char *ret, size_t size)
{
	size_t klen = strlen(key), n;
	const char *p = text, *end = text + len, *eol;

	while (p < end) {
		eol = memchr(p, '\n', end - p);
		if (!eol)
			eol = end;
		if ((size_t)(eol - p) > klen && memcmp(p, key, klen) == 0 && p[klen] == ':') {
			p += klen + 1;
			while (p < eol && (*p == '\t' || *p == ' '))
				p++;
			n = eol - p;
			if (n >= size)
				return -ENOBUFS;
			memcpy(ret, p, n);
			ret[n] = '\0';
			return 0;
		}
		p = eol + 1;
	}
	return -ENOENT;
}

int proc_field_u64(const char *text, size_t len, const char *key, int base, uint64_t *ret)
{
	char value[64];
	int r = proc_field(text, len, key, value, sizeof(value));

	if (r < 0)
		return r;
	value[strcspn(value, " \t")] = '\0';
	return parse_u64(value, base, ret);
}

int proc_ns_ids(const char *text, size_t len, const char *key, pid_t ret[PROC_NS_MAX])
{
	char value[PROC_NS_MAX * 12], *p = value, *word;
	int r = proc_field(text, len, key, value, sizeof(value)), n = 0;

	while (r == 0 && (word = strsep(&p, " \t"))) {
		if (!*word)
			continue;
		r = n < PROC_NS_MAX ? parse_int(word, &ret[n++]) : -EINVAL;
	}
	if (r < 0)
		return r;
	return n ? n : -EINVAL;
}

int proc_inner_id(const char *text, size_t len, const char *key, pid_t *ret)
{
	pid_t ids[PROC_NS_MAX];
	int n = proc_ns_ids(text, len, key, ids);

	if (n < 0)
		return n;
	*ret = ids[n - 1];
	return 0;
}
