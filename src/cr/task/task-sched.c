// SPDX-License-Identifier: Apache-2.0
/* Scheduling of a thread: policy, nice, affinity, I/O priority, timer slack; sched(7). */
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/util.h"
#include "cr/task/task-internal.h"
#include "sys/syscall.h"

#define AFFINITY_MAX	   1024 /* bytes: 8,192 processors */
#define IOPRIO_WHO_PROCESS 1

static int slack_read(pid_t tid, uint64_t *ret)
{
	autobuf struct buf text = {0};
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/timerslack_ns", tid);
	r = file_read_at(AT_FDCWD, path, &text, 64);
	if (r < 0)
		return r;
	text.data[strcspn(text.data, "\n")] = '\0';
	return parse_u64(text.data, 10, ret);
}

int sched_read(struct target *t, pid_t tid, Kist__Sched *ret, struct arena *a, struct err *err)
{
	struct kernel_sched_attr attr = {.size = sizeof(attr)};
	uint8_t *mask = arena_alloc(a, AFFINITY_MAX);
	long n;

	if (!mask)
		return err_oom(err);
	if (syscall(SYS_sched_getattr, tid, &attr, sizeof(attr), 0) < 0)
		return err_set(
			err, -errno, "cannot read the scheduling of thread %d (%s)", tid, t->comm);
	ret->policy = attr.policy;
	/* Realtime and idle tasks have a nice value too, for the time after; the call hides it. */
	errno = 0;
	ret->nice = getpriority(PRIO_PROCESS, tid);
	if (errno)
		return err_set(
			err, -errno, "cannot read the nice value of thread %d (%s)", tid, t->comm);
	ret->priority = attr.priority;
	ret->has_flags = attr.flags != 0;
	ret->flags = attr.flags;
	ret->has_runtime = ret->has_deadline = ret->has_period = attr.policy == SCHED_DEADLINE;
	ret->runtime = attr.runtime;
	ret->deadline = attr.deadline;
	ret->period = attr.period;
	n = syscall(SYS_sched_getaffinity, tid, AFFINITY_MAX, mask);
	if (n > 0) {
		ret->has_affinity = true;
		ret->affinity = (ProtobufCBinaryData){.len = n, .data = mask};
	}
	n = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid);
	ret->has_ioprio = n > 0;
	ret->ioprio = n > 0 ? n : 0;
	ret->has_timerslack_ns = slack_read(tid, &ret->timerslack_ns) == 0;
	return 0;
}

static int slack_write(const Kist__Sched *s, pid_t tid)
{
	char path[64], text[32];
	uint64_t now;

	if (!s->has_timerslack_ns || slack_read(tid, &now) < 0 || now == s->timerslack_ns)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/timerslack_ns", tid);
	snprintf(text, sizeof(text), "%" PRIu64, s->timerslack_ns);
	return file_write_at(AT_FDCWD, path, text);
}

int task_set_sched(const Kist__Thread *th, pid_t tid, int procfd, struct err *err)
{
	const Kist__Sched *s = th->sched;
	struct kernel_sched_attr attr = {
		.size = sizeof(attr),
		.policy = s->policy,
		.flags = s->flags,
		.nice = s->nice,
		.priority = s->priority,
		.runtime = s->runtime,
		.deadline = s->deadline,
		.period = s->period,
	};
	int r;

	/* Affinity first: SCHED_DEADLINE refuses a later change. Processors may be fewer here. */
	if (s->has_affinity &&
		syscall(SYS_sched_setaffinity, tid, s->affinity.len, s->affinity.data) < 0 &&
		errno != EINVAL)
		return err_set(err, -errno, "cannot set the processors of thread %u", th->tid);
	if (setpriority(PRIO_PROCESS, tid, s->nice) < 0)
		return err_set(
			err, -errno, "cannot set the nice value %d of thread %u", s->nice, th->tid);
	r = sys_sched_setattr(tid, &attr);
	if (r < 0)
		return err_set(err, r, "cannot set the scheduling (policy %u) of thread %u",
			s->policy, th->tid);
	if (s->has_ioprio && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, tid, s->ioprio) < 0)
		return err_set(err, -errno, "cannot set the I/O priority of thread %u", th->tid);
	r = slack_write(s, tid);
	if (r < 0)
		return err_set(err, r, "cannot set the timer slack of thread %u", th->tid);
	return 0;
}
