// SPDX-License-Identifier: Apache-2.0
/* struct err: the reason is added or not, long texts are cut and stay strings, NULL is allowed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void test_reason(void **state)
{
	struct err err = {0};

	assert_int_equal(err_set(&err, -ENOENT, "cannot open '%s'", "/x"), -ENOENT);
	assert_int_equal(err.code, -ENOENT);
	assert_string_equal(err.text, "cannot open '/x': No such file or directory");
	assert_int_equal(err_setx(&err, -EINVAL, "bad '%d'", 7), -EINVAL);
	assert_string_equal(err.text, "bad '7'");
	assert_int_equal(err_set(&err, 0, "fine"), 0);
	assert_string_equal(err.text, "fine");
	assert_int_equal(err_oom(&err), -ENOMEM);
	assert_non_null(strstr(err.text, "memory"));
}

static void test_hint_and_wrap(void **state)
{
	struct err err = {0};

	err_setx(&err, -EPERM, "no");
	assert_int_equal(err_hint(&err, "install '%s'", "x"), -EPERM);
	assert_string_equal(err.hint, "install 'x'");
	assert_int_equal(err_wrap(&err, "container '%s'", "web"), -EPERM);
	assert_string_equal(err.text, "container 'web': no");
	assert_string_equal(err.hint, "install 'x'");
	/* a new error does not keep the old one's hint */
	err_setx(&err, -EIO, "other");
	assert_string_equal(err.hint, "");
}

static void test_long(void **state)
{
	static char text[3 * ERR_TEXT_MAX];
	struct err err = {0};
	int i;

	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(err_set(&err, -EIO, "%s", text), -EIO);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	err_hint(&err, "%s", text);
	assert_int_equal(strlen(err.hint), ERR_HINT_MAX - 1);
	for (i = 0; i < 3; i++) {
		err_wrap(&err, "outer %d", i);
		assert_true(strlen(err.text) < ERR_TEXT_MAX);
	}
	assert_int_equal(strncmp(err.text, "outer 2: outer 1: outer 0: xxx", 30), 0);
}

static void test_null(void **state)
{
	assert_int_equal(err_set(NULL, -EIO, "x"), -EIO);
	assert_int_equal(err_setx(NULL, -EIO, "x"), -EIO);
	assert_int_equal(err_hint(NULL, "x"), -EINVAL);
	assert_int_equal(err_wrap(NULL, "x"), -EINVAL);
	assert_int_equal(err_oom(NULL), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reason),
		cmocka_unit_test(test_hint_and_wrap),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
