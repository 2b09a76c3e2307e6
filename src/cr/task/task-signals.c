// SPDX-License-Identifier: Apache-2.0
/* Signal actions (asked for by a tape) and queued signals (PTRACE_PEEKSIGINFO), signal(7). */
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "cr/task/task-internal.h"

#define PEEK_BATCH   32
#define PENDING_MAX  65536
#define SIGINFO_SIZE 128

static int collect_actions(
	const struct tape *tape, Kist__Task *task, struct arena *a, struct err *err)
{
	struct kernel_sigaction sa;
	Kist__Sigaction *rec;
	int sig;

	for (sig = 1; sig <= KERNEL_SIGNALS; sig++) {
		memcpy(&sa, tape->data.data + (sig - 1) * sizeof(sa) * 2, sizeof(sa));
		if (!sa.handler && !sa.flags && !sa.mask)
			continue;
		rec = arena_alloc(a, sizeof(*rec));
		if (!rec)
			return err_oom(err);
		kist__sigaction__init(rec);
		rec->signal = sig;
		rec->handler = sa.handler;
		rec->flags = sa.flags;
		rec->restorer = sa.restorer;
		rec->mask = sa.mask;
		task->sigactions[task->n_sigactions++] = rec;
	}
	return 0;
}

int signals_dump(struct target *t, Kist__Task *task, struct arena *a, struct err *err)
{
	struct tape tape = {0};
	int sig, r;

	task->sigactions = arena_alloc(a, KERNEL_SIGNALS * sizeof(*task->sigactions));
	if (!task->sigactions)
		return err_oom(err);
	for (sig = 1; sig <= KERNEL_SIGNALS; sig++) /* 64 bytes apart: the tape's alignment */
		TAPE_ADD(&tape, "read a signal action", TAPE_STOP | TAPE_DATA(2), SYS_rt_sigaction,
			sig, 0, tape_data(&tape, NULL, sizeof(struct kernel_sigaction) * 2), 8);
	r = target_play(t, 0, &tape, err);
	if (r == 0)
		r = collect_actions(&tape, task, a, err);
	tape_done(&tape);
	return r;
}

int pending_dump(pid_t tid, bool shared, size_t *ret_n, ProtobufCBinaryData **ret, struct arena *a,
	struct err *err)
{
	char infos[PEEK_BATCH][SIGINFO_SIZE];
	struct __ptrace_peeksiginfo_args args = {
		.flags = shared ? PTRACE_PEEKSIGINFO_SHARED : 0,
		.nr = PEEK_BATCH,
	};
	autofree ProtobufCBinaryData *list = NULL;
	size_t n = 0, cap = 0;
	long got, i;

	for (;;) {
		args.off = n;
		got = ptrace(PTRACE_PEEKSIGINFO, tid, &args, infos);
		if (got < 0)
			return err_set(
				err, -errno, "cannot read the queued signals of thread %d", tid);
		if (got == 0)
			break;
		if (n + got > PENDING_MAX || array_reserve(&list, &cap, n + got, sizeof(*list)) < 0)
			return err_oom(err);
		for (i = 0; i < got; i++, n++) {
			list[n].len = SIGINFO_SIZE;
			list[n].data = arena_alloc(a, SIGINFO_SIZE);
			if (!list[n].data)
				return err_oom(err);
			memcpy(list[n].data, infos[i], SIGINFO_SIZE);
		}
	}
	*ret = arena_alloc(a, n * sizeof(*list));
	if (!*ret)
		return err_oom(err);
	if (n)
		memcpy(*ret, list, n * sizeof(*list));
	*ret_n = n;
	return 0;
}
