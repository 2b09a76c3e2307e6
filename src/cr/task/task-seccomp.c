// SPDX-License-Identifier: Apache-2.0
/* Seccomp filters of a thread, read by ptrace(2) PTRACE_SECCOMP_GET_FILTER, seccomp(2). */
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "cr/task/task-internal.h"
#include "sys/proc.h"

#define FILTERS_MAX		256
#define PTRACE_SECCOMP_METADATA 0x420d /* PTRACE_SECCOMP_GET_METADATA */

static int read_filter(struct target *t, pid_t tid, unsigned int index, Kist__Seccomp__Filter *f,
	struct arena *a, struct err *err)
{
	struct {
		uint64_t filter_off, flags;
	} meta = {.filter_off = index};
	long len = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, index, NULL);

	if (len < 0)
		return err_set(err, -errno, "cannot read the seccomp filter of thread %d (%s)", tid,
			t->comm);
	f->program.len = len * sizeof(struct sock_filter);
	f->program.data = arena_alloc(a, f->program.len);
	if (!f->program.data)
		return err_oom(err);
	if (ptrace(PTRACE_SECCOMP_GET_FILTER, tid, index, f->program.data) < 0)
		return err_set(err, -errno, "cannot read the seccomp filter of thread %d (%s)", tid,
			t->comm);
	if (ptrace(PTRACE_SECCOMP_METADATA, tid, sizeof(meta), &meta) > 0 && meta.flags) {
		f->has_flags = true;
		f->flags = (uint32_t)meta.flags;
	}
	return 0;
}

int seccomp_read(struct target *t, pid_t tid, Kist__Seccomp **ret, struct arena *a, struct err *err)
{
	autobuf struct buf text = {0};
	uint64_t mode = 0, n = 0, i;
	Kist__Seccomp *s;
	char name[64];
	int r;

	snprintf(name, sizeof(name), "task/%d/status", tid);
	r = proc_read(t->procfd, name, &text);
	if (r < 0)
		return err_set(err, r, "cannot read the state of thread %d (%s)", tid, t->comm);
	(void)proc_field_u64(buf_str(&text), text.len, "Seccomp", 10, &mode); /* 0: not built in */
	(void)proc_field_u64(buf_str(&text), text.len, "Seccomp_filters", 10, &n);
	if (!mode)
		return 0;
	if (n > FILTERS_MAX)
		return err_setx(err, -E2BIG, "thread %d (%s) has %llu seccomp filters, at most %d",
			tid, t->comm, (unsigned long long)n, FILTERS_MAX);
	s = arena_alloc(a, sizeof(*s));
	if (!s)
		return err_oom(err);
	kist__seccomp__init(s);
	s->mode = mode;
	s->filters = arena_alloc(a, (n + 1) * sizeof(*s->filters));
	if (!s->filters)
		return err_oom(err);
	for (i = 0; r == 0 && i < n; i++) { /* the kernel's index 0 is the last installed one */
		Kist__Seccomp__Filter *f = arena_alloc(a, sizeof(*f));

		if (!f)
			return err_oom(err);
		kist__seccomp__filter__init(f);
		s->filters[s->n_filters++] = f;
		r = read_filter(t, tid, (unsigned int)(n - 1 - i), f, a, err);
	}
	if (r == 0)
		*ret = s;
	return r;
}

static void add_filter(struct tape *t, const Kist__Seccomp__Filter *f)
{
	struct sock_fprog prog = {.len = f->program.len / sizeof(struct sock_filter)};
	uint64_t code = tape_data(t, f->program.data, f->program.len);
	uint64_t at = tape_data(t, &prog, sizeof(prog));

	tape_data_pointer(t, at + offsetof(struct sock_fprog, filter), code);
	TAPE_ADD(t, "seccomp filter", TAPE_STOP | TAPE_DATA(2), SYS_seccomp,
		SECCOMP_SET_MODE_FILTER, f->flags, at);
}

void seccomp_tape_shared(struct tape *t, const Kist__Seccomp *s, size_t shared)
{
	size_t i;

	for (i = 0; i < shared; i++)
		add_filter(t, s->filters[i]);
}

void seccomp_tape(struct tape *t, const Kist__Seccomp *s, size_t shared)
{
	size_t i;

	if (!s)
		return;
	if (s->mode == SECCOMP_MODE_STRICT)
		TAPE_ADD(
			t, "strict seccomp", TAPE_STOP, SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0);
	for (i = shared; i < s->n_filters; i++)
		add_filter(t, s->filters[i]);
}

static bool same(const Kist__Seccomp__Filter *a, const Kist__Seccomp__Filter *b)
{
	return a->flags == b->flags && a->program.len == b->program.len &&
	       memcmp(a->program.data, b->program.data, a->program.len) == 0;
}

size_t seccomp_shared(const Kist__Task *task)
{
	const Kist__Seccomp *first = task->threads[0]->seccomp, *s;
	size_t n = first ? first->n_filters : 0, i, k;

	for (i = 1; n && i < task->n_threads; i++) {
		s = task->threads[i]->seccomp;
		for (k = 0; s && k < MIN(n, s->n_filters); k++)
			if (!same(first->filters[k], s->filters[k]))
				break;
		n = s ? k : 0;
	}
	return n;
}
