// SPDX-License-Identifier: Apache-2.0
/* Finding, stopping, letting go and ending the tasks of a tree. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/util.h"
#include "cgroup/cgroup.h"
#include "cr/dump/dump-internal.h"
#include "sys/proc.h"
#include "sys/syscall.h"

#define STOP_TIMEOUT_MS 10000
#define KILL_TIMEOUT_MS 30000
#define TASKS_MAX	(1u << 20)

static int timeout(const struct dump *d)
{
	return d->opts->timeout_ms > 0 ? d->opts->timeout_ms : STOP_TIMEOUT_MS;
}

static struct dump_task *find(const struct dump *d, pid_t pid)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (d->tasks[i]->target.pid == pid)
			return d->tasks[i];
	return NULL;
}

/* Opens and stops one task. -ESRCH: it is gone. */
static int add_task(struct dump *d, pid_t pid, uint32_t parent, struct err *err)
{
	struct dump_task *task;
	int r;

	if (d->n >= TASKS_MAX)
		return err_setx(err, -E2BIG, "the tree has more than %u processes", TASKS_MAX);
	if (array_reserve(&d->tasks, &d->cap, d->n + 1, sizeof(*d->tasks)) < 0)
		return err_oom(err);
	task = calloc(1, sizeof(*task));
	if (!task)
		return err_oom(err);
	r = target_open(d->procfd, pid, &task->target, err);
	if (r < 0) {
		free(task);
		return r;
	}
	task->target.id = d->n + 1;
	task->target.parent = parent;
	d->tasks[d->n++] = task;
	r = target_stop(&task->target, timeout(d), err);
	if (r == 0)
		r = task_read_ids(&task->target, &task->ids, err);
	if (r == -ESRCH && d->n > 1) {
		target_done(&task->target);
		free(task);
		d->n--;
	}
	return r;
}

/* Adds the children of a stopped task; those that die under our hands are no loss. */
static int add_children(struct dump *d, size_t index, struct err *err)
{
	struct dump_task *task = d->tasks[index];
	autobuf struct buf text = {0};
	char name[64], *p, *end;
	size_t i;
	pid_t pid;
	int r;

	for (i = 0; i < task->target.n_threads; i++) {
		snprintf(name, sizeof(name), "task/%d/children", task->target.threads[i].tid);
		r = proc_read(task->target.procfd, name, &text);
		if (r < 0) {
			err_set(err, r, "cannot list the children of process %d (%s)",
				task->target.pid, task->target.comm);
			return err_hint(err, "the kernel needs CONFIG_PROC_CHILDREN");
		}
		for (p = text.data; p && *p; p = end) {
			pid = strtol(p, &end, 10);
			if (end == p)
				break;
			end += strspn(end, " \n");
			if (find(d, pid))
				continue;
			r = add_task(d, pid, task->target.id, err);
			if (r < 0 && r != -ESRCH)
				return r;
		}
	}
	return 0;
}

/*
 * Processes of the container's cgroup that do not descend from its first process: brought in from
 * outside (exec). They become children of the first one when restored.
 */
static int add_strangers(struct dump *d, struct err *err)
{
	autofree pid_t *pids = NULL;
	size_t n = 0, i;
	int r;

	r = cgroup_pids(d->opts->cgroup, &pids, &n, err);
	for (i = 0; r == 0 && i < n; i++) {
		if (find(d, pids[i]))
			continue;
		r = add_task(d, pids[i], 1, err);
		if (r == -ESRCH)
			r = 0;
	}
	return r;
}

static int walk(struct dump *d, struct err *err)
{
	size_t i, seen;
	int r;

	r = add_task(d, d->root, 0, err);
	if (r == 0 && d->tasks[0]->target.zombie)
		return err_setx(err, -ESRCH, "process %d (%s) is a zombie", d->root,
			d->tasks[0]->target.comm);
	do { /* until a whole pass over stopped tasks finds nobody new */
		seen = d->n;
		for (i = 0; r == 0 && i < d->n; i++)
			if (!d->tasks[i]->target.zombie)
				r = add_children(d, i, err);
		if (r == 0 && d->opts->cgroup)
			r = add_strangers(d, err);
	} while (r == 0 && d->n != seen);
	return r;
}

static void thaw(void *arg)
{
	struct dump *d = arg;

	(void)cgroup_freeze(d->opts->cgroup, false, timeout(d), NULL); /* nobody is there to tell */
}

/* Stops all at once, so that nothing forks away from the walk. */
static int freeze(struct dump *d, struct guard *guard, struct err *err)
{
	struct cgroup *cg = d->opts->cgroup;
	int r;

	d->was_frozen = cg && cgroup_frozen(cg);
	if (!cg || d->was_frozen)
		return 0;
	r = guard_start(thaw, d, guard, err);
	if (r < 0)
		return r;
	r = cgroup_freeze(cg, true, timeout(d), err);
	if (r < 0)
		guard_done(guard);
	return r;
}

int dump_stop_tree(struct dump *d, struct err *err)
{
	struct cgroup *cg = d->opts->cgroup;
	struct guard guard = {0};
	int r;

	r = freeze(d, &guard, err);
	if (r < 0)
		return r;
	r = fault("dump", "seize", err);
	if (r == 0)
		r = walk(d, err);
	if (r == 0)
		r = fault("dump", "thaw", err);
	/* ptrace holds them now; a frozen task could not run the calls that we ask of it. */
	if (cg && cgroup_freeze(cg, false, timeout(d), r < 0 ? NULL : err) < 0 && r == 0)
		r = err->code;
	guard_done(&guard);
	return r;
}

void dump_let_go(struct dump *d)
{
	struct err err = {0};
	size_t i;

	for (i = d->n; i > 0; i--)
		if (!d->tasks[i - 1]->target.zombie)
			target_put_back(&d->tasks[i - 1]->target);
	/* A stop by ptrace counts as frozen: they go from one into the other. */
	if (d->was_frozen && cgroup_freeze(d->opts->cgroup, true, timeout(d), &err) < 0)
		log_warn("the container runs, and was frozen before: %s", err.text);
	for (i = d->n; i > 0; i--)
		if (!d->tasks[i - 1]->target.zombie)
			target_detach(&d->tasks[i - 1]->target);
}

int dump_kill(struct dump *d, struct err *err)
{
	struct pollfd pfd;
	size_t i, k;
	int r, status;

	/* Children first: none of them may see its parent die (PR_SET_PDEATHSIG, EOF on pipes). */
	for (i = d->n; i > 0; i--) {
		struct target *t = &d->tasks[i - 1]->target;

		if (t->zombie)
			continue;
		(void)fault("dump", "kill", NULL); /* a signal cannot be refused here */
		r = sys_pidfd_send_signal(t->pidfd, SIGKILL, NULL);
		if (r < 0 && r != -ESRCH)
			return err_set(err, r, "cannot end process %d (%s)", t->pid, t->comm);
	}
	/* Half the way for large ones: they are freed from both ends. Without it they end alone. */
	for (i = d->n; i > 0; i--)
		if (!d->tasks[i - 1]->target.zombie)
			(void)sys_process_mrelease(d->tasks[i - 1]->target.pidfd);
	/* Children first again: the first process of a pid namespace ends behind all others. */
	for (i = d->n; i > 0; i--) {
		struct target *t = &d->tasks[i - 1]->target;

		if (t->zombie)
			continue;
		/* A tracee's death is reaped by its tracer, the leader's behind its threads'. */
		for (k = t->n_threads; k > 0; k--)
			if (thread_wait(t->threads[k - 1].tid, KILL_TIMEOUT_MS, &status, NULL) ==
				-ETIMEDOUT)
				break;
		pfd = (struct pollfd){.fd = t->pidfd, .events = POLLIN};
		if (poll(&pfd, 1, KILL_TIMEOUT_MS) == 0)
			return err_setx(
				err, -ETIMEDOUT, "process %d (%s) does not end", t->pid, t->comm);
	}
	return 0;
}
