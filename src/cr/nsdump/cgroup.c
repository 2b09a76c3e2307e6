// SPDX-License-Identifier: Apache-2.0
/*
 * Cgroups that the tree made below its container's own (an init system does): their names, limits
 * and members in every hierarchy. cgroups(7). The container's own cgroup is its spec's matter.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/util.h"
#include "cr/nsdump/nsdump-internal.h"
#include "sys/proc.h"
#include "sys/syscall.h"

#define DEPTH_MAX 32
#define VALUE_MAX 65536

/* What is saved of each, in the order in which it is written back. */
static const char *const files_v2[] = {"cpuset.cpus", "cpuset.mems", "cpu.weight", "cpu.max",
	"memory.min", "memory.low", "memory.high", "memory.max", "memory.swap.max",
	"memory.oom.group", "pids.max", "io.max", "hugetlb.2MB.max", "cgroup.max.depth",
	"cgroup.max.descendants"};
static const char *const files_v1[] = {"cgroup.clone_children", "cpuset.cpus", "cpuset.mems",
	"cpuset.cpu_exclusive", "cpuset.mem_exclusive", "cpu.shares", "cpu.cfs_period_us",
	"cpu.cfs_quota_us", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes",
	"memory.soft_limit_in_bytes", "memory.swappiness", "pids.max", "notify_on_release"};
#define SUBTREE "cgroup.subtree_control"

struct groups { /* one hierarchy being saved */
	struct nsdump *d;
	const char *controllers;
	size_t level; /* of the tree's pid namespace in NSpid */
	struct buf path;
};

static bool is_v2(const char *controllers)
{
	return !*controllers;
}

/* The pids that /proc/PID/status tells, ours first; how many. */
static int read_nspid(int proc_dir, pid_t ret[PROC_NS_MAX])
{
	autobuf struct buf b = {0};
	int r = proc_read(proc_dir, "status", &b);

	return r < 0 ? r : proc_ns_ids(buf_str(&b), b.len, "NSpid", ret);
}

static int save_pids(struct groups *g, int fd, Kist__Cgroup *m, uint32_t **ret, struct err *err)
{
	autobuf struct buf b = {0};
	size_t cap = 0;
	pid_t ns[PROC_NS_MAX];
	uint32_t pid;
	char *p, *word;
	int r = file_read_at(fd, "cgroup.procs", &b, 16u << 20);

	if (r == -EOPNOTSUPP) {
		err_setx(err, r, "the container's cgroup '%s' is threaded and cannot be saved",
			buf_str(&g->path));
		err_hint(err, "cgroup.type must be 'domain' in all cgroups of the container");
		return r;
	}
	p = r == 0 ? b.data : NULL;
	while (r == 0 && p && (word = strsep(&p, "\n"))) {
		autoclose int dir = -EBADF;

		if (!*word || parse_u32(word, 10, &pid) < 0 || pid == 0)
			continue; /* 0: a process that we cannot see, not of the tree */
		dir = proc_open_pid(g->d->procfd, pid);
		r = dir < 0 ? dir : read_nspid(dir, ns);
		if (r == -ENOENT || r == -ESRCH) {
			r = 0; /* gone meanwhile: a process of kist's own */
			continue;
		}
		if (r >= 0 && (size_t)r <= g->level) {
			r = 0; /* from outside of the tree */
			continue;
		}
		if (r > 0)
			r = array_reserve(ret, &cap, m->n_pids + 1, sizeof(**ret));
		if (r == 0)
			(*ret)[m->n_pids++] = ns[g->level];
	}
	m->pids = *ret;
	return r < 0 ? err_set(err, r, "cannot list the members of the container's cgroup '%s'",
			       buf_str(&g->path))
		     : 0;
}

static int add_value(int fd, const char *file, Kist__CgroupValue *v, size_t *n)
{
	autobuf struct buf b = {0};
	int r = file_read_at(fd, file, &b, VALUE_MAX);

	if (r < 0)
		return 0; /* this kernel or hierarchy has it not, or not to read */
	while (b.len && b.data[b.len - 1] == '\n')
		b.data[--b.len] = '\0';
	kist__cgroup_value__init(&v[*n]);
	v[*n].file = (char *)file;
	v[*n].value = buf_take(&b);
	if (!v[*n].value)
		return -ENOMEM;
	++*n;
	return 0;
}

static int put_group(struct groups *g, int fd, struct err *err)
{
	const bool v2 = is_v2(g->controllers);
	const char *const *files = v2 ? files_v2 : files_v1;
	Kist__CgroupValue v[ARRAY_SIZE(files_v2) + ARRAY_SIZE(files_v1) + 1];
	Kist__CgroupValue *list[ARRAY_SIZE(v)];
	size_t i, n = 0, n_files = v2 ? ARRAY_SIZE(files_v2) : ARRAY_SIZE(files_v1);
	Kist__Cgroup m = KIST__CGROUP__INIT;
	autofree uint32_t *pids = NULL;
	bool own = g->path.len == 0;
	int r = v2 ? add_value(fd, SUBTREE, v, &n) : 0;

	if (own && (n == 0 || !*v[0].value)) { /* the container's own: nothing of interest */
		if (n)
			free(v[0].value);
		return 0;
	}
	for (i = 0; r == 0 && !own && i < n_files; i++)
		r = add_value(fd, files[i], v, &n);
	if (r < 0)
		err_oom(err);
	if (r == 0 && !own)
		r = save_pids(g, fd, &m, &pids, err);
	for (i = 0; i < n; i++)
		list[i] = &v[i];
	m.controllers = (char *)g->controllers;
	m.path.data = (uint8_t *)buf_str(&g->path);
	m.path.len = g->path.len;
	m.values = list;
	m.n_values = n;
	if (r == 0)
		r = image_put(g->d->w, RECORD_CGROUP, &m.base, err);
	for (i = 0; i < n; i++)
		free(v[i].value);
	return r;
}

static int walk(struct groups *g, int fd, unsigned int depth, struct err *err)
{
	autodir DIR *dir = dir_open_at(fd, ".");
	size_t len = g->path.len;
	struct dirent *e;
	int r;

	if (!dir)
		return err_set(err, -errno, "cannot list the container's cgroups");
	r = depth > DEPTH_MAX ? err_setx(err, -ELOOP, "the container's cgroups are too deep")
			      : put_group(g, fd, err);
	while (r == 0 && (e = dir_next(dir))) {
		autoclose int sub = -EBADF;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0)
			r = err_set(err, -errno, "cannot open the cgroup '%s'", e->d_name);
		else if (buf_addf(&g->path, "%s%s", len ? "/" : "", e->d_name) < 0)
			r = err_oom(err);
		else
			r = walk(g, sub, depth + 1, err);
		g->path.len = len;
		if (g->path.data)
			g->path.data[len] = '\0';
	}
	return r;
}

int cgroups_save(struct nsdump *d, struct err *err)
{
	pid_t ns[PROC_NS_MAX];
	size_t i;
	int r = read_nspid(d->env->proc_pid_fd, ns);

	if (r <= 0)
		return err_set(err, r < 0 ? r : -EINVAL, "cannot read the container's NSpid");
	for (i = 0; i < d->env->n_cgroups; i++) {
		struct groups g = {.d = d,
			.controllers = d->env->cgroups[i].controllers,
			.level = (size_t)r - 1};
		int e = walk(&g, d->env->cgroups[i].dirfd, 0, err);

		buf_done(&g.path);
		if (e < 0)
			return e;
	}
	return 0;
}
