// SPDX-License-Identifier: Apache-2.0
/* struct buf, and the arrays and string vectors of util.h: what grows. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/util.h"

static void test_add(void **state)
{
	autobuf struct buf b = {0};
	char *s;
	int i;

	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_adds(&b, "one"), 0);
	assert_int_equal(buf_add(&b, "\0two", 4), 0);
	assert_int_equal(b.len, 7);
	assert_memory_equal(b.data, "one\0two", 8); /* with the end that the invariant promises */
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	for (i = 0; i < 1000; i++)
		assert_int_equal(buf_addf(&b, "%d,", i), 0);
	assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
	assert_string_equal(buf_str(&b) + b.len - 8, "998,999,");
	s = buf_take(&b);
	assert_int_equal(strncmp(s, "0,1,2,", 6), 0);
	assert_null(b.data);
	free(s);
	/* an empty buffer is taken as an empty string */
	s = buf_take(&b);
	assert_string_equal(s, "");
	free(s);
}

static void test_failure_sticks(void **state)
{
	autobuf struct buf b = {0};

	assert_int_equal(buf_adds(&b, "kept"), 0);
	assert_int_equal(buf_reserve(&b, SIZE_MAX / 2), -ENOMEM);
	assert_int_equal(buf_adds(&b, "x"), -ENOMEM);
	assert_int_equal(buf_addf(&b, "x"), -ENOMEM);
	assert_null(buf_take(&b));
	assert_string_equal(buf_str(&b), "kept");
	buf_reset(&b);
	assert_int_equal(buf_adds(&b, "x"), 0);
}

static void test_array(void **state)
{
	autofree int *v = NULL;
	size_t cap = 0, i;

	for (i = 0; i < 100; i++) {
		assert_int_equal(array_reserve(&v, &cap, i + 1, sizeof(*v)), 0);
		assert_int_equal(v[i], 0); /* new elements are zeroed */
		v[i] = i;
	}
	for (i = 0; i < 100; i++)
		assert_int_equal(v[i], i);
	i = cap;
	assert_int_equal(array_reserve(&v, &cap, SIZE_MAX / 2, sizeof(*v)), -ENOMEM);
	assert_int_equal(cap, i);
	assert_int_equal(v[99], 99);
}

static void test_strv(void **state)
{
	autostrv char **v = NULL, **copy = NULL;

	assert_int_equal(strv_len(NULL), 0);
	assert_int_equal(strv_push(&v, "a"), 0);
	assert_int_equal(strv_push(&v, ""), 0);
	assert_int_equal(strv_push(&v, "c"), 0);
	assert_int_equal(strv_len(v), 3);
	copy = strv_dup(v);
	assert_int_equal(strv_len(copy), 3);
	assert_ptr_not_equal(copy[0], v[0]);
	assert_string_equal(copy[2], "c");
	assert_null(copy[3]);
}

static void test_take(void **state)
{
	char *s = strdup("x"), *t = TAKE_PTR(s);
	int fd = 7, moved = TAKE_FD(fd);

	assert_null(s);
	assert_string_equal(t, "x");
	assert_int_equal(fd, -EBADF);
	assert_int_equal(moved, 7);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_failure_sticks),
		cmocka_unit_test(test_array),
		cmocka_unit_test(test_strv),
		cmocka_unit_test(test_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
