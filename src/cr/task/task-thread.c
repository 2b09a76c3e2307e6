// SPDX-License-Identifier: Apache-2.0
/* The threads of a task: registers, and what each only knows itself. */
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "cr/task/task-internal.h"
#include "sys/proc.h"
#include "sys/restart-block.h"

struct kernel_stack { /* stack_t */
	uint64_t sp;
	uint32_t flags, pad;
	uint64_t size;
};

/* Alternate stack, tid address, parent death signal, secure bits: asked for in the thread. */
static int ask_thread(struct target *t, size_t i, Kist__Thread *th, struct err *err)
{
	struct tape tape = {0};
	uint64_t stack_at = tape_data(&tape, NULL, 64), tid_at = tape_data(&tape, NULL, 64),
		 sig_at = tape_data(&tape, NULL, 64);
	struct kernel_stack stack;
	size_t bits, mce;
	int r;

	TAPE_ADD(&tape, "read the signal stack", TAPE_STOP | TAPE_DATA(1), SYS_sigaltstack, 0,
		stack_at);
	TAPE_ADD(
		&tape, "read the tid address", TAPE_DATA(1), SYS_prctl, PR_GET_TID_ADDRESS, tid_at);
	TAPE_ADD(&tape, "read the parent death signal", TAPE_STOP | TAPE_DATA(1), SYS_prctl,
		PR_GET_PDEATHSIG, sig_at);
	mce = TAPE_ADD(&tape, "read the memory error policy", 0, SYS_prctl, PR_MCE_KILL_GET);
	bits = TAPE_ADD(&tape, "read secure bits", TAPE_STOP, SYS_prctl, PR_GET_SECUREBITS);
	r = target_play(t, i, &tape, err);
	if (r == 0) {
		memcpy(&stack, tape.data.data + stack_at, sizeof(stack));
		th->altstack_sp = stack.sp;
		th->altstack_size = stack.size;
		th->altstack_flags = stack.flags;
		th->has_clear_tid = true;
		memcpy(&th->clear_tid, tape.data.data + tid_at, sizeof(th->clear_tid));
		th->has_pdeathsig = true;
		memcpy(&th->pdeathsig, tape.data.data + sig_at, sizeof(th->pdeathsig));
		th->has_mce_kill =
			tape.rows[mce].result >= 0 && tape.rows[mce].result != PR_MCE_KILL_DEFAULT;
		th->mce_kill = (uint32_t)tape.rows[mce].result;
		th->creds->securebits = (uint32_t)tape.rows[bits].result;
	}
	tape_done(&tape);
	return r;
}

static int read_outside(struct target *t, pid_t tid, Kist__Thread *th, struct err *err)
{
	struct __ptrace_rseq_configuration rseq = {0};
	uint64_t head = 0;
	size_t len = 0;

	if (syscall(SYS_get_robust_list, tid, &head, &len) < 0)
		return err_set(
			err, -errno, "cannot read the robust list of thread %d (%s)", tid, t->comm);
	th->has_robust_list = th->has_robust_len = head != 0;
	th->robust_list = head;
	th->robust_len = len;
	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tid, sizeof(rseq), &rseq) > 0 &&
		rseq.rseq_abi_pointer) {
		th->has_rseq = th->has_rseq_len = th->has_rseq_signature = true;
		th->rseq = rseq.rseq_abi_pointer;
		th->rseq_len = rseq.rseq_abi_size;
		th->rseq_signature = rseq.signature;
	}
	return 0;
}

static int read_comm(struct target *t, pid_t tid, Kist__Thread *th, struct arena *a)
{
	autobuf struct buf text = {0};
	char name[64];
	int r;

	snprintf(name, sizeof(name), "task/%d/comm", tid);
	r = proc_read(t->procfd, name, &text);
	if (r < 0)
		return r;
	if (text.len && text.data[text.len - 1] == '\n')
		text.data[text.len - 1] = '\0';
	th->comm = arena_strdup(a, buf_str(&text));
	return th->comm ? 0 : -ENOMEM;
}

static void fill_restart(const struct restart_info *info, Kist__Restart *ret)
{
	kist__restart__init(ret);
	ret->left_ns = restart_left_ns(info);
	ret->kind = info->kind == RESTART_POLL	  ? KIST__RESTART_KIND__POLL
		    : info->kind == RESTART_FUTEX ? KIST__RESTART_KIND__FUTEX
						  : KIST__RESTART_KIND__SLEEP;
	ret->clock = info->clock;
	ret->remainder = info->user_ptr;
}

static int dump_thread(
	struct target *t, size_t i, Kist__Thread *th, struct arena *a, struct err *err)
{
	struct target_thread *from = &t->threads[i];
	int r;

	th->tid = from->vtid;
	th->gp = (ProtobufCBinaryData){sizeof(from->regs.gp), (uint8_t *)&from->regs.gp};
	th->xstate =
		(ProtobufCBinaryData){from->regs.xstate.len, (uint8_t *)from->regs.xstate.data};
	th->sigmask = from->sigmask;
	if (from->sleep) {
		th->restart = arena_alloc(a, sizeof(*th->restart));
		if (!th->restart)
			return err_oom(err);
		fill_restart(from->sleep, th->restart);
	}
	th->creds = arena_alloc(a, sizeof(*th->creds));
	th->sched = arena_alloc(a, sizeof(*th->sched));
	if (!th->creds || !th->sched)
		return err_oom(err);
	kist__creds__init(th->creds);
	kist__sched__init(th->sched);
	r = read_comm(t, from->tid, th, a);
	if (r < 0)
		return err_set(err, r, "cannot read the name of thread %d", from->tid);
	r = pending_dump(from->tid, false, &th->n_pending, &th->pending, a, err);
	if (r == 0)
		r = creds_read(t, from->tid, th->creds, a, err);
	if (r == 0)
		r = ask_thread(t, i, th, err);
	if (r == 0)
		r = read_outside(t, from->tid, th, err);
	if (r == 0)
		r = seccomp_read(t, from->tid, &th->seccomp, a, err);
	if (r == 0)
		r = sched_read(t, from->tid, th->sched, a, err);
	return r;
}

int threads_dump(struct target *t, Kist__Task *task, struct arena *a, struct err *err)
{
	Kist__Thread *th;
	size_t i;
	int r = 0;

	task->threads = arena_alloc(a, t->n_threads * sizeof(*task->threads));
	if (!task->threads)
		return err_oom(err);
	for (i = 0; r == 0 && i < t->n_threads; i++) {
		th = arena_alloc(a, sizeof(*th));
		if (!th)
			return err_oom(err);
		kist__thread__init(th);
		task->threads[task->n_threads++] = th;
		r = dump_thread(t, i, th, a, err);
	}
	return r;
}
