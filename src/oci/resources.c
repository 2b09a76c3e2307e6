// SPDX-License-Identifier: Apache-2.0
/* `update` and `events`: limits and what is used, in the forms of the OCI runtimes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/util.h"
#include "cgroup/cgroup.h"
#include "oci/oci-internal.h"

extern const struct verb oci_update, oci_events;

/* An option of `update` is a member of linux.resources: number or text. */
static const struct {
	const char *option, *object, *member;
	bool text;
} members[] = {
	{"memory", "memory", "limit", false},
	{"memory-reservation", "memory", "reservation", false},
	{"memory-swap", "memory", "swap", false},
	{"cpu-period", "cpu", "period", false},
	{"cpu-quota", "cpu", "quota", false},
	{"cpu-burst", "cpu", "burst", false},
	{"cpu-share", "cpu", "shares", false},
	{"cpu-idle", "cpu", "idle", false},
	{"cpu-rt-period", "cpu", "realtimePeriod", false},
	{"cpu-rt-runtime", "cpu", "realtimeRuntime", false},
	{"cpuset-cpus", "cpu", "cpus", true},
	{"cpuset-mems", "cpu", "mems", true},
	{"pids-limit", "pids", "limit", false},
	{"blkio-weight", "blockIO", "weight", false},
};

static const struct verb_option update_options[] = {
	{'r', "resources", "FILE", "linux.resources as in config.json; - is standard input"},
	{0, "memory", "BYTES", "memory.max"},
	{0, "memory-reservation", "BYTES", "memory.low"},
	{0, "memory-swap", "BYTES", "memory and swap together; -1: no limit"},
	{0, "cpu-period", "US", "the period of cpu.max"},
	{0, "cpu-quota", "US", "the quota of cpu.max"},
	{0, "cpu-burst", "US", "cpu.max.burst"},
	{0, "cpu-share", "N", "cpu.weight, in shares"},
	{0, "cpu-idle", "0|1", "cpu.idle"},
	{0, "cpu-rt-period", "US", "accepted where the kernel has it"},
	{0, "cpu-rt-runtime", "US", "accepted where the kernel has it"},
	{0, "cpuset-cpus", "LIST", "cpuset.cpus"},
	{0, "cpuset-mems", "LIST", "cpuset.mems"},
	{0, "pids-limit", "N", "pids.max"},
	{0, "blkio-weight", "N", "io.weight"},
	{0, "kernel-memory", "BYTES", "accepted: part of memory.max"},
	{0, "kernel-memory-tcp", "BYTES", "accepted: part of memory.max"},
	{0},
};

static int put(json_t *resources, const char *option, const char *value, struct err *err)
{
	json_t *object, *v;
	uint64_t size;
	int64_t n;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(members); i++)
		if (strcmp(members[i].option, option) == 0)
			break;
	if (i == ARRAY_SIZE(members))
		return 0; /* accepted, without effect */
	if (members[i].text)
		v = json_string(value);
	else if (parse_i64(value, 10, &n) == 0)
		v = json_integer(n);
	else if (parse_size(value, &size) == 0)
		v = json_integer(size == UINT64_MAX ? -1 : (json_int_t)size);
	else
		return err_setx(err, -EINVAL, "--%s: '%s' is no number", option, value);
	object = json_object_get(resources, members[i].object);
	if (!object) {
		object = json_object();
		if (json_object_set_new(resources, members[i].object, object) < 0)
			return err_oom(err);
	}
	return json_object_set_new(object, members[i].member, v) < 0 ? err_oom(err) : 0;
}

static int read_resources(const char *path, json_t **ret, struct err *err)
{
	autofree char *text = NULL;
	json_error_t je;
	size_t len;
	int r = oci_read_file(path, &text, &len, err);

	if (r < 0)
		return r;
	*ret = json_loadb(text, len, 0, &je);
	if (!json_is_object(*ret)) {
		json_decref(*ret);
		*ret = NULL;
		return err_setx(err, -EINVAL, "'%s' is no JSON object (line %d: %s)", path, je.line,
			je.text);
	}
	return 0;
}

/* The description's own reader turns resources into keys of the key table. Takes @resources. */
static int parse_resources(json_t *resources, struct spec **ret, struct err *err)
{
	json_t *doc = json_pack(
		"{s:s, s:{s:o}}", "ociVersion", SPEC_OCI_VERSION, "linux", "resources", resources);
	autofree char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

	json_decref(doc);
	return text ? spec_parse(text, strlen(text), ret, err) : err_oom(err);
}

static int set_limits(const struct container *c, const struct spec *spec, struct err *err)
{
	const struct spec_linux *l = &spec->linux_;
	autofree struct cgroup_setting *s = calloc(l->n_limits + 1, sizeof(*s));
	struct cgroup_host *host = NULL;
	struct cgroup *cg = NULL;
	size_t i;
	int r = s ? cgroup_host_open(&host, err) : err_oom(err);

	if (r == 0)
		r = cgroup_open(host, c->cgroup, &cg, err);
	for (i = 0; r == 0 && i < l->n_limits; i++)
		s[i] = (struct cgroup_setting){l->limits[i].key, l->limits[i].value};
	if (r == 0 && l->n_limits)
		r = cgroup_set(cg, s, l->n_limits, err);
	if (r == 0 && l->n_device_rules)
		r = cgroup_set_devices(cg, l->device_rules, l->n_device_rules, err);
	cgroup_free(cg);
	cgroup_host_free(host);
	return r;
}

static int parse_update(struct oci_args *a, json_t **resources, struct err *err)
{
	const struct verb_option *o;
	int r = 0;

	while (r == 0 && (o = oci_args_next(a, err))) {
		if (o->letter != 'r') {
			r = put(*resources, o->name, a->args.value, err);
			continue;
		}
		json_decref(*resources);
		*resources = NULL;
		r = read_resources(a->args.value, resources, err);
	}
	return r < 0 ? r : err->code;
}

static int update_run(int argc, char **argv, struct err *err)
{
	json_t *resources = json_object();
	struct spec *spec = NULL;
	struct container *c;
	struct oci_args a;
	const char *id;
	int r;

	oci_args_init(&a, &oci_update, argc, argv);
	r = parse_update(&a, &resources, err);
	id = r < 0 ? NULL : oci_args_id(&a, err);
	if (!id) {
		json_decref(resources);
		return err->code;
	}
	r = parse_resources(resources, &spec, err);
	if (r < 0)
		return r;
	r = container_open_locked(id, &c, err);
	if (r == 0) {
		r = c->pidfd < 0 ? err_setx(err, -ESRCH, "container not running: '%s' is %s", id,
					   oci_status(c->status))
				 : set_limits(c, spec, err);
		container_free(c);
	}
	spec_free(spec);
	return r;
}

static json_t *number(uint64_t n)
{
	return json_integer(n == UINT64_MAX ? 0 : (json_int_t)n);
}

/* What is not limited has the largest number. */
static json_t *limit(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

/* As containerd and docker read it (libcontainer's types.Stats). */
static json_t *stats_json(const char *id, const struct cgroup_stat *s)
{
	json_t *cpu = json_pack("{s:{s:o, s:o, s:o}, s:{s:o, s:o, s:o}}", "usage", "total",
		number(s->cpu_usage_us == UINT64_MAX ? 0 : s->cpu_usage_us * 1000), "kernel",
		number(s->cpu_system_us == UINT64_MAX ? 0 : s->cpu_system_us * 1000), "user",
		number(s->cpu_user_us == UINT64_MAX ? 0 : s->cpu_user_us * 1000), "throttling",
		"periods", number(s->cpu_periods), "throttledPeriods", number(s->cpu_throttled),
		"throttledTime",
		number(s->cpu_throttled_us == UINT64_MAX ? 0 : s->cpu_throttled_us * 1000));
	json_t *memory =
		json_pack("{s:{s:o, s:o, s:o, s:o}, s:o}", "usage", "limit", limit(s->memory_max),
			"usage", number(s->memory_current), "max", number(s->memory_peak),
			"failcnt", number(s->oom_kills), "cache", number(s->memory_file));
	json_t *pids = json_pack(
		"{s:o, s:o}", "current", number(s->pids_current), "limit", limit(s->pids_max));

	return json_pack("{s:s, s:s, s:{s:o, s:o, s:o, s:{}, s:{}}}", "type", "stats", "id", id,
		"data", "cpu", cpu, "memory", memory, "pids", pids, "blkio", "hugetlb");
}

static int print_stats(const char *id, struct err *err)
{
	struct cgroup_host *host = NULL;
	struct cgroup *cg = NULL;
	struct cgroup_stat st;
	struct container *c;
	json_t *j = NULL;
	int r = container_open(id, &c, err);

	if (r < 0)
		return r;
	if (c->pidfd < 0)
		r = err_setx(err, -ESRCH, "container not running: '%s' is %s", id,
			oci_status(c->status));
	if (r == 0)
		r = cgroup_host_open(&host, err);
	if (r == 0)
		r = cgroup_open(host, c->cgroup, &cg, err);
	if (r == 0)
		r = cgroup_stat(cg, &st, err);
	if (r == 0 && !(j = stats_json(id, &st)))
		r = err_oom(err);
	cgroup_free(cg);
	cgroup_host_free(host);
	container_free(c);
	if (r < 0)
		return r;
	r = json_dumpf(j, stdout, JSON_COMPACT);
	json_decref(j);
	printf("\n");
	return r < 0 || fflush(stdout) != 0 ? err_setx(err, -EIO, "cannot print the statistics")
					    : 0;
}

/* Go's durations as far as callers write them: "5s", "2m", or a bare number of seconds. */
static int parse_seconds(const char *text, int *ret)
{
	char unit[3] = "";
	int n, used = 0;

	if (sscanf(text, "%d%n%2s", &n, &used, unit) < 1 || n < 1 || n > 86400)
		return -EINVAL;
	if (strcmp(unit, "m") == 0)
		n *= 60;
	else if (*unit && strcmp(unit, "s") != 0)
		return -EINVAL;
	*ret = n;
	return 0;
}

static int events_run(int argc, char **argv, struct err *err)
{
	const struct verb_option *o;
	struct oci_args a;
	bool once = false;
	int interval = 5, r;
	const char *id;

	oci_args_init(&a, &oci_events, argc, argv);
	while ((o = oci_args_next(&a, err))) {
		if (strcmp(o->name, "stats") == 0)
			once = true;
		else if (parse_seconds(a.args.value, &interval) < 0)
			return err_setx(err, -EINVAL, "'%s' is no number of seconds", a.args.value);
	}
	id = err->code ? NULL : oci_args_id(&a, err);
	if (!id)
		return err->code;
	r = print_stats(id, err);
	while (r == 0 && !once) {
		(void)sleep((unsigned int)interval); /* woken early, it prints early */
		r = print_stats(id, err);
		if (r == -ESRCH || r == -ENOENT) /* it has ended: so do its events */
			return 0;
	}
	return r;
}

static const struct verb_option events_options[] = {
	{0, "stats", NULL, "print the statistics once"},
	{0, "interval", "SECONDS", "how often they are printed, 5s by default"},
	{0},
};

const struct verb oci_update = {
	.name = "update",
	.args = "ID",
	.summary = "change the limits of a container",
	.options = update_options,
	.run = update_run,
};

const struct verb oci_events = {
	.name = "events",
	.args = "ID",
	.summary = "print the statistics of a container, again and again",
	.options = events_options,
	.run = events_run,
};
