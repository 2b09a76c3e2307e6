// SPDX-License-Identifier: Apache-2.0
/* Keys that act through other functions of this folder, and the count of tasks. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/util.h"
#include "cgroup/ops.h"

#define FREEZE_TIMEOUT_MS 10000

static int act_freeze(struct cgroup *cg, const struct cgroup_value *v, struct err *err)
{
	return cgroup_freeze(cg, v->n == 1, FREEZE_TIMEOUT_MS, err);
}

static int show_freeze(struct cgroup *cg, struct buf *ret, struct err *err)
{
	return buf_adds(ret, cgroup_frozen(cg) ? "1" : "0") < 0 ? err_oom(err) : 0;
}

const struct cgroup_key_ops cgroup_freeze_ops = {.act = act_freeze, .show = show_freeze};

static int act_kill(struct cgroup *cg, const struct cgroup_value *v, struct err *err)
{
	return cgroup_kill(cg, err);
}

const struct cgroup_key_ops cgroup_kill_ops = {.act = act_kill};

/* Without the pids controller the threads are counted one by one. */
static int read_pids(struct cgroup *cg, int fd, struct buf *ret)
{
	size_t n = 0;
	uint64_t count;
	int r;

	if (fd >= 0 && cgroup_read_number(fd, "pids.current", &count) == 0)
		return buf_addf(ret, "%" PRIu64, count);
	r = cgroup_tree_threads(cgroup_members_fd(cg), &n);
	return r < 0 ? r : buf_addf(ret, "%zu", n);
}

const struct cgroup_key_ops cgroup_pids_current_ops = {
	.read_v1 = read_pids, .read_v2 = read_pids, .unjoined = true};

/* Who did not join a cpuset is in the one that the starter of the cgroup's processes was in. */
static int read_effective(struct cgroup *cg, int fd, const char *file, struct buf *ret)
{
	int i = cgroup_host_find(cg->host, CGROUP_CPUSET), r;
	autofree pid_t *pids = NULL;
	struct cgroup *theirs = NULL;
	struct err err;
	size_t n = 0;

	if (fd < 0 && cgroup_pids(cg, &pids, &n, &err) == 0 && n &&
		cgroup_open_pid(cg->host, pids[0], &theirs, &err) == 0)
		fd = cgroup_fd(theirs, CGROUP_CPUSET);
	r = file_read_at(fd < 0 ? cg->host->h[i].fd : fd, file, ret, 65536);
	cgroup_free(theirs);
	return r;
}

/* A cgroup for which cpuset is not enabled has what the nearest one above has. */
static int read_above(int fd, const char *file, struct buf *ret)
{
	char path[128] = "";
	int r, up;

	for (up = 0; up < 32; up++) {
		snprintf(path + 3 * up, sizeof(path) - 3 * up, "%s", file);
		r = file_read_at(fd, path, ret, 65536);
		if (r != -ENOENT)
			return r;
		memcpy(path + 3 * up, "../", 3);
	}
	return -ENOENT;
}

static int read_cpus_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	return read_effective(cg, fd, "cpuset.effective_cpus", ret);
}

static int read_cpus_v2(struct cgroup *cg, int fd, struct buf *ret)
{
	return read_above(fd, "cpuset.cpus.effective", ret);
}

const struct cgroup_key_ops cgroup_cpus_effective_ops = {
	.read_v1 = read_cpus_v1, .read_v2 = read_cpus_v2, .unjoined = true};

static int read_mems_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	return read_effective(cg, fd, "cpuset.effective_mems", ret);
}

static int read_mems_v2(struct cgroup *cg, int fd, struct buf *ret)
{
	return read_above(fd, "cpuset.mems.effective", ret);
}

const struct cgroup_key_ops cgroup_mems_effective_ops = {
	.read_v1 = read_mems_v1, .read_v2 = read_mems_v2, .unjoined = true};
