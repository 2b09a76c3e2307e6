// SPDX-License-Identifier: Apache-2.0
/*
 * Resource limits from /proc/PID/limits: prlimit(2) of another user's task is refused without
 * CAP_SYS_RESOURCE, the file is not.
 */
#include <sys/resource.h>

#include "base/util.h"
#include "cr/task/task-internal.h"
#include "sys/proc.h"

static const struct {
	const char *label;
	int resource;
} rows[] = {
	{"Max address space", RLIMIT_AS},
	{"Max core file size", RLIMIT_CORE},
	{"Max cpu time", RLIMIT_CPU},
	{"Max data size", RLIMIT_DATA},
	{"Max file locks", RLIMIT_LOCKS},
	{"Max file size", RLIMIT_FSIZE},
	{"Max locked memory", RLIMIT_MEMLOCK},
	{"Max msgqueue size", RLIMIT_MSGQUEUE},
	{"Max nice priority", RLIMIT_NICE},
	{"Max open files", RLIMIT_NOFILE},
	{"Max pending signals", RLIMIT_SIGPENDING},
	{"Max processes", RLIMIT_NPROC},
	{"Max realtime priority", RLIMIT_RTPRIO},
	{"Max realtime timeout", RLIMIT_RTTIME},
	{"Max resident set", RLIMIT_RSS},
	{"Max stack size", RLIMIT_STACK},
};

static const char *number(const char *p, uint64_t *ret)
{
	char *end;

	p += strspn(p, " ");
	if (strncmp(p, "unlimited", 9) == 0) {
		*ret = RLIM_INFINITY;
		return p + 9;
	}
	*ret = strtoull(p, &end, 10);
	return end;
}

int limits_read(struct target *t, Kist__Task *task, struct arena *a, struct err *err)
{
	autobuf struct buf text = {0};
	Kist__Rlimit *l;
	const char *p;
	size_t i;
	int r;

	r = proc_read(t->procfd, "limits", &text);
	if (r < 0)
		return err_set(
			err, r, "cannot read the limits of process %d (%s)", t->pid, t->comm);
	task->rlimits = arena_alloc(a, ARRAY_SIZE(rows) * sizeof(*task->rlimits));
	if (!task->rlimits)
		return err_oom(err);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		p = strstr(buf_str(&text), rows[i].label);
		if (!p)
			continue;
		l = arena_alloc(a, sizeof(*l));
		if (!l)
			return err_oom(err);
		kist__rlimit__init(l);
		l->resource = rows[i].resource;
		p = number(p + strlen(rows[i].label), &l->soft);
		(void)number(p, &l->hard); /* the end of it is not needed */
		task->rlimits[task->n_rlimits++] = l;
	}
	return 0;
}
