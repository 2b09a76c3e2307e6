// SPDX-License-Identifier: Apache-2.0
/*
 * linux.resources → limits in the terms of the key table: cgroup v2 control files and their values.
 * What has no v2 file keeps its v1 name, so that the key table can say what to do instead. Keys
 * with a line for each device hold the lines in one value, parted by '\n', as the file shows them.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/util.h"
#include "spec/spec-internal.h"

#define CPU_PERIOD_DEFAULT INT64_C(100000)

static int put(struct spec_linux *l, struct err *err, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static int put(struct spec_linux *l, struct err *err, const char *key, const char *fmt, ...)
{
	char value[128];
	va_list ap;
	int r;

	va_start(ap, fmt);
	(void)vsnprintf(value, sizeof(value), fmt, ap); /* numbers and fixed words: fits */
	va_end(ap);
	/* spec_limit is laid out as a field_pair */
	r = pairs_put((struct field_pair **)&l->limits, &l->n_limits, key, value);
	return r < 0 ? err_oom(err) : 0;
}

static int put_text(struct spec_linux *l, const char *key, const char *value, struct err *err)
{
	if (pairs_put((struct field_pair **)&l->limits, &l->n_limits, key, value) < 0)
		return err_oom(err);
	return 0;
}

/* A number of bytes; below zero means no limit. */
static int put_size(struct spec_linux *l, const char *key, int64_t n, struct err *err)
{
	return n < 0 ? put(l, err, key, "max") : put(l, err, key, "%" PRId64, n);
}

struct memory {
	int64_t limit, reservation, swap, kernel, kernel_tcp, swappiness;
	bool no_oom_kill;
};

static const struct field memory_fields[] = {
	{"limit", FIELD_I64, .offset = offsetof(struct memory, limit)},
	{"reservation", FIELD_I64, .offset = offsetof(struct memory, reservation)},
	{"swap", FIELD_I64, .offset = offsetof(struct memory, swap)},
	{"kernel", FIELD_I64, .offset = offsetof(struct memory, kernel)},
	{"kernelTCP", FIELD_I64, .offset = offsetof(struct memory, kernel_tcp)},
	{"swappiness", FIELD_I64, .offset = offsetof(struct memory, swappiness)},
	{"disableOOMKiller", FIELD_BOOL, .offset = offsetof(struct memory, no_oom_kill)},
	{0},
};

/* The specification's swap is memory and swap together; 0 stands for "not given" in this group. */
static int put_swap(
	struct spec_linux *l, const struct memory *m, const struct json_at *at, struct err *err)
{
	const struct json_at swap = {.up = at, .name = "swap"};

	if (m->swap == SPEC_UNSET || m->swap == 0)
		return 0;
	if (m->swap < 0)
		return put(l, err, "memory.swap.max", "max");
	if (m->limit == SPEC_UNSET || m->limit <= 0)
		return parse_fail(err, &swap, "needs 'linux.resources.memory.limit' beside it");
	if (m->swap < m->limit)
		return parse_fail(
			err, &swap, "is memory plus swap, so it can't be below the limit");
	return put(l, err, "memory.swap.max", "%" PRId64, m->swap - m->limit);
}

int parse_memory(json_t *json, void *base, const struct json_at *at, struct err *err)
{
	struct spec_linux *l = base;
	struct memory m = {0};
	int r;

	fields_unset(memory_fields, &m);
	r = parse_fields(memory_fields, json, &m, at, err);
	if (r == 0 && m.limit != SPEC_UNSET && m.limit != 0)
		r = put_size(l, "memory.max", m.limit, err);
	if (r == 0)
		r = put_swap(l, &m, at, err);
	if (r == 0 && m.reservation != SPEC_UNSET && m.reservation != 0)
		r = put_size(l, "memory.low", MAX(m.reservation, 0), err);
	if (r == 0 && m.swappiness != SPEC_UNSET)
		r = put(l, err, "memory.swappiness", "%" PRId64, m.swappiness);
	if (r == 0 && m.no_oom_kill)
		r = put(l, err, "memory.oom_control", "1");
	/* kernels of the last years take these and do nothing; runc ignores them too */
	if (r == 0 && (m.kernel > 0 || m.kernel_tcp > 0))
		log_info("linux.resources.memory.kernel and kernelTCP have no effect");
	return r;
}

struct cpu {
	int64_t shares, quota, burst, period, rt_runtime, rt_period, idle;
	char *cpus, *mems;
};

static const struct field cpu_fields[] = {
	{"shares", FIELD_I64, .offset = offsetof(struct cpu, shares)},
	{"quota", FIELD_I64, .offset = offsetof(struct cpu, quota)},
	{"burst", FIELD_I64, .offset = offsetof(struct cpu, burst)},
	{"period", FIELD_I64, .offset = offsetof(struct cpu, period)},
	{"realtimeRuntime", FIELD_I64, .offset = offsetof(struct cpu, rt_runtime)},
	{"realtimePeriod", FIELD_I64, .offset = offsetof(struct cpu, rt_period)},
	{"idle", FIELD_I64, .offset = offsetof(struct cpu, idle)},
	{"cpus", FIELD_STRING, .offset = offsetof(struct cpu, cpus)},
	{"mems", FIELD_STRING, .offset = offsetof(struct cpu, mems)},
	{0},
};

static bool given(int64_t n)
{
	return n != SPEC_UNSET && n != 0;
}

/* cpu.max takes "QUOTA" alone (the period stays); a period alone leaves the quota at its start. */
static int put_cpu_max(struct spec_linux *l, const struct cpu *c, struct err *err)
{
	if (!given(c->quota) && !given(c->period))
		return 0;
	if (given(c->quota) && c->quota > 0)
		return given(c->period)
			       ? put(l, err, "cpu.max", "%" PRId64 " %" PRId64, c->quota, c->period)
			       : put(l, err, "cpu.max", "%" PRId64, c->quota);
	return given(c->period) ? put(l, err, "cpu.max", "max %" PRId64, c->period)
				: put(l, err, "cpu.max", "max");
}

static int put_cpu_weight(
	struct spec_linux *l, const struct cpu *c, const struct json_at *at, struct err *err)
{
	const struct json_at shares = {.up = at, .name = "shares"};
	int64_t s = c->shares;

	if (!given(s))
		return 0;
	if (s < 0)
		return parse_fail(err, &shares, "must be from 2 to 262144");
	s = MIN(MAX(s, (int64_t)2), (int64_t)262144); /* as the kernel does on v1 */
	return put(l, err, "cpu.shares", "%" PRId64, s);
}

static int put_cpu(
	struct spec_linux *l, const struct cpu *c, const struct json_at *at, struct err *err)
{
	int r = put_cpu_weight(l, c, at, err);

	if (r == 0)
		r = put_cpu_max(l, c, err);
	if (r == 0 && given(c->burst))
		r = put(l, err, "cpu.max.burst", "%" PRId64, c->burst);
	if (r == 0 && c->idle != SPEC_UNSET)
		r = put(l, err, "cpu.idle", "%" PRId64, c->idle);
	if (r == 0 && (given(c->rt_runtime) || given(c->rt_period)))
		r = put(l, err, "cpu.rt.max", "%" PRId64 " %" PRId64,
			given(c->rt_runtime) ? c->rt_runtime : 0,
			given(c->rt_period) ? c->rt_period : INT64_C(1000000));
	if (r == 0 && c->cpus && *c->cpus)
		r = put_text(l, "cpuset.cpus", c->cpus, err);
	if (r == 0 && c->mems && *c->mems)
		r = put_text(l, "cpuset.mems", c->mems, err);
	return r;
}

int parse_cpu(json_t *json, void *base, const struct json_at *at, struct err *err)
{
	struct cpu c = {0};
	int r;

	fields_unset(cpu_fields, &c);
	r = parse_fields(cpu_fields, json, &c, at, err);
	if (r == 0)
		r = put_cpu(base, &c, at, err);
	fields_free(cpu_fields, &c);
	return r;
}

struct pids {
	int64_t limit;
};

static const struct field pids_fields[] = {
	{"limit", FIELD_I64, .offset = offsetof(struct pids, limit)},
	{0},
};

int parse_pids(json_t *json, void *base, const struct json_at *at, struct err *err)
{
	struct pids p = {.limit = SPEC_UNSET};
	int r = parse_fields(pids_fields, json, &p, at, err);

	/* engines write 0 for "not given" */
	return r < 0 || !given(p.limit) ? r : put_size(base, "pids.max", p.limit, err);
}

struct block_device {
	int64_t major, minor, weight;
	uint64_t rate;
};

struct block_devices {
	struct block_device *v;
	size_t n;
};

enum { BLOCK_RBPS, BLOCK_WBPS, BLOCK_RIOPS, BLOCK_WIOPS, BLOCK_WEIGHT, BLOCK_COUNT };

struct block_io {
	int64_t weight;
	struct block_devices lists[BLOCK_COUNT];
};

static const struct field block_device_fields[] = {
	{"major", FIELD_I64, FIELD_ZERO, offsetof(struct block_device, major)},
	{"minor", FIELD_I64, FIELD_ZERO, offsetof(struct block_device, minor)},
	{"weight", FIELD_I64, .offset = offsetof(struct block_device, weight)},
	{"rate", FIELD_U64, .offset = offsetof(struct block_device, rate)},
	{0},
};

#define BLOCK_LIST(member, i)                                                                      \
	{                                                                                          \
		.name = member, .type = FIELD_ARRAY,                                               \
		.offset = offsetof(struct block_io, lists[i].v),                                   \
		.aux = offsetof(struct block_io, lists[i].n), .size = sizeof(struct block_device), \
		.sub = block_device_fields                                                         \
	}

static const struct field block_io_fields[] = {
	{"weight", FIELD_I64, .offset = offsetof(struct block_io, weight)},
	BLOCK_LIST("throttleReadBpsDevice", BLOCK_RBPS),
	BLOCK_LIST("throttleWriteBpsDevice", BLOCK_WBPS),
	BLOCK_LIST("throttleReadIOPSDevice", BLOCK_RIOPS),
	BLOCK_LIST("throttleWriteIOPSDevice", BLOCK_WIOPS),
	BLOCK_LIST("weightDevice", BLOCK_WEIGHT),
	{0},
};

static const char *const io_max_names[] = {[BLOCK_RBPS] = "rbps",
	[BLOCK_WBPS] = "wbps",
	[BLOCK_RIOPS] = "riops",
	[BLOCK_WIOPS] = "wiops"};

/* blkio's 10–1000 → io.weight's 1–10000 */
static int64_t io_weight(int64_t w)
{
	return 1 + (MIN(MAX(w, (int64_t)10), (int64_t)1000) - 10) * 9999 / 990;
}

static int put_block_io(struct spec_linux *l, const struct block_io *b, struct err *err)
{
	autobuf struct buf max = {0}, weight = {0};
	size_t i, k;

	/* failed adds are remembered by the buffer and looked at below */
	for (k = 0; k < BLOCK_WEIGHT; k++)
		for (i = 0; i < b->lists[k].n; i++) {
			const struct block_device *d = &b->lists[k].v[i];

			(void)buf_addf(&max, "%s%" PRId64 ":%" PRId64 " %s=", max.len ? "\n" : "",
				d->major, d->minor, io_max_names[k]);
			(void)(d->rate ? buf_addf(&max, "%" PRIu64, d->rate)
				       : buf_adds(&max, "max"));
		}
	if (given(b->weight))
		(void)buf_addf(&weight, "default %" PRId64, io_weight(b->weight));
	for (i = 0; i < b->lists[BLOCK_WEIGHT].n; i++) {
		const struct block_device *d = &b->lists[BLOCK_WEIGHT].v[i];

		if (given(d->weight))
			(void)buf_addf(&weight, "%s%" PRId64 ":%" PRId64 " %" PRId64,
				weight.len ? "\n" : "", d->major, d->minor, io_weight(d->weight));
	}
	if (max.failed || weight.failed)
		return err_oom(err);
	if (max.len && put_text(l, "io.max", max.data, err) < 0)
		return -ENOMEM;
	return weight.len ? put_text(l, "io.weight", weight.data, err) : 0;
}

int parse_block_io(json_t *json, void *base, const struct json_at *at, struct err *err)
{
	struct block_io b = {0};
	int r;

	fields_unset(block_io_fields, &b);
	r = parse_fields(block_io_fields, json, &b, at, err);
	if (r == 0)
		r = put_block_io(base, &b, err);
	fields_free(block_io_fields, &b);
	return r;
}

struct hugepage {
	char *size;
	uint64_t limit;
};

static const struct field hugepage_fields[] = {
	{"pageSize", FIELD_STRING, .offset = offsetof(struct hugepage, size)},
	{"limit", FIELD_U64, .offset = offsetof(struct hugepage, limit)},
	{0},
};

static int put_hugepage(
	struct spec_linux *l, const struct hugepage *h, const struct json_at *at, struct err *err)
{
	const struct json_at size = {.up = at, .name = "pageSize"};
	char key[64];

	if (!h->size || strlen(h->size) > 16 ||
		strspn(h->size, "0123456789KMGB") != strlen(h->size))
		return parse_fail(err, &size, "must be a size such as 2MB");
	(void)snprintf(key, sizeof(key), "hugetlb.%s.max", h->size); /* checked above: fits */
	return put(l, err, key, "%" PRIu64, h->limit);
}

int parse_hugepages(json_t *json, void *base, const struct json_at *at, struct err *err)
{
	size_t i;
	int r = 0;

	if (!json_is_array(json))
		return parse_fail(err, at, "must be a list of objects");
	for (i = 0; i < json_array_size(json) && r == 0; i++) {
		const struct json_at elem = {.up = at, .index = i};
		struct hugepage h = {0};

		r = parse_fields(hugepage_fields, json_array_get(json, i), &h, &elem, err);
		if (r == 0)
			r = put_hugepage(base, &h, &elem, err);
		fields_free(hugepage_fields, &h);
	}
	return r;
}

struct net_priority {
	char *name;
	uint32_t priority;
};

struct network {
	int64_t class_id;
	struct net_priority *priorities;
	size_t n_priorities;
};

static const struct field net_priority_fields[] = {
	{"name", FIELD_STRING, .offset = offsetof(struct net_priority, name)},
	{"priority", FIELD_U32, .offset = offsetof(struct net_priority, priority)},
	{0},
};

static const struct field network_fields[] = {
	{"classID", FIELD_I64, .offset = offsetof(struct network, class_id)},
	{.name = "priorities",
		.type = FIELD_ARRAY,
		.offset = offsetof(struct network, priorities),
		.aux = offsetof(struct network, n_priorities),
		.size = sizeof(struct net_priority),
		.sub = net_priority_fields},
	{0},
};

int parse_network(json_t *json, void *base, const struct json_at *at, struct err *err)
{
	autobuf struct buf map = {0};
	struct network n = {0};
	size_t i;
	int r;

	fields_unset(network_fields, &n);
	r = parse_fields(network_fields, json, &n, at, err);
	if (r == 0 && given(n.class_id))
		r = put(base, err, "net_cls.classid", "%" PRId64, n.class_id);
	for (i = 0; i < n.n_priorities; i++)
		/* a failed add is seen by the look at map.failed */
		(void)buf_addf(&map, "%s%s %" PRIu32, i ? "\n" : "",
			n.priorities[i].name ? n.priorities[i].name : "", n.priorities[i].priority);
	if (r == 0 && map.failed)
		r = err_oom(err);
	if (r == 0 && map.len)
		r = put_text(base, "net_prio.ifpriomap", map.data, err);
	fields_free(network_fields, &n);
	return r;
}

struct rdma {
	int64_t handles, objects;
};

static const struct field rdma_fields[] = {
	{"hcaHandles", FIELD_I64, .offset = offsetof(struct rdma, handles)},
	{"hcaObjects", FIELD_I64, .offset = offsetof(struct rdma, objects)},
	{0},
};

int parse_rdma(json_t *json, void *base, const struct json_at *at, struct err *err)
{
	autobuf struct buf max = {0};
	const char *device;
	json_t *value;
	int r;

	if (!json_is_object(json))
		return parse_fail(err, at, "must be an object");
	/* failed adds are seen by the look at max.failed */
	json_object_foreach(json, device, value)
	{
		const struct json_at elem = {.up = at, .name = device};
		struct rdma limit = {SPEC_UNSET, SPEC_UNSET};

		r = parse_fields(rdma_fields, value, &limit, &elem, err);
		if (r < 0)
			return r;
		(void)buf_addf(&max, "%s%s", max.len ? "\n" : "", device);
		if (limit.handles != SPEC_UNSET)
			(void)buf_addf(&max, " hca_handle=%" PRId64, limit.handles);
		if (limit.objects != SPEC_UNSET)
			(void)buf_addf(&max, " hca_object=%" PRId64, limit.objects);
	}
	if (max.failed)
		return err_oom(err);
	return max.len ? put_text(base, "rdma.max", max.data, err) : 0;
}
