// SPDX-License-Identifier: Apache-2.0
/* The rows that make a task's and its threads' own state again; see task.h. */
#include <inttypes.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include "base/util.h"
#include "cr/task/task-internal.h"

#define ROW_BYTES    sizeof(struct tape_row)
#define SIGINFO_SIZE 128
#define FILTER_MAX   (4096 * 8)
#define RSEQ_LEN_MAX 4096
#define XSTATE_BV    512 /* behind the legacy area: which states are not as after a reset */
#define THREADS_MAX  (1u << 20)

static int wrong(const Kist__Task *task, const char *what, struct err *err)
{
	return err_setx(err, -EBADMSG, "image: %s of task %u is wrong", what, task->id);
}

static bool pending_ok(size_t n, const ProtobufCBinaryData *p)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i].len != SIGINFO_SIZE)
			return false;
	return true;
}

/* PTRACE_SETREGSET refuses state that the processor has not, but only when all is built. */
static int check_xstate(const Kist__Task *task, const Kist__Thread *th, struct err *err)
{
	uint64_t in_use, missing;

	if (!th->xstate.len)
		return 0;
	if (th->xstate.len < XSTATE_BV + sizeof(in_use))
		return wrong(task, "a thread's extended state", err);
	memcpy(&in_use, th->xstate.data + XSTATE_BV, sizeof(in_use));
	missing = in_use & ~thread_xfeatures();
	if (!missing)
		return 0;
	err_setx(err, -ENOTSUP,
		"process %u (%s) uses registers that this processor does not have "
		"(xsave features %#" PRIx64 ")",
		task->pid, task->comm, missing);
	return err_hint(err, "restore it on a processor with the features of the one it ran on");
}

static int check_thread(const Kist__Task *task, const Kist__Thread *th, struct err *err)
{
	size_t i;

	if (th->gp.len != sizeof(struct user_regs_struct) || th->xstate.len > (64u << 10) ||
		th->tid == 0 || th->rseq_len > RSEQ_LEN_MAX)
		return wrong(task, "a thread", err);
	if (!pending_ok(th->n_pending, th->pending))
		return wrong(task, "a queued signal", err);
	for (i = 0; th->seccomp && i < th->seccomp->n_filters; i++)
		if (th->seccomp->filters[i]->program.len % 8 ||
			th->seccomp->filters[i]->program.len > FILTER_MAX)
			return wrong(task, "a seccomp filter", err);
	return check_xstate(task, th, err);
}

int task_check(const Kist__Task *task, struct err *err)
{
	size_t i;
	int r = 0;

	if (!task->id || !task->pid || task->pid > INT32_MAX || strlen(task->comm) > 63)
		return wrong(task, "the pid or name", err);
	if (task->state == KIST__TASK_STATE__ZOMBIE)
		return 0;
	if (!task->n_threads || task->n_threads > THREADS_MAX || task->threads[0]->tid != task->pid)
		return wrong(task, "the list of threads", err);
	if (!pending_ok(task->n_pending, task->pending))
		return wrong(task, "a queued signal", err);
	for (i = 0; i < task->n_sigactions; i++)
		if (task->sigactions[i]->signal < 1 || task->sigactions[i]->signal > KERNEL_SIGNALS)
			return wrong(task, "a signal action", err);
	for (i = 0; r == 0 && i < task->n_threads; i++)
		r = check_thread(task, task->threads[i], err);
	return r;
}

static size_t thread_size(const Kist__Thread *th)
{
	size_t n = 80 * ROW_BYTES + 4096, i; /* credentials: up to 41 + 41 + 10 rows */

	n += th->n_pending * (SIGINFO_SIZE + ROW_BYTES) + th->creds->n_groups * 4 + 41 * ROW_BYTES;
	for (i = 0; th->seccomp && i < th->seccomp->n_filters; i++)
		n += th->seccomp->filters[i]->program.len + 256 + ROW_BYTES;
	return n;
}

size_t task_tape_size(const Kist__Task *task)
{
	size_t n = 100 * (ROW_BYTES + 64) + 8192, i;

	n += task->n_pending * (SIGINFO_SIZE + ROW_BYTES) + task->n_rlimits * (ROW_BYTES + 64);
	for (i = 0; i < task->n_timers; i++)
		n += (4 + 2 * (size_t)task->timers[i]->id) * ROW_BYTES + 256;
	for (i = 0; i < task->n_threads; i++)
		n += thread_size(task->threads[i]) + 512;
	return n;
}

static bool has_stop(size_t n, const ProtobufCBinaryData *p)
{
	uint32_t sig = 0;
	size_t i;

	for (i = 0; sig != SIGSTOP && i < n; i++)
		memcpy(&sig, p[i].data, sizeof(sig));
	return sig == SIGSTOP;
}

bool task_stops(const Kist__Task *task)
{
	bool stops = task->state == KIST__TASK_STATE__STOPPED;
	size_t i;

	stops |= has_stop(task->n_pending, task->pending);
	for (i = 0; i < task->n_threads; i++)
		stops |= has_stop(task->threads[i]->n_pending, task->threads[i]->pending);
	return stops;
}

static void add_pending(
	struct tape *t, size_t n, const ProtobufCBinaryData *p, pid_t pid, pid_t tid)
{
	uint32_t sig;
	uint64_t at;
	size_t i;

	for (i = 0; i < n; i++) {
		memcpy(&sig, p[i].data, sizeof(sig));
		if (sig == SIGSTOP)
			continue; /* would stop the tape: task_stops */
		at = tape_data(t, p[i].data, p[i].len);
		if (tid)
			TAPE_ADD(t, "queue a signal", TAPE_STOP | TAPE_DATA(3),
				SYS_rt_tgsigqueueinfo, pid, tid, sig, at);
		else
			TAPE_ADD(t, "queue a signal", TAPE_STOP | TAPE_DATA(2), SYS_rt_sigqueueinfo,
				pid, sig, at);
	}
}

/* What a thread says of itself; the leader too. */
static void add_self(struct tape *t, const Kist__Task *task, const Kist__Thread *th)
{
	struct {
		uint64_t sp;
		uint32_t flags, pad;
		uint64_t size;
	} stack = {th->altstack_sp, th->altstack_flags & ~1u /* SS_ONSTACK is an answer */, 0,
		th->altstack_size};

	TAPE_ADD(t, "set the signal stack", TAPE_STOP | TAPE_DATA(0), SYS_sigaltstack,
		tape_data(t, &stack, sizeof(stack)), 0);
	if (th->has_robust_list && th->robust_list)
		TAPE_ADD(t, "set the robust list", TAPE_STOP, SYS_set_robust_list, th->robust_list,
			th->robust_len);
	TAPE_ADD(t, "set the tid address", 0, SYS_set_tid_address, th->clear_tid);
	if (th->has_rseq && th->rseq)
		TAPE_ADD(t, "register rseq", TAPE_STOP, SYS_rseq, th->rseq, th->rseq_len, 0,
			th->rseq_signature);
	TAPE_ADD(t, "set the name", TAPE_STOP | TAPE_DATA(1), SYS_prctl, PR_SET_NAME,
		tape_data(t, th->comm, strlen(th->comm) + 1));
	if (th->has_mce_kill)
		TAPE_ADD(t, "set the memory error policy", TAPE_STOP, SYS_prctl, PR_MCE_KILL,
			PR_MCE_KILL_SET, th->mce_kill);
	add_pending(t, th->n_pending, th->pending, task->pid, th->tid);
}

int task_tape_thread(struct tape *t, const Kist__Task *task, size_t i, struct err *err)
{
	const Kist__Thread *th = task->threads[i];

	add_self(t, task, th);
	seccomp_tape(t, th->seccomp, seccomp_shared(task));
	creds_tape(t, th->creds);
	if (th->pdeathsig) /* a change of credentials clears it: behind them */
		TAPE_ADD(t, "set the parent death signal", TAPE_STOP, SYS_prctl, PR_SET_PDEATHSIG,
			th->pdeathsig);
	return t->failed ? err_oom(err) : 0;
}

/*
 * clone3(2) at the thread's tid. Its stack is a slot of the tape's data that holds the address of
 * its own tape, which the player pops.
 */
static void add_clone(struct tape *t, const Kist__Thread *th, uint64_t tape)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			 CLONE_SYSVSEM,
		.stack_size = 64,
		.set_tid_size = 1,
	};
	uint64_t slot = tape_data(t, NULL, 128), at, tid_at;
	uint32_t tid = th->tid;

	if (t->failed)
		return;
	memcpy(t->data.data + slot + 64, &tape, sizeof(tape));
	tid_at = tape_data(t, &tid, sizeof(tid));
	at = tape_data(t, &args, sizeof(args));
	tape_data_pointer(t, at + offsetof(struct clone_args, stack), slot);
	tape_data_pointer(t, at + offsetof(struct clone_args, set_tid), tid_at);
	TAPE_ADD(t, "make a thread", TAPE_STOP | TAPE_CLONE | TAPE_DATA(0), SYS_clone3, at,
		sizeof(args));
	tape_expect(t, tid);
}

static void add_actions(struct tape *t, const Kist__Task *task)
{
	struct kernel_sigaction sa, dfl = {0};
	uint64_t dfl_at = tape_data(t, &dfl, sizeof(dfl));
	const Kist__Sigaction *by_sig[KERNEL_SIGNALS + 1] = {0};
	uint32_t sig;
	size_t i;

	for (i = 0; i < task->n_sigactions; i++)
		by_sig[task->sigactions[i]->signal] = task->sigactions[i];
	for (sig = 1; sig <= KERNEL_SIGNALS; sig++) {
		if (sig == SIGKILL || sig == SIGSTOP)
			continue;
		if (by_sig[sig])
			sa = (struct kernel_sigaction){by_sig[sig]->handler, by_sig[sig]->flags,
				by_sig[sig]->restorer, by_sig[sig]->mask};
		TAPE_ADD(t, "set a signal action", TAPE_STOP | TAPE_DATA(1), SYS_rt_sigaction, sig,
			by_sig[sig] ? tape_data(t, &sa, sizeof(sa)) : dfl_at, 0, 8);
	}
}

int task_tape_leader(
	struct tape *t, const Kist__Task *task, const uint64_t *thread_tapes, struct err *err)
{
	const Kist__Thread *self = task->threads[0];
	struct {
		uint64_t soft, hard;
	} lim;
	size_t i;

	add_actions(t, task);
	if (task->has_personality)
		TAPE_ADD(t, "set the personality", 0, SYS_personality, task->personality);
	if (task->subreaper)
		TAPE_ADD(t, "set subreaper", TAPE_STOP, SYS_prctl, PR_SET_CHILD_SUBREAPER, 1);
	for (i = 0; i < 32; i++) /* each registration is a bit and a command */
		if (task->membarrier & 1u << i)
			TAPE_ADD(t, "register for membarrier", TAPE_STOP, SYS_membarrier, 1u << i,
				0, 0);
	if (task->thp_disable)
		TAPE_ADD(t, "set thp_disable", TAPE_STOP, SYS_prctl, PR_SET_THP_DISABLE, 1);
	if (self->creds->no_new_privs)
		TAPE_ADD(t, "no_new_privs", TAPE_STOP, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1);
	seccomp_tape_shared(t, self->seccomp, seccomp_shared(task));
	for (i = 1; i < task->n_threads; i++)
		add_clone(t, task->threads[i], thread_tapes[i]);
	timers_tape(t, task);
	for (i = 0; i < task->n_rlimits; i++) {
		lim.soft = task->rlimits[i]->soft;
		lim.hard = task->rlimits[i]->hard;
		TAPE_ADD(t, "set a resource limit", TAPE_STOP | TAPE_DATA(2), SYS_prlimit64, 0,
			task->rlimits[i]->resource, tape_data(t, &lim, sizeof(lim)), 0);
	}
	add_pending(t, task->n_pending, task->pending, task->pid, 0);
	add_self(t, task, self);
	seccomp_tape(t, self->seccomp, seccomp_shared(task));
	creds_tape(t, self->creds);
	if (task->has_dumpable && task->dumpable <= 1) /* a change of credentials clears it */
		TAPE_ADD(t, "set dumpable", TAPE_STOP, SYS_prctl, PR_SET_DUMPABLE, task->dumpable);
	/* Kist's own, which ended the task with its parent until now, goes in any case. */
	TAPE_ADD(t, "set the parent death signal", TAPE_STOP, SYS_prctl, PR_SET_PDEATHSIG,
		self->pdeathsig);
	return t->failed ? err_oom(err) : 0;
}
