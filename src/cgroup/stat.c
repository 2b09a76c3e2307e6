// SPDX-License-Identifier: Apache-2.0
/* Numbers of a cgroup in one struct, from whatever the host has. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/util.h"
#include "cgroup/ops.h"

#define UNTOLD UINT64_MAX

/* Reads a key as text; "" when this host or cgroup does not tell it. */
static const char *text_of(struct cgroup *cg, const char *key, struct buf *b)
{
	struct err untold;

	buf_reset(b);
	if (cgroup_get(cg, key, b, &untold) < 0)
		buf_reset(b);
	return buf_str(b);
}

static uint64_t number_of(struct cgroup *cg, const char *key, struct buf *b)
{
	const char *s = text_of(cg, key, b);
	uint64_t n;

	return sscanf(s, "%" SCNu64, &n) == 1 ? n : UNTOLD; /* "max" too */
}

static uint64_t flat(const char *text, const char *key)
{
	uint64_t n;

	return cgroup_flat_number(text, key, &n) == 0 ? n : UNTOLD;
}

/* The sum of "KEY=N" over the lines of a nested-keyed text. */
static uint64_t nested_sum(const char *text, const char *key)
{
	size_t n = strlen(key);
	uint64_t sum = 0, one;
	const char *p;

	for (p = text; (p = strstr(p, key)); p += n)
		if (p > text && p[-1] == ' ' && p[n] == '=' &&
			sscanf(p + n + 1, "%" SCNu64, &one) == 1)
			sum += one;
	return sum;
}

/* "some … total=N" of a pressure file. */
static uint64_t pressure(const char *text, const char *kind)
{
	const char *p = strstr(text, kind);
	uint64_t n;

	p = p ? strstr(p, "total=") : NULL;
	return p && sscanf(p, "total=%" SCNu64, &n) == 1 ? n : UNTOLD;
}

static void stat_cpu(struct cgroup *cg, struct cgroup_stat *st, struct buf *b)
{
	const char *s = text_of(cg, "cpu.stat", b);

	st->cpu_usage_us = flat(s, "usage_usec");
	st->cpu_user_us = flat(s, "user_usec");
	st->cpu_system_us = flat(s, "system_usec");
	st->cpu_periods = flat(s, "nr_periods");
	st->cpu_throttled = flat(s, "nr_throttled");
	st->cpu_throttled_us = flat(s, "throttled_usec");
}

static void stat_memory(struct cgroup *cg, struct cgroup_stat *st, struct buf *b)
{
	uint64_t inactive;
	const char *s;

	st->memory_current = number_of(cg, "memory.current", b);
	st->memory_peak = number_of(cg, "memory.peak", b);
	st->memory_max = number_of(cg, "memory.max", b);
	st->memory_swap = number_of(cg, "memory.swap.current", b);
	s = text_of(cg, "memory.stat", b);
	st->memory_anon = flat(s, "anon");
	st->memory_file = flat(s, "file");
	st->memory_kernel = flat(s, "kernel");
	inactive = flat(s, "inactive_file");
	st->memory_working_set = st->memory_current == UNTOLD || inactive == UNTOLD
					 ? UNTOLD
					 : st->memory_current - MIN(inactive, st->memory_current);
	st->oom_kills = flat(text_of(cg, "memory.events", b), "oom_kill");
}

static void stat_io(struct cgroup *cg, struct cgroup_stat *st, struct buf *b)
{
	const char *s;

	if (cgroup_fd(cg, CGROUP_IO) < 0) {
		st->io_read_bytes = st->io_write_bytes = st->io_reads = st->io_writes = UNTOLD;
		return;
	}
	s = text_of(cg, "io.stat", b);
	st->io_read_bytes = nested_sum(s, "rbytes");
	st->io_write_bytes = nested_sum(s, "wbytes");
	st->io_reads = nested_sum(s, "rios");
	st->io_writes = nested_sum(s, "wios");
}

int cgroup_stat(struct cgroup *cg, struct cgroup_stat *ret, struct err *err)
{
	autobuf struct buf b = {0};
	struct cgroup_stat st;
	const char *s;

	if (cgroup_members_fd(cg) < 0 || faccessat(cgroup_members_fd(cg), "cgroup.procs", F_OK, 0))
		return err_setx(err, -ENOENT, "cgroup '%s' is gone", cg->path);
	memset(&st, 0xff, sizeof(st));
	stat_cpu(cg, &st, &b);
	stat_memory(cg, &st, &b);
	stat_io(cg, &st, &b);
	st.pids_current = number_of(cg, "pids.current", &b);
	st.pids_max = number_of(cg, "pids.max", &b);
	st.psi_cpu_some_us = pressure(text_of(cg, "cpu.pressure", &b), "some");
	s = text_of(cg, "memory.pressure", &b);
	st.psi_memory_some_us = pressure(s, "some");
	st.psi_memory_full_us = pressure(s, "full");
	s = text_of(cg, "io.pressure", &b);
	st.psi_io_some_us = pressure(s, "some");
	st.psi_io_full_us = pressure(s, "full");
	*ret = st;
	return 0;
}
