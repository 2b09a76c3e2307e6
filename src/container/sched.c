// SPDX-License-Identifier: Apache-2.0
/*
 * Scheduling of a process: what kist sets from outside, by pid, while it waits (sched_setattr(2),
 * ioprio_set(2), sched_setaffinity(2)), and what only the process itself can (set_mempolicy(2)).
 */
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/syscall.h>

#include "base/parse.h"
#include "base/util.h"
#include "container/container-internal.h"
#include "sys/syscall.h"

#define NODES_MAX 1024

struct word {
	const char *name;
	unsigned long value;
};

static const struct word policies[] = {{"SCHED_OTHER", 0}, {"SCHED_FIFO", 1}, {"SCHED_RR", 2},
	{"SCHED_BATCH", 3}, {"SCHED_ISO", 4}, {"SCHED_IDLE", 5}, {"SCHED_DEADLINE", 6}, {NULL, 0}};

static const struct word sched_flags[] = {{"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},
	{"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
	{"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},
	{"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
	{"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
	{"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
	{"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX}, {NULL, 0}};

static const struct word modes[] = {{"MPOL_DEFAULT", MPOL_DEFAULT},
	{"MPOL_PREFERRED", MPOL_PREFERRED}, {"MPOL_BIND", MPOL_BIND},
	{"MPOL_INTERLEAVE", MPOL_INTERLEAVE}, {"MPOL_LOCAL", MPOL_LOCAL},
	{"MPOL_PREFERRED_MANY", 5}, {"MPOL_WEIGHTED_INTERLEAVE", 6}, {NULL, 0}};

static const struct word mode_flags[] = {{"MPOL_F_NUMA_BALANCING", 1ul << 13},
	{"MPOL_F_RELATIVE_NODES", 1ul << 14}, {"MPOL_F_STATIC_NODES", 1ul << 15}, {NULL, 0}};

static int look_up(const struct word *w, const char *name, const char *field, unsigned long *ret,
	struct err *err)
{
	for (; w->name; w++)
		if (strcmp(w->name, name) == 0) {
			*ret = w->value;
			return 0;
		}
	return err_setx(err, -EINVAL, "config.json: '%s' is no value of '%s'", name, field);
}

static int look_up_all(const struct word *w, char *const *names, const char *field,
	unsigned long *ret, struct err *err)
{
	unsigned long one = 0, all = 0;
	int r = 0;

	for (; r == 0 && names && *names; names++) {
		r = look_up(w, *names, field, &one, err);
		all |= r == 0 ? one : 0;
	}
	*ret = all;
	return r;
}

static uint64_t given(int64_t n)
{
	return n == SPEC_UNSET ? 0 : (uint64_t)n;
}

static int set_scheduler(const struct spec_process *p, pid_t pid, struct err *err)
{
	struct kernel_sched_attr attr = {.size = sizeof(attr)};
	unsigned long policy = 0, flags = 0;
	int r = 0;

	if (p->scheduler)
		r = look_up(policies, p->scheduler, "process.scheduler.policy", &policy, err);
	if (r == 0)
		r = look_up_all(
			sched_flags, p->scheduler_flags, "process.scheduler.flags", &flags, err);
	if (r < 0)
		return r;
	attr.policy = (uint32_t)policy;
	attr.flags = flags;
	attr.nice = p->nice == SPEC_UNSET ? 0 : (int32_t)p->nice;
	attr.priority = (uint32_t)given(p->priority);
	attr.runtime = given(p->sched_runtime);
	attr.deadline = given(p->sched_deadline);
	attr.period = given(p->sched_period);
	r = sys_sched_setattr(pid, &attr);
	if (r == 0)
		return 0;
	err_set(err, r, "cannot set the scheduler %s of process %d",
		p->scheduler ? p->scheduler : "SCHED_OTHER", pid);
	if (r == -EPERM)
		return err_hint(err, "CAP_SYS_NICE is needed; a deadline also wants the process "
				     "to be allowed on every CPU");
	return r;
}

static int parse_cpus(const char *list, cpu_set_t *ret, struct err *err)
{
	const char *s = list;
	int from, to, n;

	CPU_ZERO(ret);
	while (*s) {
		if (sscanf(s, "%d-%d%n", &from, &to, &n) < 2) {
			if (sscanf(s, "%d%n", &from, &n) < 1)
				break;
			to = from;
		}
		if (from < 0 || to < from || to >= CPU_SETSIZE || (s[n] && s[n] != ','))
			break;
		for (; from <= to; from++)
			CPU_SET(from, ret);
		s += n + (s[n] == ',');
	}
	return *s || s == list ? err_setx(err, -EINVAL, "'%s' is no list of CPUs", list) : 0;
}

int container_affinity(const char *list, pid_t pid, struct err *err)
{
	cpu_set_t set;
	int r = parse_cpus(list, &set, err);

	if (r == 0 && sched_setaffinity(pid, sizeof(set), &set) < 0)
		return err_set(err, -errno, "cannot let process %d run on CPUs %s", pid, list);
	return r;
}

int container_sched_apply(const struct spec_process *p, pid_t pid, struct err *err)
{
	cpu_set_t set;
	int r = 0;

	/* of processes that exec adds, later: only looked at now */
	if (p->exec_cpu_initial)
		r = parse_cpus(p->exec_cpu_initial, &set, err);
	if (r == 0 && p->exec_cpu_final)
		r = parse_cpus(p->exec_cpu_final, &set, err);
	if (r == 0 && (p->scheduler || p->nice != SPEC_UNSET))
		r = set_scheduler(p, pid, err);
	if (r == 0 && p->io_class != SPEC_UNSET &&
		syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid,
			IOPRIO_PRIO_VALUE(p->io_class, given(p->io_priority))) < 0)
		r = err_set(err, -errno, "cannot set the I/O priority of process %d", pid);
	return r;
}

int container_personality(const struct spec_linux *l, struct err *err)
{
	static const unsigned long domains[] = {PER_LINUX, PER_LINUX32};

	if (l->personality != SPEC_UNSET && personality(domains[l->personality]) < 0)
		return err_set(err, -errno, "cannot set the personality");
	return 0;
}

/* "0-3,5" as a mask; the memory of NUMA nodes. */
static int parse_nodes(const char *list, unsigned long mask[NODES_MAX / 64], struct err *err)
{
	const char *s = list;
	unsigned int from, to;
	int n;

	while (*s) {
		if (sscanf(s, "%u-%u%n", &from, &to, &n) < 2) {
			if (sscanf(s, "%u%n", &from, &n) < 1)
				break;
			to = from;
		}
		if (to < from || to >= NODES_MAX)
			break;
		for (; from <= to; from++)
			mask[from / 64] |= 1ul << (from % 64);
		s += n + (s[n] == ',');
	}
	return *s ? err_setx(err, -EINVAL, "config.json: '%s' is no list of memory nodes", list)
		  : 0;
}

int container_memory_policy(const struct spec_linux *l, struct err *err)
{
	unsigned long mask[NODES_MAX / 64] = {0}, mode = 0, flags = 0;
	int r;

	if (!l->memory_policy.set)
		return 0;
	if (!l->memory_policy.mode)
		return err_setx(err, -EINVAL, "config.json: 'linux.memoryPolicy' has no mode");
	r = look_up(modes, l->memory_policy.mode, "linux.memoryPolicy.mode", &mode, err);
	if (r == 0)
		r = look_up_all(mode_flags, l->memory_policy.flags, "linux.memoryPolicy.flags",
			&flags, err);
	if (r == 0 && l->memory_policy.nodes)
		r = parse_nodes(l->memory_policy.nodes, mask, err);
	if (r < 0)
		return r;
	if (syscall(SYS_set_mempolicy, mode | flags, l->memory_policy.nodes ? mask : NULL,
		    l->memory_policy.nodes ? NODES_MAX + 1 : 0) < 0)
		return err_set(err, -errno, "cannot set the memory policy %s of nodes '%s'",
			l->memory_policy.mode,
			l->memory_policy.nodes ? l->memory_policy.nodes : "");
	return 0;
}
