// SPDX-License-Identifier: Apache-2.0
/* Barriers between the coordinator and the tasks: a shared counter and futex(2). */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fault.h"
#include "base/util.h"
#include "cr/restore/restore-internal.h"

#define STAGE_TIMEOUT_S 120
#define TICK_NSEC	100000000 /* after which a death is noticed that nobody reports */

static long futex(atomic_uint *word, int op, unsigned int value, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

static const char *const names[] = {
	[STAGE_FORK] = "fork",
	[STAGE_LEAD] = "lead",
	[STAGE_JOIN] = "join",
	[STAGE_FILES] = "files",
	[STAGE_LAST] = "last",
	[STAGE_MEMORY] = "memory",
	[STAGE_PLAY] = "play",
};

void stage_arrive(struct restore *r, size_t index, enum stage next)
{
	const struct timespec tick = {.tv_nsec = TICK_NSEC};
	struct restore_shared *s = r->shared;
	struct err err = {0};
	unsigned int now;

	if (fault("task", names[next], &err) < 0)
		task_fail(r, &err);
	atomic_fetch_add(&s->arrived, 1);
	(void)futex(&s->arrived, FUTEX_WAKE, 1, NULL); /* the coordinator looks by itself too */
	while ((now = atomic_load(&s->stage)) < next)
		if (futex(&s->stage, FUTEX_WAIT, now, &tick) < 0 && errno == ETIMEDOUT)
			task_check_children(r, index);
}

void stage_open(struct restore *r, enum stage next)
{
	atomic_store(&r->shared->arrived, 0);
	atomic_store(&r->shared->stage, next);
	(void)futex(&r->shared->stage, FUTEX_WAKE, INT32_MAX, NULL); /* nobody waits: fine */
}

/* How many tasks take part in a stage: helpers leave after STAGE_JOIN, zombies after STAGE_LAST. */
static size_t expected(const struct restore *r, enum stage done)
{
	size_t i, n = 0;

	for (i = 0; i < r->n; i++) {
		const struct plan_task *t = &r->tasks[i];

		if (!t->rec && done >= STAGE_FILES)
			continue;
		if (t->rec && t->rec->state == KIST__TASK_STATE__ZOMBIE && done >= STAGE_MEMORY)
			continue;
		n++;
	}
	return n;
}

int stage_collect(struct restore *r, enum stage done, struct err *err)
{
	struct restore_shared *s = r->shared;
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + STAGE_TIMEOUT_S * (uint64_t)NSEC_PER_SEC;
	const struct timespec tick = {.tv_nsec = TICK_NSEC};
	size_t want = expected(r, done);
	unsigned int arrived;
	siginfo_t info;

	if (fault("restore", names[done], err) < 0)
		return err->code;
	while ((arrived = atomic_load(&s->arrived)) < want) {
		if (atomic_load(&s->failed)) {
			*err = s->err;
			return err->code;
		}
		/* Nobody but us sees the root's death; the others' are seen by their parents. */
		(void)futex(&s->arrived, FUTEX_WAIT, arrived, &tick);
		info.si_pid = 0;
		if (waitid(P_PID, r->root, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
			info.si_pid && !atomic_load(&s->failed))
			return err_setx(err, -ECHILD,
				"the first process of the tree died during the restore (%s %d)",
				info.si_code == CLD_EXITED ? "status" : "signal", info.si_status);
		if (clock_ns(CLOCK_MONOTONIC) > end)
			return err_setx(err, -ETIMEDOUT,
				"the restore stands still: %u of %zu tasks have done stage %d",
				arrived, want, done);
	}
	return 0;
}
