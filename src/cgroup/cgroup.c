// SPDX-License-Identifier: Apache-2.0
/* Making, opening and removing a cgroup in the hierarchies of the host. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/io.h"
#include "base/util.h"
#include "cgroup/cgroup-internal.h"

#define BIT(c) (1u << (c))

/* These count what happens in them: who joins late is counted wrongly. */
#define EAGER (BIT(CGROUP_MEMORY) | BIT(CGROUP_IO))
/* Without cgroup2 beside them, these take over its part: members, freezing, CPU time. */
#define EAGER_V1 (EAGER | BIT(CGROUP_FREEZER) | BIT(CGROUP_CPUACCT) | BIT(CGROUP_PIDS))

static int check_path(const char *path, struct err *err)
{
	const char *p;

	if (path[0] != '/' || !path[1])
		return err_setx(err, -EINVAL,
			"'%s' is no path of a cgroup: it must start with '/' and name one", path);
	for (p = path; (p = strstr(p, "..")); p++)
		if (p[-1] == '/' && (p[2] == '/' || !p[2]))
			return err_setx(err, -EINVAL, "path '%s' of a cgroup contains '..'", path);
	return 0;
}

static struct cgroup *cgroup_new(struct cgroup_host *host, const char *path)
{
	struct cgroup *cg = calloc(1, sizeof(*cg));
	size_t i;

	if (!cg)
		return NULL;
	cg->host = host;
	for (i = 0; i < CGROUP_HIERARCHIES; i++)
		cg->fd[i] = -EBADF;
	cg->path = strdup(path);
	if (!cg->path) {
		free(cg);
		return NULL;
	}
	return cg;
}

void cgroup_free(struct cgroup *cg)
{
	size_t i;

	if (!cg)
		return;
	for (i = 0; i < CGROUP_HIERARCHIES; i++)
		if (cg->fd[i] >= 0)
			(void)close(cg->fd[i]); /* only a handle */
	free(cg->path);
	free(cg);
}

static void cgroup_free_p(struct cgroup **cg)
{
	cgroup_free(*cg);
}
#define autocgroup __attribute__((cleanup(cgroup_free_p)))

const char *cgroup_path(const struct cgroup *cg)
{
	return cg->path;
}

int cgroup_dir(const struct cgroup *cg, size_t i, const char **ret_controllers)
{
	if (cgroup_host_hierarchy(cg->host, i, ret_controllers) < 0)
		return -ENOENT;
	return cg->fd[i];
}

int cgroup_open_in(struct cgroup *cg, size_t i)
{
	const char *path = cgroup_relative(cg->path);
	int fd;

	if (cg->fd[i] >= 0)
		return cg->fd[i];
	if (cg->scattered || !cg->host->h[i].controllers)
		return -ENOENT;
	fd = openat(cg->host->h[i].fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	cg->fd[i] = fd;
	if (strcmp(path, ".") == 0)
		cg->roots |= BIT(i);
	return fd;
}

static int make_in(struct cgroup *cg, size_t i, bool must_be_new, struct err *err)
{
	int fd, r = cgroup_tree_make(cg->host->h[i].fd, cg->path);

	if (r == 0 && must_be_new)
		r = -EEXIST;
	if (r < 0)
		return err_set(err, r, "cannot make cgroup '%s' (%s)", cg->path,
			cg->host->h[i].v2 ? "cgroup2" : cg->host->h[i].names);
	fd = cgroup_open_in(cg, i);
	if (fd < 0)
		return err_set(err, fd, "cannot open the new cgroup '%s'", cg->path);
	return 0;
}

static void unmake(struct cgroup *cg)
{
	size_t i;

	for (i = 0; i < cg->host->n; i++)
		if (cg->fd[i] >= 0)
			(void)cgroup_tree_remove(cg->host->h[i].fd, cg->path); /* undoing */
}

/* cgroup2 is made first: its mkdir(2) decides who owns the name. */
static int create_all(struct cgroup *cg, struct err *err)
{
	const struct cgroup_host *host = cg->host;
	uint32_t eager = host->v2 < 0 ? EAGER_V1 : EAGER;
	struct stat st;
	size_t i;
	int r;

	for (i = 0; i < host->n; i++)
		if (host->h[i].controllers &&
			fstatat(host->h[i].fd, cgroup_relative(cg->path), &st, 0) == 0)
			return err_setx(err, -EEXIST, "cgroup '%s' exists already (%s)", cg->path,
				host->h[i].v2 ? "cgroup2" : host->h[i].names);
	if (host->v2 >= 0) {
		r = make_in(cg, host->v2, true, err);
		if (r < 0)
			return r;
	}
	for (i = 0; i < host->n; i++) {
		if (host->h[i].v2 || !(host->h[i].controllers & eager))
			continue;
		r = make_in(cg, i, true, err);
		if (r < 0)
			return r;
	}
	if (host->mode == CGROUP_V2)
		cgroup_enable_defaults(cg);
	return 0;
}

int cgroup_create(struct cgroup_host *host, const char *path, struct cgroup **ret, struct err *err)
{
	autocgroup struct cgroup *cg = NULL;
	int r = check_path(path, err);

	if (r < 0)
		return r;
	cg = cgroup_new(host, path);
	if (!cg)
		return err_oom(err);
	r = create_all(cg, err);
	if (r < 0)
		unmake(cg);
	else
		*ret = TAKE_PTR(cg);
	return r;
}

int cgroup_open(struct cgroup_host *host, const char *path, struct cgroup **ret, struct err *err)
{
	autocgroup struct cgroup *cg = NULL;
	bool found = false;
	size_t i;
	int r = strcmp(path, "/") == 0 ? 0 : check_path(path, err);

	if (r < 0)
		return r;
	cg = cgroup_new(host, path);
	if (!cg)
		return err_oom(err);
	for (i = 0; i < host->n; i++)
		if (cgroup_open_in(cg, i) >= 0)
			found = true;
	if (!found)
		return err_setx(err, -ENOENT, "there is no cgroup '%s'", path);
	*ret = TAKE_PTR(cg);
	return 0;
}

/* The part of a /proc/PID/cgroup path below what is mounted at @h; NULL when it is outside. */
static const char *below_mount(const struct cgroup_hierarchy *h, const char *path)
{
	size_t n = strlen(h->root);

	if (strncmp(path, "/..", 3) == 0)
		return NULL;
	if (strcmp(h->root, "/") == 0)
		return path;
	if (strncmp(path, h->root, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	return path + n;
}

/* One line of /proc/PID/cgroup: "4:memory:/a/b", "0::/a/b". */
static int open_line(struct cgroup *cg, char *line)
{
	char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
	const char *below;
	size_t i;
	int fd;

	if (!path)
		return -EINVAL;
	*names++ = '\0';
	*path++ = '\0';
	for (i = 0; i < cg->host->n; i++)
		if (strcmp(cg->host->h[i].names, names) == 0)
			break;
	below = i < cg->host->n ? below_mount(&cg->host->h[i], path) : NULL;
	if (!below || cg->fd[i] >= 0)
		return 0;
	below = cgroup_relative(below);
	fd = openat(cg->host->h[i].fd, below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	cg->fd[i] = fd;
	if (strcmp(below, ".") == 0)
		cg->roots |= BIT(i);
	return 0;
}

int cgroup_open_pid(struct cgroup_host *host, pid_t pid, struct cgroup **ret, struct err *err)
{
	autocgroup struct cgroup *cg = NULL;
	autobuf struct buf b = {0};
	char file[64], *save, *line;
	int r;

	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	r = file_read_at(AT_FDCWD, file, &b, 1u << 20);
	if (r == -ENOENT)
		r = -ESRCH;
	if (r < 0)
		return err_set(err, r, "cannot read the cgroups of process %d", (int)pid);
	snprintf(file, sizeof(file), "pid:%d", (int)pid);
	cg = cgroup_new(host, file);
	if (!cg)
		return err_oom(err);
	cg->scattered = true;
	for (line = strtok_r(b.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		r = open_line(cg, line);
		if (r < 0)
			return err_set(err, r, "cannot open a cgroup of process %d", (int)pid);
	}
	*ret = TAKE_PTR(cg);
	return 0;
}

int cgroup_fd(struct cgroup *cg, enum cgroup_controller c)
{
	int i = cgroup_host_find(cg->host, c);

	if (i < 0)
		return -EBADF;
	(void)cgroup_open_in(cg, i); /* -EBADF stays */
	return cg->fd[i];
}

int cgroup_fd2(const struct cgroup *cg)
{
	return cg->host->v2 < 0 ? -EBADF : cg->fd[cg->host->v2];
}

int cgroup_members_fd(const struct cgroup *cg)
{
	size_t i;

	if (cgroup_fd2(cg) >= 0)
		return cgroup_fd2(cg);
	i = MAX(cgroup_host_find(cg->host, CGROUP_FREEZER), 0);
	if (cg->fd[i] >= 0)
		return cg->fd[i];
	for (i = 0; i < cg->host->n; i++)
		if (cg->fd[i] >= 0)
			return cg->fd[i];
	return -EBADF;
}

static int busy(struct cgroup *cg, struct err *err)
{
	autofree pid_t *pids = NULL;
	size_t n = 0;

	if (cgroup_pids(cg, &pids, &n, err) < 0)
		return err->code;
	return err_setx(err, -EBUSY, "cgroup '%s' still has %zu process%s in it (pid %d%s)",
		cg->path, n, n == 1 ? "" : "es", n ? (int)pids[0] : 0, n > 1 ? ", …" : "");
}

/* A v1 directory may stay busy for moments after its last process has died. */
static int remove_in(struct cgroup *cg, size_t i, int64_t deadline)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	int fd, r;

	for (;;) {
		fd = cgroup_open_in(cg, i);
		if (fd == -ENOENT)
			return 0;
		r = fd < 0 ? fd : cgroup_tree_clear(fd);
		if (r == 0 || r == -ENOENT || r == -ENODEV)
			r = cgroup_tree_remove(cg->host->h[i].fd, cg->path);
		if (r != -EBUSY || clock_ms() >= deadline)
			return r;
		(void)nanosleep(&pause, NULL); /* rmdir(2) has no event to wait for */
	}
}

int cgroup_destroy(struct cgroup *cg, bool kill, int timeout_ms, struct err *err)
{
	int64_t deadline = clock_ms() + timeout_ms;
	size_t i;
	int r;

	if (cg->scattered || strcmp(cg->path, "/") == 0)
		return err_setx(err, -EPERM, "cgroup '%s' is not kist's to remove", cg->path);
	if (kill) {
		r = cgroup_kill(cg, err);
		if (r < 0)
			return r;
	}
	if (cgroup_wait_empty(cg, kill ? timeout_ms : 0) == -ETIMEDOUT)
		return busy(cg, err);
	for (i = 0; i < cg->host->n; i++) {
		r = remove_in(cg, i, deadline);
		if (r < 0)
			return err_set(err, r, "cannot remove cgroup '%s' (%s)", cg->path,
				cg->host->h[i].v2 ? "cgroup2" : cg->host->h[i].names);
	}
	return 0;
}
