// SPDX-License-Identifier: Apache-2.0
/*
 * Getting processes into a cgroup, and a cgroup into the hierarchies that it left out so far.
 *
 * Measured on 6.18: a write of another process's pid to cgroup.procs takes 5-20 ms when none was
 * made for a while, and 10 µs when one was (it waits for cgroup_threadgroup_rwsem, an RCU grace
 * period); "0" to a v1 `tasks` file by a process with one thread takes 10 µs always, as the kernel
 * needs no lock to move only the caller; clone3 CLONE_INTO_CGROUP 50-100 µs.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "cgroup/cgroup-internal.h"

#define BIT(c) (1u << (c))
/* Passes over the members while they fork; each pass moves all that it sees. */
#define PASSES_MAX 64

static int attach_error(struct cgroup *cg, size_t i, pid_t pid, int r, struct err *err)
{
	char who[32] = "the calling process";

	if (pid)
		snprintf(who, sizeof(who), "process %d", (int)pid);
	err_set(err, r, "cannot move %s into cgroup '%s' (%s)", who, cg->path,
		cg->host->h[i].v2 ? "cgroup2" : cg->host->h[i].names);
	if (r == -ENOSPC)
		return err_hint(err, "its cpuset.cpus or cpuset.mems is empty; set both");
	if (r == -EBUSY)
		return err_hint(err, "cgroups below it have controllers enabled; use one of them");
	if (r == -EAGAIN)
		return err_hint(err, "pids.max of a cgroup above is reached");
	return r;
}

int cgroup_attach(struct cgroup *cg, pid_t pid, struct err *err)
{
	char text[16];
	size_t i;
	int r;

	snprintf(text, sizeof(text), "%d", (int)pid);
	for (i = 0; i < cg->host->n; i++) {
		if (cgroup_open_in(cg, i) < 0)
			continue;
		r = file_write_at(cg->fd[i], "cgroup.procs", text);
		if (r < 0)
			return attach_error(cg, i, pid, r, err);
	}
	return 0;
}

int cgroup_enter(struct cgroup *cg, struct err *err)
{
	size_t i;
	int r;

	for (i = 0; i < cg->host->n; i++) {
		if (cg->host->h[i].v2 || cgroup_open_in(cg, i) < 0)
			continue;
		r = file_write_at(cg->fd[i], "tasks", "0");
		if (r < 0)
			return attach_error(cg, i, 0, r, err);
	}
	return 0;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

int cgroup_pids(struct cgroup *cg, pid_t **ret, size_t *ret_n, struct err *err)
{
	size_t n = 0, cap = 0, i, k = 0;
	autofree pid_t *pids = NULL;
	int r;

	r = cgroup_tree_pids(cgroup_members_fd(cg), &pids, &n, &cap);
	if (r < 0)
		return err_set(err, r, "cannot list the processes of cgroup '%s'", cg->path);
	if (n)
		qsort(pids, n, sizeof(*pids), compare_pids);
	for (i = 0; i < n; i++)
		if (k == 0 || pids[k - 1] != pids[i])
			pids[k++] = pids[i];
	*ret = TAKE_PTR(pids);
	*ret_n = k;
	return 0;
}

/* Moves the members that are not in @fd's tree yet. Returns how many it moved, or -errno. */
static int move_members(struct cgroup *cg, size_t i, struct err *err)
{
	autofree pid_t *members = NULL, *there = NULL;
	size_t n = 0, n_there = 0, cap = 0, k;
	int r, moved = 0;
	char text[16];

	r = cgroup_pids(cg, &members, &n, err);
	if (r == 0)
		r = cgroup_tree_pids(cg->fd[i], &there, &n_there, &cap);
	if (r < 0)
		return r;
	if (n_there)
		qsort(there, n_there, sizeof(*there), compare_pids);
	for (k = 0; k < n; k++) {
		if (n_there && bsearch(&members[k], there, n_there, sizeof(*there), compare_pids))
			continue;
		snprintf(text, sizeof(text), "%d", (int)members[k]);
		r = file_write_at(cg->fd[i], "cgroup.procs", text);
		if (r == -ESRCH)
			continue; /* gone meanwhile */
		if (r < 0)
			return attach_error(cg, i, members[k], r, err);
		moved++;
	}
	return moved;
}

/* Copies @file down the path where it is empty: a v1 cpuset without CPUs takes no process. */
static int seed_file(int fd, const char *path, const char *file)
{
	char at[PATH_MAX];
	autobuf struct buf above = {0};
	const char *p = path;
	int r;

	r = file_read_at(fd, file, &above, 65536);
	while (r == 0 && p) {
		autobuf struct buf here = {0};

		p = strchr(p, '/');
		if (snprintf(at, sizeof(at), "%.*s/%s", p ? (int)(p - path) : (int)strlen(path),
			    path, file) >= (int)sizeof(at))
			return -ENAMETOOLONG;
		p = p ? p + 1 : NULL;
		r = file_read_at(fd, at, &here, 65536);
		if (r == 0 && strspn(buf_str(&here), " \n") == here.len) {
			r = file_write_at(fd, at, buf_str(&above));
		} else if (r == 0) {
			buf_reset(&above);
			r = buf_adds(&above, buf_str(&here));
		}
	}
	return r;
}

static int seed_cpuset(struct cgroup *cg, size_t i, struct err *err)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	size_t k;
	int r;

	for (k = 0; k < ARRAY_SIZE(files); k++) {
		r = seed_file(cg->host->h[i].fd, cgroup_relative(cg->path), files[k]);
		if (r < 0)
			return err_set(
				err, r, "cannot fill in '%s' of cgroup '%s'", files[k], cg->path);
	}
	return 0;
}

static int join_v1(struct cgroup *cg, size_t i, struct err *err)
{
	int r, pass;

	r = cgroup_tree_make(cg->host->h[i].fd, cg->path);
	if (r >= 0)
		r = cg->fd[i] = openat(cg->host->h[i].fd, cgroup_relative(cg->path),
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r < 0)
		return err_set(
			err, r, "cannot make cgroup '%s' (%s)", cg->path, cg->host->h[i].names);
	if (cg->host->h[i].controllers & BIT(CGROUP_CPUSET)) {
		r = seed_cpuset(cg, i, err);
		if (r < 0)
			return r;
	}
	/* A process that forks while we go round leaves its child outside once at most. */
	for (pass = 0; pass < PASSES_MAX; pass++) {
		r = move_members(cg, i, err);
		if (r <= 0)
			return r;
	}
	return err_setx(err, -EAGAIN,
		"the processes of cgroup '%s' fork faster than they can be moved (%s)", cg->path,
		cg->host->h[i].names);
}

static bool lists(int fd, const char *path, const char *file, const char *word)
{
	autobuf struct buf b = {0};
	char at[PATH_MAX];
	const char *p;
	size_t n = strlen(word);

	if (snprintf(at, sizeof(at), "%s/%s", path, file) >= (int)sizeof(at) ||
		file_read_at(fd, at, &b, 4096) < 0)
		return false;
	for (p = buf_str(&b); (p = strstr(p, word)); p += n)
		if ((p == b.data || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\n' || !p[n]))
			return true;
	return false;
}

/* Enables a controller in every directory above the cgroup, from the top. */
static int enable(struct cgroup *cg, enum cgroup_controller c, struct err *err)
{
	int fd = cg->host->h[cg->host->v2].fd, r;
	const char *name = cgroup_controller_name(c, true), *path = cgroup_relative(cg->path);
	const char *p = path;
	char at[PATH_MAX] = ".", word[32], file[PATH_MAX + 32];

	if (cg->scattered || lists(cgroup_fd2(cg), ".", "cgroup.controllers", name))
		return 0;
	snprintf(word, sizeof(word), "+%s", name);
	for (; p; p = strchr(p, '/'), p = p ? p + 1 : NULL) {
		if (p != path)
			snprintf(at, sizeof(at), "%.*s", (int)(p - path - 1), path);
		if (lists(fd, at, "cgroup.subtree_control", name))
			continue;
		snprintf(file, sizeof(file), "%s/cgroup.subtree_control", at);
		r = file_write_at(fd, file, word);
		if (r == 0)
			continue;
		err_set(err, r, "cannot enable the %s controller in cgroup '/%s'", name,
			at[0] == '.' ? "" : at);
		if (r == -EBUSY)
			return err_hint(err,
				"processes are in that cgroup itself: move them into one below it");
		return r;
	}
	return 0;
}

void cgroup_enable_defaults(struct cgroup *cg)
{
	static const enum cgroup_controller defaults[] = {
		CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CPU, CGROUP_IO};
	uint32_t have = cg->host->h[cg->host->v2].controllers;
	struct err err = {0};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(defaults); i++)
		if ((have & BIT(defaults[i])) && enable(cg, defaults[i], &err) < 0)
			log_debug("%s", err.text);
}

int cgroup_join(struct cgroup *cg, enum cgroup_controller c, struct err *err)
{
	int i = cgroup_host_find(cg->host, c), fd, r;
	const char *name;

	if (i < 0)
		return err_setx(err, -EOPNOTSUPP, "this host has no %s controller",
			cgroup_controller_name(c, cg->host->mode == CGROUP_V2));
	name = cgroup_controller_name(c, cg->host->h[i].v2);
	fd = cgroup_fd(cg, c);
	if (fd >= 0 && (cg->roots & BIT(i)))
		return err_setx(err, -EPERM,
			"%s is in the root cgroup of the %s hierarchy, which takes no limits",
			cg->path, *name ? name : "cgroup2");
	if (fd < 0 && cg->scattered)
		return err_setx(err, -ENOENT, "%s is in no visible cgroup of the %s hierarchy",
			cg->path, name);
	if (cg->host->h[i].v2)
		r = fd < 0 ? err_setx(err, -ENOENT, "cgroup '%s' is not on cgroup2", cg->path)
		    : c == CGROUP_CORE ? 0
				       : enable(cg, c, err);
	else
		r = fd >= 0 ? 0 : join_v1(cg, i, err);
	return r < 0 ? r : cg->fd[i];
}

int cgroup_join_all(struct cgroup *cg, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < cg->host->n; i++)
		if (cg->host->h[i].controllers && !cg->host->h[i].v2 && cg->fd[i] < 0)
			r = join_v1(cg, i, err);
	return r;
}
