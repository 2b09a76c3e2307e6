// SPDX-License-Identifier: Apache-2.0
/* cpu.*: bandwidth in two files on v1, weights that convert, and cpu.stat in v2's form. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/io.h"
#include "base/util.h"
#include "cgroup/ops.h"

static int plan_pair(
	struct cgroup_plan *p, size_t i, const char *quota, const char *period, struct err *err)
{
	const struct cgroup_value *v = &p->items[i].value;
	int r = 0;

	/* The kernel wants one or the other order; the plan is worked on until both are in. */
	if (v->period)
		r = cgroup_plan_add(p, i, period, NULL, err, "%" PRIu64, v->period);
	if (r < 0)
		return r;
	return v->n == CGROUP_MAX ? cgroup_plan_add(p, i, quota, NULL, err, "-1")
				  : cgroup_plan_add(p, i, quota, NULL, err, "%" PRIu64, v->n);
}

static int read_pair(int fd, const char *quota, const char *period, struct buf *ret)
{
	uint64_t q, p;
	int r = cgroup_read_number(fd, quota, &q);

	if (r == 0)
		r = cgroup_read_number(fd, period, &p);
	if (r < 0)
		return r;
	if (q == CGROUP_MAX)
		return buf_addf(ret, "max %" PRIu64, p);
	return buf_addf(ret, "%" PRIu64 " %" PRIu64, q, p);
}

static int plan_cpu_max_v1(struct cgroup_plan *p, size_t i, struct err *err)
{
	return plan_pair(p, i, "cpu.cfs_quota_us", "cpu.cfs_period_us", err);
}

static int read_cpu_max_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	return read_pair(fd, "cpu.cfs_quota_us", "cpu.cfs_period_us", ret);
}

const struct cgroup_key_ops cgroup_cpu_max_ops = {
	.plan_v1 = plan_cpu_max_v1,
	.read_v1 = read_cpu_max_v1,
};

static int plan_cpu_rt_v1(struct cgroup_plan *p, size_t i, struct err *err)
{
	return plan_pair(p, i, "cpu.rt_runtime_us", "cpu.rt_period_us", err);
}

static int read_cpu_rt_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	return read_pair(fd, "cpu.rt_runtime_us", "cpu.rt_period_us", ret);
}

const struct cgroup_key_ops cgroup_cpu_rt_ops = {
	.plan_v1 = plan_cpu_rt_v1,
	.read_v1 = read_cpu_rt_v1,
};

static int plan_weight_v1(struct cgroup_plan *p, size_t i, struct err *err)
{
	return cgroup_plan_add(p, i, "cpu.shares", NULL, err, "%" PRIu64,
		cgroup_shares_of_weight(p->items[i].value.n));
}

static int read_weight_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	uint64_t n;
	int r = cgroup_read_number(fd, "cpu.shares", &n);

	return r < 0 ? r : buf_addf(ret, "%" PRIu64, cgroup_weight_of_shares(n));
}

const struct cgroup_key_ops cgroup_cpu_weight_ops = {
	.plan_v1 = plan_weight_v1,
	.read_v1 = read_weight_v1,
};

static int plan_shares_v2(struct cgroup_plan *p, size_t i, struct err *err)
{
	return cgroup_plan_add(p, i, "cpu.weight", NULL, err, "%" PRIu64,
		cgroup_weight_of_shares(p->items[i].value.n));
}

static int read_shares_v2(struct cgroup *cg, int fd, struct buf *ret)
{
	uint64_t n;
	int r = cgroup_read_number(fd, "cpu.weight", &n);

	return r < 0 ? r : buf_addf(ret, "%" PRIu64, cgroup_shares_of_weight(n));
}

const struct cgroup_key_ops cgroup_cpu_shares_ops = {
	.plan_v2 = plan_shares_v2,
	.read_v2 = read_shares_v2,
};

/* Usage from cgroup2, which counts without its cpu controller too, or from cpuacct (nanoseconds).
 */
static int add_usage(struct cgroup *cg, struct buf *ret)
{
	static const struct {
		const char *file, *name;
	} rows[] = {{"cpuacct.usage", "usage_usec"}, {"cpuacct.usage_user", "user_usec"},
		{"cpuacct.usage_sys", "system_usec"}};
	autobuf struct buf b = {0};
	uint64_t n;
	size_t i;
	int fd = cgroup_fd2(cg), r = 0;

	if (fd >= 0) {
		r = file_read_at(fd, "cpu.stat", &b, 65536);
		if (r == 0)
			r = buf_adds(ret, buf_str(&b));
		return r;
	}
	fd = cgroup_fd(cg, CGROUP_CPUACCT);
	if (fd < 0)
		return 0;
	for (i = 0; i < ARRAY_SIZE(rows) && r == 0; i++) {
		r = cgroup_read_number(fd, rows[i].file, &n);
		if (r == 0)
			r = buf_addf(ret, "%s %" PRIu64 "\n", rows[i].name, n / 1000);
	}
	return r;
}

static int read_cpu_stat_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	autobuf struct buf b = {0};
	uint64_t periods = 0, throttled = 0, ns = 0;
	int r = add_usage(cg, ret);

	if (r == 0 && fd >= 0)
		r = file_read_at(fd, "cpu.stat", &b, 65536);
	if (r < 0)
		return r;
	/* Without a directory in the hierarchy nothing was throttled. */
	(void)cgroup_flat_number(buf_str(&b), "nr_periods", &periods);
	(void)cgroup_flat_number(buf_str(&b), "nr_throttled", &throttled);
	(void)cgroup_flat_number(buf_str(&b), "throttled_time", &ns);
	return buf_addf(ret,
		"nr_periods %" PRIu64 "\nnr_throttled %" PRIu64 "\nthrottled_usec %" PRIu64,
		periods, throttled, ns / 1000);
}

const struct cgroup_key_ops cgroup_cpu_stat_ops = {.read_v1 = read_cpu_stat_v1, .unjoined = true};
