// SPDX-License-Identifier: Apache-2.0
/* memory.*: v1 limits memory plus swap together, and names much of it otherwise. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/util.h"
#include "cgroup/ops.h"

#define LIMIT "memory.limit_in_bytes"
#define MEMSW "memory.memsw.limit_in_bytes"
#define USAGE "memory.usage_in_bytes"

/* memory.max and memory.swap.max as they stand in v1's files. */
static int present_limits(int fd, uint64_t *max, uint64_t *swap)
{
	uint64_t memsw;
	int r = cgroup_read_number(fd, LIMIT, max);

	if (r < 0)
		return r;
	r = cgroup_read_number(fd, MEMSW, &memsw);
	if (r < 0)
		return r;
	*swap = memsw == CGROUP_MAX || *max == CGROUP_MAX ? CGROUP_MAX
		: memsw > *max				  ? memsw - *max
							  : 0;
	return 0;
}

static int add_limit(struct cgroup_plan *p, size_t i, const char *file, uint64_t n, struct err *err)
{
	return n == CGROUP_MAX ? cgroup_plan_add(p, i, file, NULL, err, "-1")
			       : cgroup_plan_add(p, i, file, NULL, err, "%" PRIu64, n);
}

/* Both keys of a batch, or one and what stands for the other: their sum is one file. */
static int plan_limits_v1(struct cgroup_plan *p, size_t i, struct err *err)
{
	struct cgroup_item *max = cgroup_plan_find(p, "memory.max");
	struct cgroup_item *swap = cgroup_plan_find(p, "memory.swap.max");
	uint64_t n_max, n_swap;
	int r = present_limits(p->items[i].fd, &n_max, &n_swap);

	if (r == -ENOENT && !swap) /* booted with swapaccount=0 */
		return add_limit(p, i, LIMIT, max->value.n, err);
	if (r == -ENOENT) {
		err_setx(err, -EOPNOTSUPP, "memory.swap.max: this host does not count swap");
		return err_hint(err, "boot it with swapaccount=1");
	}
	if (r < 0)
		return err_set(err, r, "cannot read the memory limits of '%s'", p->cg->path);
	n_max = max ? max->value.n : n_max;
	n_swap = swap ? swap->value.n : n_swap;
	if (n_max == CGROUP_MAX && n_swap != CGROUP_MAX) {
		err_setx(err, -EOPNOTSUPP,
			"memory.swap.max needs a memory.max beside it on cgroup v1, which limits "
			"their sum");
		return err_hint(err, "set memory.max too, or memory.swap.max=max");
	}
	if (swap)
		swap->planned = true;
	if (max)
		max->planned = true;
	if (max)
		r = add_limit(p, max - p->items, LIMIT, n_max, err);
	if (r == 0)
		r = add_limit(p, i, MEMSW, n_swap == CGROUP_MAX ? CGROUP_MAX : n_max + n_swap, err);
	return r;
}

/*
 * On v2 a memory.max below what is in use kills at once; v1 refuses. Here both refuse, after what
 * can be reclaimed was.
 */
static int plan_max_v2(struct cgroup_plan *p, size_t i, struct err *err)
{
	struct cgroup_item *it = &p->items[i];
	const char *file = it->key->v2;
	uint64_t now;
	char text[32];

	if (strcmp(file, "memory.max") != 0 || it->value.n == CGROUP_MAX ||
		cgroup_read_number(it->fd, "memory.current", &now) < 0 || now <= it->value.n)
		return cgroup_plan_add(p, i, file, NULL, err, "%s", buf_str(&it->value.text));
	snprintf(text, sizeof(text), "%" PRIu64, now - it->value.n);
	(void)file_write_at(it->fd, "memory.reclaim", text); /* what is left is looked at below */
	if (cgroup_read_number(it->fd, "memory.current", &now) == 0 && now > it->value.n) {
		err_setx(err, -EBUSY,
			"memory.max of %" PRIu64 " is below the %" PRIu64
			" bytes that are in use and can't be reclaimed",
			it->value.n, now);
		return err_hint(err, "the kernel would kill processes at once; set memory.high "
				     "first to squeeze them, or stop some");
	}
	return cgroup_plan_add(p, i, file, NULL, err, "%s", buf_str(&it->value.text));
}

static int add_number(struct buf *ret, uint64_t n)
{
	return n == CGROUP_MAX ? buf_adds(ret, "max") : buf_addf(ret, "%" PRIu64, n);
}

static int read_max_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	uint64_t n;
	int r = cgroup_read_number(fd, LIMIT, &n);

	return r < 0 ? r : add_number(ret, n);
}

static int read_swap_max_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	uint64_t max, swap;
	int r = present_limits(fd, &max, &swap);

	return r < 0 ? r : add_number(ret, swap);
}

const struct cgroup_key_ops cgroup_memory_max_ops = {
	.plan_v1 = plan_limits_v1,
	.plan_v2 = plan_max_v2,
	.read_v1 = read_max_v1,
};

const struct cgroup_key_ops cgroup_swap_max_ops = {
	.plan_v1 = plan_limits_v1,
	.read_v1 = read_swap_max_v1,
};

/* v1 knows no "nothing protected": a soft limit of nothing means the same as none. */
static int plan_low_v1(struct cgroup_plan *p, size_t i, struct err *err)
{
	uint64_t n = p->items[i].value.n;

	return add_limit(p, i, "memory.soft_limit_in_bytes", n ? n : CGROUP_MAX, err);
}

static int read_low_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	uint64_t n;
	int r = cgroup_read_number(fd, "memory.soft_limit_in_bytes", &n);

	return r < 0 ? r : add_number(ret, n == CGROUP_MAX ? 0 : n);
}

const struct cgroup_key_ops cgroup_memory_low_ops = {
	.plan_v1 = plan_low_v1,
	.read_v1 = read_low_v1,
};

static int read_swap_current_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	autobuf struct buf b = {0};
	uint64_t n;
	int r = file_read_at(fd, "memory.stat", &b, 65536);

	if (r == 0)
		r = cgroup_flat_number(buf_str(&b), "total_swap", &n);
	return r < 0 ? r : add_number(ret, n);
}

const struct cgroup_key_ops cgroup_swap_current_ops = {.read_v1 = read_swap_current_v1};

/* force_empty takes no amount. */
static int plan_reclaim_v1(struct cgroup_plan *p, size_t i, struct err *err)
{
	return cgroup_plan_add(p, i, "memory.force_empty", "", err, "0");
}

static int plan_reclaim_v2(struct cgroup_plan *p, size_t i, struct err *err)
{
	return cgroup_plan_add(
		p, i, "memory.reclaim", "", err, "%s", buf_str(&p->items[i].value.text));
}

const struct cgroup_key_ops cgroup_memory_reclaim_ops = {
	.plan_v1 = plan_reclaim_v1,
	.plan_v2 = plan_reclaim_v2,
};

/* v1's names (of the whole tree) and v2's. */
static int read_stat_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	static const struct {
		const char *v1, *v2;
	} rows[] = {
		{"total_rss", "anon"},
		{"total_cache", "file"},
		{"total_shmem", "shmem"},
		{"total_mapped_file", "file_mapped"},
		{"total_dirty", "file_dirty"},
		{"total_writeback", "file_writeback"},
		{"total_rss_huge", "anon_thp"},
		{"total_inactive_anon", "inactive_anon"},
		{"total_active_anon", "active_anon"},
		{"total_inactive_file", "inactive_file"},
		{"total_active_file", "active_file"},
		{"total_unevictable", "unevictable"},
		{"total_swapcached", "swapcached"},
		{"total_workingset_refault_anon", "workingset_refault_anon"},
		{"total_workingset_refault_file", "workingset_refault_file"},
		{"total_pgfault", "pgfault"},
		{"total_pgmajfault", "pgmajfault"},
	};
	autobuf struct buf b = {0};
	uint64_t n, kernel;
	size_t i;
	int r = file_read_at(fd, "memory.stat", &b, 65536);

	for (i = 0; r == 0 && i < ARRAY_SIZE(rows); i++)
		if (cgroup_flat_number(buf_str(&b), rows[i].v1, &n) == 0)
			r = buf_addf(ret, "%s %" PRIu64 "\n", rows[i].v2, n);
	if (r == 0 && cgroup_read_number(fd, "memory.kmem.usage_in_bytes", &kernel) == 0)
		r = buf_addf(ret, "kernel %" PRIu64 "\n", kernel);
	if (r == 0 && cgroup_read_number(fd, "memory.kmem.tcp.usage_in_bytes", &n) == 0)
		r = buf_addf(ret, "sock %" PRIu64 "\n", n);
	return r;
}

const struct cgroup_key_ops cgroup_memory_stat_ops = {.read_v1 = read_stat_v1};

static int read_events_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	autobuf struct buf b = {0};
	uint64_t fails = 0, kills = 0;
	int r = file_read_at(fd, "memory.oom_control", &b, 4096);

	if (r == 0)
		r = cgroup_read_number(fd, "memory.failcnt", &fails);
	if (r < 0)
		return r;
	(void)cgroup_flat_number(buf_str(&b), "oom_kill", &kills); /* since Linux 4.13 */
	return buf_addf(ret, "max %" PRIu64 "\noom_kill %" PRIu64, fails, kills);
}

const struct cgroup_key_ops cgroup_memory_events_ops = {.read_v1 = read_events_v1};

static int plan_oom_control_v1(struct cgroup_plan *p, size_t i, struct err *err)
{
	uint64_t want = p->items[i].value.n;

	/* The file shows three lines, so that what to go back to is told here. */
	return cgroup_plan_add(p, i, "memory.oom_control", want ? "0" : "1", err, "%" PRIu64, want);
}

static int read_oom_control_v1(struct cgroup *cg, int fd, struct buf *ret)
{
	autobuf struct buf b = {0};
	uint64_t n;
	int r = file_read_at(fd, "memory.oom_control", &b, 4096);

	if (r == 0)
		r = cgroup_flat_number(buf_str(&b), "oom_kill_disable", &n);
	return r < 0 ? r : add_number(ret, n);
}

const struct cgroup_key_ops cgroup_oom_control_ops = {
	.plan_v1 = plan_oom_control_v1,
	.read_v1 = read_oom_control_v1,
};
