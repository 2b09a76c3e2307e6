// SPDX-License-Identifier: Apache-2.0
/* The probe table: every row is whole, asking twice gives the same, and attempts leave nothing. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "sys/probe-internal.h"
#include "sys/probe.h"

static int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void test_rows(void **state)
{
	int i, k;

	for (i = 0; i < PROBE_COUNT; i++) {
		const struct probe *p = probe_get(i);

		assert_non_null(p->run);
		assert_true(p->group[0] && p->name[0] && p->cost[0] && p->advice[0]);
		for (k = 0; k < i; k++)
			assert_string_not_equal(p->name, probe_get(k)->name);
	}
}

static void test_leaves_nothing(void **state)
{
	int i, fds = open_fds();

	for (i = 0; i < PROBE_COUNT; i++) {
		int r = probe_get(i)->run();

		if (r > 0)
			fail_msg("'%s' gives %d", probe_get(i)->name, r);
		assert_int_equal(open_fds(), fds);
		/* no child is left, and we are the only one who goes on here */
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
		assert_int_equal(probe_result(i), r);
		assert_int_equal(probe_has(i), r == 0);
	}
}

static int fails(void)
{
	return -EXDEV;
}

static int works(void)
{
	return 0;
}

static void test_in_child(void **state)
{
	assert_int_equal(probe_in_child(works), 0);
	assert_int_equal(probe_in_child(fails), -EXDEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_leaves_nothing),
		cmocka_unit_test(test_in_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
