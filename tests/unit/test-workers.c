// SPDX-License-Identifier: Apache-2.0
/* Jobs done by several threads: all of them, once, and the first failure is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/workers.h"

#define JOBS 1000

struct sums {
	atomic_uint done[JOBS];
	atomic_uint by[WORKERS_MAX]; /* jobs of each thread */
	pthread_t caller;
	unsigned int bad; /* the job that fails */
	atomic_uint wrong_thread, open_signals;
};

static int job(void *arg, unsigned int worker, const void *data, struct err *err)
{
	struct sums *s = arg;
	unsigned int n;
	sigset_t now;

	memcpy(&n, data, sizeof(n));
	s->wrong_thread += (worker == 0) != (pthread_equal(pthread_self(), s->caller) != 0);
	if (worker != 0 && pthread_sigmask(SIG_BLOCK, NULL, &now) == 0)
		s->open_signals += !sigismember(&now, SIGCHLD);
	if (n == s->bad)
		return err_setx(err, -EILSEQ, "job %u is bad", n);
	s->done[n]++;
	s->by[worker]++;
	if (n % 100 == 0)
		usleep(1000); /* others overtake */
	return 0;
}

static int run(struct sums *s, uint64_t patience, struct err *err)
{
	struct workers *w;
	unsigned int i;
	int r = 0;

	s->caller = pthread_self();
	assert_int_equal(workers_new(sizeof(i), patience, job, s, &w, err), 0);
	assert_int_equal(workers_wait(w, err), 0); /* nothing to do */
	for (i = 0; r == 0 && i < JOBS; i++) {
		r = workers_add(w, &i, 1, err);
		if (r == 0 && i == JOBS / 2) /* can go on after a wait */
			r = workers_wait(w, err);
	}
	if (r == 0)
		r = workers_wait(w, err);
	workers_free(w);
	return r;
}

static void all_are_done(void **state)
{
	struct sums s = {.bad = JOBS};
	struct err err = {0};
	unsigned int i, others = 0;
	cpu_set_t cpus;

	assert_int_equal(run(&s, 10, &err), 0);
	for (i = 0; i < JOBS; i++)
		assert_int_equal(s.done[i], 1);
	for (i = 1; i < WORKERS_MAX; i++)
		others += s.by[i];
	assert_int_equal(s.wrong_thread, 0);
	assert_int_equal(s.open_signals, 0);
	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	assert_true(others > 0 || CPU_COUNT(&cpus) == 1);
}

static void little_is_done_by_the_caller(void **state)
{
	struct sums s = {.bad = JOBS};
	struct err err = {0};

	assert_int_equal(run(&s, JOBS, &err), 0);
	assert_int_equal(s.by[0], JOBS);
}

static void a_failure_is_told(void **state)
{
	static const uint64_t patience[] = {10, JOBS};
	size_t i;

	for (i = 0; i < 2; i++) {
		struct sums s = {.bad = 700};
		struct err err = {0};

		assert_int_equal(run(&s, patience[i], &err), -EILSEQ);
		assert_string_equal(err.text, "job 700 is bad");
		assert_int_equal(s.done[699], 1);
		assert_int_equal(s.done[JOBS - 1], 0);
	}
}

static void what_is_dropped_is_not_done(void **state)
{
	struct sums s = {.bad = JOBS, .caller = pthread_self()};
	struct err err = {0};
	struct workers *w;
	unsigned int i;

	workers_free(NULL);
	assert_int_equal(workers_new(sizeof(i), JOBS, job, &s, &w, &err), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(workers_add(w, &i, 1, &err), 0);
	workers_free(w);
	assert_int_equal(s.done[0] + s.done[1] + s.done[2], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_done),
		cmocka_unit_test(little_is_done_by_the_caller),
		cmocka_unit_test(a_failure_is_told),
		cmocka_unit_test(what_is_dropped_is_not_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
