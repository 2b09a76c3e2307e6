// SPDX-License-Identifier: Apache-2.0
/* `kist stat`: what a container uses, in a few lines or as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#include "base/util.h"
#include "base/verb.h"
#include "cli/cgroup-target.h"
#include "cli/human.h"

extern const struct verb verb_stat;

#define B(n) human_bytes((n), (char[HUMAN_MAX]){0})
#define T(n) human_usec((n), (char[HUMAN_MAX]){0})

static const char *number(uint64_t n, char ret[HUMAN_MAX])
{
	if (n == UINT64_MAX)
		snprintf(ret, HUMAN_MAX, "-");
	else
		snprintf(ret, HUMAN_MAX, "%" PRIu64, n);
	return ret;
}
#define N(n) number((n), (char[HUMAN_MAX]){0})

static const char *limit(uint64_t n, bool bytes, char ret[HUMAN_MAX])
{
	if (n == UINT64_MAX)
		snprintf(ret, HUMAN_MAX, "max");
	else if (bytes)
		(void)human_bytes(n, ret);
	else
		(void)number(n, ret);
	return ret;
}
#define L(n, bytes) limit((n), (bytes), (char[HUMAN_MAX]){0})

static void print_text(const char *name, const struct cgroup_stat *st)
{
	printf("%s\n", name);
	printf("  cpu       %s (user %s, system %s); throttled in %s of %s periods, for %s\n",
		T(st->cpu_usage_us), T(st->cpu_user_us), T(st->cpu_system_us), N(st->cpu_throttled),
		N(st->cpu_periods), T(st->cpu_throttled_us));
	printf("  memory    %s of %s, working set %s, peak %s, swap %s; OOM kills %s\n",
		B(st->memory_current), L(st->memory_max, true), B(st->memory_working_set),
		B(st->memory_peak), B(st->memory_swap), N(st->oom_kills));
	printf("            anonymous %s, files %s, kernel %s\n", B(st->memory_anon),
		B(st->memory_file), B(st->memory_kernel));
	printf("  tasks     %s of %s\n", N(st->pids_current), L(st->pids_max, false));
	printf("  io        read %s in %s, written %s in %s\n", B(st->io_read_bytes),
		N(st->io_reads), B(st->io_write_bytes), N(st->io_writes));
	printf("  pressure  cpu %s; memory some %s, full %s; io some %s, full %s\n",
		T(st->psi_cpu_some_us), T(st->psi_memory_some_us), T(st->psi_memory_full_us),
		T(st->psi_io_some_us), T(st->psi_io_full_us));
}

static const struct {
	const char *name;
	size_t offset;
} fields[] = {
#define FIELD(f)                                    \
	{                                           \
#f, offsetof(struct cgroup_stat, f) \
	}
	FIELD(cpu_usage_us),
	FIELD(cpu_user_us),
	FIELD(cpu_system_us),
	FIELD(cpu_periods),
	FIELD(cpu_throttled),
	FIELD(cpu_throttled_us),
	FIELD(memory_current),
	FIELD(memory_peak),
	FIELD(memory_max),
	FIELD(memory_swap),
	FIELD(memory_anon),
	FIELD(memory_file),
	FIELD(memory_working_set),
	FIELD(memory_kernel),
	FIELD(oom_kills),
	FIELD(pids_current),
	FIELD(pids_max),
	FIELD(io_read_bytes),
	FIELD(io_write_bytes),
	FIELD(io_reads),
	FIELD(io_writes),
	FIELD(psi_cpu_some_us),
	FIELD(psi_memory_some_us),
	FIELD(psi_memory_full_us),
	FIELD(psi_io_some_us),
	FIELD(psi_io_full_us),
#undef FIELD
};

/* What the host does not tell is null, and so is a limit that is not set. */
static json_t *stat_json(const struct cgroup_stat *st)
{
	json_t *o = json_object();
	uint64_t n;
	size_t i;

	for (i = 0; o && i < ARRAY_SIZE(fields); i++) {
		n = *(const uint64_t *)((const char *)st + fields[i].offset);
		if (json_object_set_new(o, fields[i].name,
			    n == UINT64_MAX ? json_null() : json_integer((json_int_t)n)) < 0) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

static int stat_one(const char *name, json_t *all, struct err *err)
{
	struct cgroup_target t = {0};
	struct cgroup_stat st;
	int r = cgroup_target_open(name, &t, err);

	if (r == 0)
		r = cgroup_stat(t.cg, &st, err);
	cgroup_target_done(&t);
	if (r < 0)
		return r;
	if (!all)
		print_text(name, &st);
	else if (json_object_set_new(all, name, stat_json(&st)) < 0)
		return err_oom(err);
	return 0;
}

static int stat_run(int argc, char **argv, struct err *err)
{
	struct verb_args args;
	json_t *all = NULL;
	bool json = false;
	int r = 0, i;

	verb_args_init(&args, &verb_stat, argc, argv);
	while (verb_args_next(&args, err))
		json = true;
	if (err->code)
		return err->code;
	if (args.next >= argc)
		return err_setx(err, -EINVAL, "needs a target");
	if (json && !(all = json_object()))
		return err_oom(err);
	for (i = args.next; i < argc && r == 0; i++)
		r = stat_one(argv[i], all, err);
	if (json && r == 0) {
		r = json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
		if (r < 0 || fflush(stdout) != 0)
			r = err_setx(err, -EIO, "cannot print the statistics");
	}
	json_decref(all);
	return r;
}

static const struct verb_option options[] = {
	{0, "json", NULL, "as JSON, in bytes and microseconds"},
	{0},
};

const struct verb verb_stat = {
	.name = "stat",
	.args = "TARGET…",
	.summary = "show what containers use: processor, memory, tasks, I/O, pressure",
	.text = CGROUP_TARGET_HELP,
	.options = options,
	.run = stat_run,
};
