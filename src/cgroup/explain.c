// SPDX-License-Identifier: Apache-2.0
/* What a refused write to a control file means: the kernel has one EINVAL for a dozen reasons. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/util.h"
#include "cgroup/ops.h"

static void trim(struct buf *b)
{
	while (b->len && b->data[b->len - 1] == '\n')
		b->data[--b->len] = '\0';
}

/* The file of the directory above, trimmed; "" when it cannot be read. */
static void read_above(const struct cgroup_item *it, const char *file, struct buf *ret)
{
	char path[128];

	snprintf(path, sizeof(path), "../%s", file);
	(void)file_read_at(it->fd, path, ret, 4096); /* told as empty */
	trim(ret);
}

static void explain_memory(const struct cgroup_item *it, int error, struct err *err)
{
	uint64_t now;

	if (error == -EBUSY && cgroup_read_number(it->fd, "memory.usage_in_bytes", &now) == 0)
		err_hint(err,
			"%" PRIu64 " bytes are in use and can't be reclaimed; stop some processes "
			"or set it higher",
			now);
}

static void explain_cpu(const struct cgroup_item *it, int error, struct err *err)
{
	autobuf struct buf quota = {0}, period = {0};
	uint64_t n;

	if (error != -EINVAL)
		return;
	if (it->key->unit == CGROUP_COUNT || strcmp(it->key->name, "cpu.weight") == 0) {
		if (cgroup_read_number(it->fd, "cpu.idle", &n) == 0 && n == 1)
			err_hint(err, "cpu.idle is 1, which takes no weight: set cpu.idle=0 too");
		return;
	}
	if (cgroup_read_number(it->fd, it->v2 ? "cpu.max.burst" : "cpu.cfs_burst_us", &n) == 0 &&
		n && strcmp(it->key->name, "cpu.max") == 0 && it->value.n < n) {
		err_hint(err, "cpu.max.burst is %" PRIu64 ", above this quota: lower it too", n);
		return;
	}
	if (strcmp(it->key->name, "cpu.max.burst") == 0) {
		err_hint(err, "it must not be above the quota in cpu.max: set that too");
		return;
	}
	if (it->v2)
		return;
	read_above(it, "cpu.cfs_quota_us", &quota);
	read_above(it, "cpu.cfs_period_us", &period);
	if (strcmp(it->key->name, "cpu.rt.max") == 0)
		err_hint(err, "the cgroup above must have real-time time to give: set its "
			      "cpu.rt_runtime_us first");
	else if (quota.len && quota.data[0] != '-')
		err_hint(err, "the cgroup above has %s of %s µs, and v1 takes no more below it",
			buf_str(&quota), buf_str(&period));
}

static void explain_cpuset(const struct cgroup_item *it, int error, struct err *err)
{
	autobuf struct buf b = {0};
	bool cpus = strcmp(it->key->name, "cpuset.cpus") == 0;

	if (error == -ENOSPC) {
		err_hint(err, "processes are in the cgroup: the list must not be empty");
		return;
	}
	if (error == -EBUSY) {
		err_hint(err, "cgroups below it use more than that; change them first");
		return;
	}
	if (it->v2)
		read_above(it, cpus ? "cpuset.cpus.effective" : "cpuset.mems.effective", &b);
	else
		read_above(it, cpus ? "cpuset.cpus" : "cpuset.mems", &b);
	if (b.len)
		err_hint(err, "the cgroup above has %s", buf_str(&b));
}

static void explain_io(const struct cgroup_item *it, int error, struct err *err)
{
	if (error == -ENODEV)
		err_hint(err, "name the whole disk, not a partition; 'lsblk' lists them");
	else if (error == -EOPNOTSUPP || error == -EINVAL)
		err_hint(err, "the scheduler of that disk may take no weights: see "
			      "/sys/block/NAME/queue/scheduler");
}

void cgroup_explain(struct cgroup *cg, const struct cgroup_item *it, const char *file,
	const char *value, int error, struct err *err)
{
	err_set(err, error, "cannot set %s to '%s' in cgroup '%s' (%s)", it->name, value, cg->path,
		file);
	if (error == -EACCES || error == -EPERM) {
		err_hint(err, "this takes root on the host, or a cgroup that was delegated");
		return;
	}
	switch (it->key->controller) {
	case CGROUP_CPU:
		explain_cpu(it, error, err);
		break;
	case CGROUP_CPUSET:
		explain_cpuset(it, error, err);
		break;
	case CGROUP_IO:
		explain_io(it, error, err);
		break;
	case CGROUP_MEMORY:
		explain_memory(it, error, err);
		break;
	default:
		break;
	}
}
