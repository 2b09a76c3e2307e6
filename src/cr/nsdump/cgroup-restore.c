// SPDX-License-Identifier: Apache-2.0
/*
 * The cgroups that the tree had made, again: directories, then members and limits in the order that
 * each kind of hierarchy wants (v1's cpuset takes no members before its values; v2 passes
 * controllers on only where no process is left).
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/util.h"
#include "cr/nsdump/nsdump-internal.h"
#include "sys/syscall.h"

#define SUBTREE "cgroup.subtree_control"

struct target_group {
	const Kist__Cgroup *m;
	int fd; /* -EBADF: this host has not its hierarchy */
};

static const Kist__Cgroup *group_at(const struct image *img, size_t i)
{
	return (const Kist__Cgroup *)image_get(img, RECORD_CGROUP, i);
}

int cgroups_check(const struct image *img, struct err *err)
{
	const Kist__Cgroup *m;
	size_t i, k;

	for (i = 0; (m = group_at(img, i)); i++) {
		if (m->path.len > 4000 || !bytes_plain(&m->path) ||
			(m->path.len && m->path.data[0] == '/'))
			return err_setx(err, -EBADMSG, "the image is damaged: impossible cgroup");
		for (k = 0; k < m->n_values; k++)
			if (strchr(m->values[k]->file, '/') || m->values[k]->file[0] == '.' ||
				!m->values[k]->file[0])
				return err_setx(err, -EBADMSG,
					"the image is damaged: impossible cgroup file");
	}
	return 0;
}

/* Makes the last component of @path, opens it. The parents have records before it. */
static int make_group(int top, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	autofree char *parent = strdup(path);
	autoclose int up = -EBADF;
	char *slash;

	if (!parent)
		return -ENOMEM;
	slash = strrchr(parent, '/');
	if (slash)
		*slash = '\0';
	up = sys_openat2(top, slash ? parent : ".", &how);
	if (up < 0)
		return up;
	if (*path && mkdirat(up, slash ? slash + 1 : path, 0755) < 0 && errno != EEXIST)
		return -errno;
	return sys_openat2(top, *path ? path : ".", &how);
}

static int open_group(const struct nsdump_cgroup *cgroups, size_t n, const Kist__Cgroup *m,
	int *ret, struct err *err)
{
	autofree char *path = bytes_dup(&m->path);
	size_t i;
	int fd;

	if (!path)
		return err_oom(err);
	*ret = -EBADF;
	for (i = 0; i < n; i++) {
		if (strcmp(cgroups[i].controllers, m->controllers) != 0)
			continue;
		fd = make_group(cgroups[i].dirfd, path);
		if (fd < 0)
			return err_set(
				err, fd, "cannot make the cgroup '%s' inside the container", path);
		*ret = fd;
		return 0;
	}
	if (m->n_pids == 0)
		return 0;
	err_setx(err, -EOPNOTSUPP,
		"the container had processes in a cgroup of its own '%s' (%s), a hierarchy that "
		"this "
		"host has not",
		path, *m->controllers ? m->controllers : "cgroup2");
	return -EOPNOTSUPP;
}

/* "memory pids" as read is "+memory +pids" to write. */
static int write_subtree(int fd, const char *value)
{
	autofree char *copy = strdup(value);
	autobuf struct buf b = {0};
	char *p = copy, *word;

	while (copy && (word = strsep(&p, " ")))
		if (*word)
			(void)buf_addf(&b, "%s+%s", b.len ? " " : "", word); /* remembered */
	if (!copy || b.failed)
		return -ENOMEM;
	return b.len ? file_write_at(fd, SUBTREE, b.data) : 0;
}

/* Line by line where a file has several (io.max); what is so already is not written. */
static int write_value(int fd, const Kist__CgroupValue *v)
{
	autofree char *copy = strdup(v->value);
	autobuf struct buf now = {0};
	char *p = copy, *line;
	int r = file_read_at(fd, v->file, &now, 65536);

	if (!copy)
		return -ENOMEM;
	while (now.len && now.data[now.len - 1] == '\n')
		now.data[--now.len] = '\0';
	if (r == -ENOENT && (strcmp(v->value, "max") == 0 || !*v->value))
		return 0; /* no such file here, and no limit is lost by that */
	if (r < 0 || strcmp(buf_str(&now), v->value) == 0)
		return r;
	while (r == 0 && (line = strsep(&p, "\n")))
		if (*line)
			r = file_write_at(fd, v->file, line);
	return r;
}

static int set_values(const struct target_group *g, struct err *err)
{
	size_t i;
	int r;

	for (i = 0; i < g->m->n_values; i++) {
		const Kist__CgroupValue *v = g->m->values[i];

		r = strcmp(v->file, SUBTREE) == 0 ? write_subtree(g->fd, v->value)
						  : write_value(g->fd, v);
		if (r < 0)
			return err_set(err, r, "cannot set '%s' of the cgroup '%.*s' to '%s'",
				v->file, (int)g->m->path.len, (const char *)g->m->path.data,
				v->value);
	}
	return 0;
}

static int attach(const struct target_group *g, pid_t (*host_pid)(void *arg, pid_t vpid), void *arg,
	struct err *err)
{
	char text[16];
	size_t i;
	int r;

	for (i = 0; i < g->m->n_pids; i++) {
		pid_t pid = host_pid(arg, (pid_t)g->m->pids[i]);

		if (pid == -ESRCH)
			continue; /* it was not of the tree */
		snprintf(text, sizeof(text), "%d", (int)pid);
		r = pid < 0 ? (int)pid : file_write_at(g->fd, "cgroup.procs", text);
		if (r < 0)
			return err_set(err, r, "cannot put process %u into the cgroup '%.*s'",
				g->m->pids[i], (int)g->m->path.len, (const char *)g->m->path.data);
	}
	return 0;
}

static int restore_all(struct target_group *g, size_t n, pid_t (*host_pid)(void *arg, pid_t vpid),
	void *arg, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++)
		if (g[i].fd >= 0 && *g[i].m->controllers)
			r = set_values(&g[i], err);
	for (i = 0; r == 0 && i < n; i++)
		if (g[i].fd >= 0)
			r = attach(&g[i], host_pid, arg, err);
	for (i = 0; r == 0 && i < n; i++)
		if (g[i].fd >= 0 && !*g[i].m->controllers)
			r = set_values(&g[i], err);
	return r;
}

int nsdump_restore_cgroups(const struct image *img, const struct nsdump_cgroup *cgroups, size_t n,
	pid_t (*host_pid)(void *arg, pid_t vpid), void *arg, struct err *err)
{
	size_t i, total = image_count(img, RECORD_CGROUP);
	autofree struct target_group *g = calloc(total + 1, sizeof(*g));
	int r = 0;

	if (!g)
		return err_oom(err);
	for (i = 0; i < total; i++)
		g[i] = (struct target_group){.m = group_at(img, i), .fd = -EBADF};
	for (i = 0; r == 0 && i < total; i++)
		r = open_group(cgroups, n, g[i].m, &g[i].fd, err);
	if (r == 0)
		r = restore_all(g, total, host_pid, arg, err);
	for (i = 0; i < total; i++)
		if (g[i].fd >= 0)
			(void)close(g[i].fd); /* a directory */
	return r;
}
