// SPDX-License-Identifier: Apache-2.0
/* A Task record from a stopped process; see task.h. */
#include "cr/task/task.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/parse.h"
#include "base/util.h"
#include "cr/task/task-internal.h"
#include "sys/proc.h"

int task_read_ids(struct target *t, struct task_ids *ret, struct err *err)
{
	autobuf struct buf text = {0}, stat = {0};
	struct task_ids ids = {0};
	struct proc_stat st;
	pid_t pids[PROC_NS_MAX];
	const char *s;
	int r;

	r = proc_read(t->procfd, "status", &text);
	if (r == 0)
		r = proc_read(t->procfd, "stat", &stat);
	s = buf_str(&text);
	if (r == 0)
		r = proc_parse_stat(buf_str(&stat), stat.len, &st);
	if (r == 0)
		r = proc_ns_ids(s, text.len, "NSpid", pids);
	if (r > 0) {
		ids.ns_depth = (size_t)r;
		ids.pid = pids[r - 1];
		r = proc_inner_id(s, text.len, "NSpgid", &ids.pgid);
	}
	if (r == 0)
		r = proc_inner_id(s, text.len, "NSsid", &ids.sid);
	if (r < 0)
		return err_set(err, r, "cannot read the ids of process %d (%s)", t->pid, t->comm);
	ids.ppid = st.ppid;
	ids.exit_code = st.exit_code;
	ids.exit_signal = st.exit_signal;
	*ret = ids;
	return 0;
}

/* Files of one number below /proc/PID. */
static int read_number(struct target *t, const char *name, int base, int64_t *ret)
{
	autobuf struct buf text = {0};
	int r = proc_read(t->procfd, name, &text);
	char *end;

	if (r < 0)
		return r;
	errno = 0;
	*ret = strtoll(buf_str(&text), &end, base);
	return end == buf_str(&text) ? -EINVAL : 0;
}

static int read_outside(struct target *t, Kist__Task *task, struct err *err)
{
	autobuf struct buf text = {0};
	int64_t personality = 0, adj = 0;
	uint64_t mask;
	int r;

	r = read_number(t, "personality", 16, &personality);
	if (r == 0)
		r = read_number(t, "oom_score_adj", 10, &adj);
	if (r == 0)
		r = proc_read(t->procfd, "status", &text);
	if (r == 0)
		r = proc_field_u64(buf_str(&text), text.len, "Umask", 8, &mask);
	if (r < 0)
		return err_set(err, r, "cannot read the state of process %d (%s)", t->pid, t->comm);
	task->has_personality = task->has_oom_score_adj = task->has_umask = true;
	task->personality = (uint32_t)personality;
	task->oom_score_adj = (int32_t)adj;
	task->umask = (uint32_t)mask;
	return 0;
}

static int ask_process(struct target *t, Kist__Task *task, struct err *err)
{
	struct tape tape = {0};
	uint64_t reaper_at = tape_data(&tape, NULL, 64);
	size_t dumpable, thp, barriers;
	int32_t reaper;
	int r;

	dumpable = TAPE_ADD(&tape, "read dumpable", TAPE_STOP, SYS_prctl, PR_GET_DUMPABLE);
	thp = TAPE_ADD(&tape, "read thp_disable", 0, SYS_prctl, PR_GET_THP_DISABLE);
	barriers = TAPE_ADD(&tape, "read membarrier", 0, SYS_membarrier,
		MEMBARRIER_CMD_GET_REGISTRATIONS, 0, 0);
	TAPE_ADD(&tape, "read subreaper", TAPE_STOP | TAPE_DATA(1), SYS_prctl,
		PR_GET_CHILD_SUBREAPER, reaper_at);
	r = target_play(t, 0, &tape, err);
	if (r == 0) {
		memcpy(&reaper, tape.data.data + reaper_at, sizeof(reaper));
		task->has_dumpable = task->has_subreaper = task->has_thp_disable = true;
		task->dumpable = (uint32_t)tape.rows[dumpable].result;
		task->thp_disable = tape.rows[thp].result > 0;
		task->subreaper = reaper;
		task->has_membarrier = (int64_t)tape.rows[barriers].result > 0; /* since 6.3 */
		task->membarrier = (uint32_t)tape.rows[barriers].result;
	}
	tape_done(&tape);
	return r;
}

static int fill_alive(struct target *t, Kist__Task *task, struct arena *a, struct err *err)
{
	int r;

	r = read_outside(t, task, err);
	if (r == 0)
		r = limits_read(t, task, a, err);
	if (r == 0)
		r = pending_dump(t->threads[0].tid, true, &task->n_pending, &task->pending, a, err);
	if (r == 0)
		r = signals_dump(t, task, a, err);
	if (r == 0)
		r = timers_dump(t, task, a, err);
	if (r == 0)
		r = ask_process(t, task, err);
	if (r == 0)
		r = threads_dump(t, task, a, err);
	return r;
}

int task_dump(struct image_writer *w, struct target *t, const struct task_ids *ids,
	const struct task_links *links, struct err *err)
{
	Kist__Task task = KIST__TASK__INIT;
	struct arena a = {0};
	int r = 0;

	task.id = t->id;
	task.has_parent = t->parent != 0;
	task.parent = t->parent;
	task.pid = ids->pid;
	task.pgid = ids->pgid;
	task.sid = ids->sid;
	task.comm = t->comm;
	task.has_exit_signal = true;
	task.exit_signal = ids->exit_signal;
	task.state = t->zombie	  ? KIST__TASK_STATE__ZOMBIE
		     : t->stopped ? KIST__TASK_STATE__STOPPED
				  : KIST__TASK_STATE__ALIVE;
	task.has_exit_code = t->zombie;
	task.exit_code = ids->exit_code;
	if (!t->zombie) {
		task.has_mm = task.has_cwd = task.has_root = true;
		task.mm = links->mm;
		task.cwd = links->cwd;
		task.root = links->root;
		r = fill_alive(t, &task, &a, err);
	}
	if (r == 0)
		r = image_put(w, RECORD_TASK, &task.base, err);
	arena_done(&a);
	return r;
}
