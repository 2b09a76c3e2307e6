// SPDX-License-Identifier: Apache-2.0
/* What is refused of a Task record before anything of it is used. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/user.h>

#include <cmocka.h>

#include "cr/task/task.h"

struct example {
	Kist__Task task;
	Kist__Thread thread, *threads[1];
	Kist__Creds creds;
	Kist__Sched sched;
	uint8_t gp[sizeof(struct user_regs_struct)], xstate[832];
};

static void make(struct example *e)
{
	*e = (struct example){.task = KIST__TASK__INIT,
		.thread = KIST__THREAD__INIT,
		.creds = KIST__CREDS__INIT,
		.sched = KIST__SCHED__INIT};
	e->threads[0] = &e->thread;
	e->task.id = 1;
	e->task.pid = e->thread.tid = 17;
	e->task.comm = e->thread.comm = (char *)"sh";
	e->task.n_threads = 1;
	e->task.threads = e->threads;
	e->thread.creds = &e->creds;
	e->thread.sched = &e->sched;
	e->thread.gp = (ProtobufCBinaryData){sizeof(e->gp), e->gp};
	e->thread.xstate = (ProtobufCBinaryData){sizeof(e->xstate), e->xstate};
}

static void test_right(void **state)
{
	struct example e;
	struct err err = {0};

	make(&e);
	assert_int_equal(task_check(&e.task, &err), 0);
	e.xstate[512] = 3; /* x87 and SSE: every processor has them */
	assert_int_equal(task_check(&e.task, &err), 0);
}

static void test_processor(void **state)
{
	struct example e;
	struct err err = {0};

	make(&e);
	e.xstate[512 + 7] = 0x40; /* bit 62: no processor has it */
	assert_int_equal(task_check(&e.task, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "process 17 (sh)"));
	assert_non_null(strstr(err.text, "0x4000000000000000"));
	assert_true(err.hint[0]);
}

static void test_wrong(void **state)
{
	struct example e;
	struct err err = {0};

	make(&e);
	e.thread.xstate.len = 512;
	assert_int_equal(task_check(&e.task, &err), -EBADMSG);
	make(&e);
	e.thread.gp.len--;
	assert_int_equal(task_check(&e.task, &err), -EBADMSG);
	make(&e);
	e.thread.tid = 18; /* the first thread is the leader */
	assert_int_equal(task_check(&e.task, &err), -EBADMSG);
	make(&e);
	e.task.n_threads = 0;
	assert_int_equal(task_check(&e.task, &err), -EBADMSG);
	make(&e);
	e.task.pid = e.thread.tid = 0x80000000;
	assert_int_equal(task_check(&e.task, &err), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_processor),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
