// SPDX-License-Identifier: Apache-2.0
/* Which cgroup hierarchies the host has and where: read once from our own mountinfo. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "base/util.h"
#include "cgroup/cgroup-internal.h"
#include "sys/mountinfo.h"

#define MOUNTINFO_MAX (16u << 20)

static const char *const controller_names[CGROUP_CONTROLLERS] = {
	[CGROUP_CORE] = "",
	[CGROUP_CPU] = "cpu",
	[CGROUP_CPUACCT] = "cpuacct",
	[CGROUP_CPUSET] = "cpuset",
	[CGROUP_DEVICES] = "devices",
	[CGROUP_FREEZER] = "freezer",
	[CGROUP_HUGETLB] = "hugetlb",
	[CGROUP_IO] = "io",
	[CGROUP_MEMORY] = "memory",
	[CGROUP_NET_CLS] = "net_cls",
	[CGROUP_NET_PRIO] = "net_prio",
	[CGROUP_PIDS] = "pids",
	[CGROUP_RDMA] = "rdma",
};

const char *cgroup_controller_name(enum cgroup_controller c, bool v2)
{
	return c == CGROUP_IO && !v2 ? "blkio" : controller_names[c];
}

static int controller_find(const char *name)
{
	int c;

	if (strcmp(name, "blkio") == 0)
		return CGROUP_IO;
	for (c = CGROUP_CPU; c < CGROUP_CONTROLLERS; c++)
		if (strcmp(controller_names[c], name) == 0)
			return c;
	return -ENOENT;
}

/* The controllers among the words of @list; @names gets all of them and "name=" as one string. */
static int parse_controllers(char *list, const char *delim, uint32_t *ret, char **names)
{
	autobuf struct buf b = {0};
	char *save, *word;
	int c;

	*ret = 0;
	for (word = strtok_r(list, delim, &save); word; word = strtok_r(NULL, delim, &save)) {
		c = controller_find(word);
		if (c >= 0)
			*ret |= 1u << c;
		if (names && (c >= 0 || strncmp(word, "name=", 5) == 0 ||
				     strcmp(word, "misc") == 0 || strcmp(word, "perf_event") == 0))
			(void)buf_addf(&b, "%s%s", b.len ? "," : "", word); /* buf_take checks */
	}
	if (!names)
		return 0;
	(void)buf_adds(&b, ""); /* buf_take checks */
	*names = buf_take(&b);
	return *names ? 0 : -ENOMEM;
}

static void hierarchy_done(struct cgroup_hierarchy *h)
{
	if (h->fd >= 0)
		(void)close(h->fd); /* only read from */
	free(h->names);
	free(h->root);
	*h = (struct cgroup_hierarchy){.fd = -EBADF};
}

/* A mount may be hidden by a later one on the same path: what opens must be the right kind. */
static int open_mount(const char *path, bool v2)
{
	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return -errno;
	if ((unsigned long)fs.f_type != (v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC))
		return -ENOENT;
	return TAKE_FD(fd);
}

static int hierarchy_open(struct mountinfo *m, struct cgroup_hierarchy *ret)
{
	struct cgroup_hierarchy h = {.v2 = strcmp(m->fstype, "cgroup2") == 0};
	autobuf struct buf b = {0};
	int r;

	h.fd = open_mount(m->mountpoint, h.v2);
	if (h.fd < 0)
		return h.fd;
	h.root = strdup(m->root);
	r = h.root ? 0 : -ENOMEM;
	if (r == 0 && h.v2) {
		r = file_read_at(h.fd, "cgroup.controllers", &b, 4096);
		if (r == 0)
			r = parse_controllers(b.data, " \n", &h.controllers, NULL);
		h.controllers |= 1u << CGROUP_CORE;
		h.names = strdup("");
		r = r == 0 && !h.names ? -ENOMEM : r;
	} else if (r == 0) {
		r = parse_controllers(m->super_options, ",", &h.controllers, &h.names);
	}
	if (r < 0)
		hierarchy_done(&h);
	else
		*ret = h;
	return r;
}

/* Keeps one mount of each hierarchy, the one that shows most of it. */
static void host_add(struct cgroup_host *host, struct cgroup_hierarchy *h)
{
	size_t i;

	for (i = 0; i < host->n; i++) {
		if (host->h[i].v2 != h->v2 || strcmp(host->h[i].names, h->names) != 0)
			continue;
		if (strcmp(h->root, "/") == 0 && strcmp(host->h[i].root, "/") != 0) {
			hierarchy_done(&host->h[i]);
			host->h[i] = *h;
		} else {
			hierarchy_done(h);
		}
		return;
	}
	if (host->n == CGROUP_HIERARCHIES)
		hierarchy_done(h);
	else
		host->h[host->n++] = *h;
}

static int host_fill(struct cgroup_host *host, char *text, struct err *err)
{
	struct cgroup_hierarchy h;
	struct mountinfo m;
	size_t i;
	bool v1 = false;
	int r;

	while ((r = mountinfo_next(&text, &m)) != 0) {
		if (r < 0)
			return err_set(err, r, "cannot parse '/proc/self/mountinfo'");
		if (strcmp(m.fstype, "cgroup") != 0 && strcmp(m.fstype, "cgroup2") != 0)
			continue;
		r = hierarchy_open(&m, &h);
		if (r == -ENOMEM)
			return err_oom(err);
		if (r == 0)
			host_add(host, &h);
	}
	for (i = 0; i < host->n; i++) {
		if (host->h[i].v2)
			host->v2 = (int)i;
		else if (host->h[i].controllers)
			v1 = true;
	}
	if (host->n == 0 || (!v1 && host->v2 < 0)) {
		err_setx(err, -ENOENT, "this host has no cgroup hierarchy mounted");
		return err_hint(err, "mount one: mount -t cgroup2 none /sys/fs/cgroup");
	}
	host->mode = !v1 ? CGROUP_V2 : host->v2 < 0 ? CGROUP_V1 : CGROUP_HYBRID;
	return 0;
}

int cgroup_host_open(struct cgroup_host **ret, struct err *err)
{
	autobuf struct buf b = {0};
	struct cgroup_host *host;
	size_t i;
	int r;

	r = file_read_at(AT_FDCWD, "/proc/self/mountinfo", &b, MOUNTINFO_MAX);
	if (r < 0)
		return err_set(err, r, "cannot read '/proc/self/mountinfo'");
	host = calloc(1, sizeof(*host));
	if (!host)
		return err_oom(err);
	for (i = 0; i < CGROUP_HIERARCHIES; i++)
		host->h[i].fd = -EBADF;
	host->v2 = -1;
	r = host_fill(host, b.data, err);
	if (r < 0)
		cgroup_host_free(host);
	else
		*ret = host;
	return r;
}

void cgroup_host_free(struct cgroup_host *host)
{
	size_t i;

	if (!host)
		return;
	for (i = 0; i < host->n; i++)
		hierarchy_done(&host->h[i]);
	free(host);
}

enum cgroup_mode cgroup_host_mode(const struct cgroup_host *host)
{
	return host->mode;
}

int cgroup_host_hierarchy(const struct cgroup_host *host, size_t i, const char **ret_controllers)
{
	if (i >= host->n)
		return -EBADF;
	if (ret_controllers)
		*ret_controllers = host->h[i].names;
	return host->h[i].fd;
}

int cgroup_host_find(const struct cgroup_host *host, enum cgroup_controller c)
{
	size_t i;
	int found = -1;

	/* A controller is on one hierarchy only; the kernel sees to that. */
	for (i = 0; i < host->n; i++)
		if (host->h[i].controllers & (1u << c))
			found = (int)i;
	return found;
}
