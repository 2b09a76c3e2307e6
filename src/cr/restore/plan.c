// SPDX-License-Identifier: Apache-2.0
/*
 * Who forks whom. A child is born into its maker's session, so a task is made while its maker is in
 * the right one: before or after the maker's own setsid(2), by its session's leader as a sibling,
 * or by a helper that plays the dead leader for a moment.
 */
#include "base/util.h"
#include "cr/restore/restore-internal.h"

#define TASKS_MAX (1u << 20)
#define NONE	  SIZE_MAX

static int wrong(const Kist__Task *rec, const char *what, struct err *err)
{
	return err_setx(err, -EBADMSG, "image: task %u (%s): %s", rec->id, rec->comm, what);
}

static size_t by_pid(const struct restore *r, pid_t pid)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->tasks[i].pid == pid)
			return i;
	return NONE;
}

static const Kist__Mm *find_mm(const struct restore *r, uint32_t id)
{
	size_t i, n = image_count(r->img, RECORD_MM);

	for (i = 0; i < n; i++) {
		const Kist__Mm *mm = (const Kist__Mm *)image_get(r->img, RECORD_MM, i);

		if (mm->id == id)
			return mm;
	}
	return NULL;
}

/* Records stand in the order of their ids, parents first. */
static int load_task(struct restore *r, size_t i, struct err *err)
{
	const Kist__Task *rec = (const Kist__Task *)image_get(r->img, RECORD_TASK, i);
	struct plan_task *t = &r->tasks[i];
	int e;

	e = task_check(rec, err);
	if (e < 0)
		return e;
	if (rec->id != i + 1 || (i ? rec->parent < 1 || rec->parent > i : rec->parent != 0))
		return wrong(rec, "its id or parent is wrong", err);
	if (by_pid(r, rec->pid) != NONE)
		return wrong(rec, "its pid stands twice", err);
	t->rec = rec;
	t->pid = rec->pid;
	t->pgid = rec->pgid;
	t->sid = rec->sid;
	t->first_thread = r->n_threads;
	r->n_threads += rec->n_threads;
	r->n++;
	if (rec->state == KIST__TASK_STATE__ZOMBIE)
		return 0;
	t->mm = find_mm(r, rec->mm);
	if (!t->mm)
		return wrong(rec, "its memory is missing", err);
	return mm_check(r->img, t->mm, err);
}

/*
 * The root's session or group may be led by somebody outside (a shell): a new one is made, led by
 * the root.
 */
static void adopt_outside(struct restore *r)
{
	pid_t sid = r->tasks[0].sid, pgid = r->tasks[0].pgid, root = r->tasks[0].pid;
	bool sid_out = by_pid(r, sid) == NONE, pgid_out = by_pid(r, pgid) == NONE;
	size_t i;

	/* Id 0 is a leader outside the pid namespace: of a process that was brought in by exec. */
	for (i = 1; i < r->n; i++) {
		struct plan_task *t = &r->tasks[i], *p = &r->tasks[t->rec->parent - 1];

		if (t->sid == 0 && sid != 0)
			t->sid = p->rec->sid == 0 ? p->sid : t->pid;
		if (t->pgid == 0 && pgid != 0)
			t->pgid = t->sid;
	}
	for (i = 0; i < r->n; i++) {
		if (sid_out && r->tasks[i].sid == sid)
			r->tasks[i].sid = root;
		if (pgid_out && r->tasks[i].pgid == pgid)
			r->tasks[i].pgid = root;
	}
}

static size_t add_helper(struct restore *r, pid_t pid, pid_t sid, size_t maker)
{
	struct plan_task *t = &r->tasks[r->n];

	*t = (struct plan_task){.pid = pid,
		.pgid = pid,
		.sid = sid,
		.maker = maker,
		.phase = FORK_AFTER_SETSID,
		.first_thread = r->n_threads};
	return r->n++;
}

static int plan_maker(struct restore *r, size_t i, struct err *err)
{
	struct plan_task *t = &r->tasks[i], *p;
	size_t parent = t->rec->parent - 1, leader;

	p = &r->tasks[parent];
	t->maker = parent;
	t->phase = FORK_AFTER_SETSID;
	if (t->sid == t->pid || t->sid == p->sid)
		return 0;
	/* The session that the parent was born in: its own maker's at that time. */
	if (p->sid == p->pid && parent && r->tasks[p->maker].sid == t->sid &&
		p->phase == FORK_AFTER_SETSID) {
		t->phase = FORK_BEFORE_SETSID;
		return 0;
	}
	leader = by_pid(r, t->sid);
	if (leader == NONE)
		leader = add_helper(r, t->sid, t->sid, parent);
	p = &r->tasks[leader];
	if ((p->rec ? p->rec->parent - 1 : p->maker) != parent || p->sid != p->pid)
		return wrong(t->rec, "how it came into its session cannot be told", err);
	t->maker = leader;
	t->phase = FORK_SIBLING;
	return 0;
}

/* A group needs a leader for a moment; a member of it forks one when it is dead. */
static int plan_group(struct restore *r, size_t i, struct err *err)
{
	struct plan_task *t = &r->tasks[i];
	size_t leader = by_pid(r, t->pgid);

	if (leader == NONE)
		leader = add_helper(r, t->pgid, t->sid, i);
	if (r->tasks[leader].sid != t->sid)
		return wrong(t->rec, "its process group is in another session", err);
	return 0;
}

int plan_tasks(struct restore *r, struct err *err)
{
	size_t n = image_count(r->img, RECORD_TASK), i;
	int e = 0;

	if (!n || n > TASKS_MAX)
		return err_setx(err, -EBADMSG, "image: %zu tasks", n);
	r->tasks = calloc(n * 3, sizeof(*r->tasks)); /* helpers: a session and a group each */
	if (!r->tasks)
		return err_oom(err);
	for (i = 0; e == 0 && i < n; i++)
		e = load_task(r, i, err);
	if (e < 0)
		return e;
	r->n_records = n;
	if (r->tasks[0].rec->state == KIST__TASK_STATE__ZOMBIE)
		return wrong(r->tasks[0].rec, "the root is a zombie", err);
	adopt_outside(r);
	for (i = 1; e == 0 && i < n; i++)
		e = plan_maker(r, i, err);
	for (i = 0; e == 0 && i < n; i++)
		e = plan_group(r, i, err);
	return e;
}
