// SPDX-License-Identifier: Apache-2.0
/* Numbers and units: what is taken, what is refused, and that a refusal leaves the output alone. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/parse.h"
#include "base/util.h"

static void test_u64(void **state)
{
	static const char *const bad[] = {"", " 1", "-1", "+1", "1 ", "1x", "x", "0x", "1.5"};
	uint64_t v = 42;
	uint32_t w = 42;
	size_t i;

	assert_int_equal(parse_u64(NULL, 10, &v), -EINVAL);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_u64(bad[i], 10, &v), -EINVAL);
	assert_int_equal(parse_u64("18446744073709551616", 10, &v), -ERANGE);
	assert_int_equal(v, 42);
	assert_int_equal(parse_u64("18446744073709551615", 10, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(parse_u64("ff", 16, &v), 0);
	assert_int_equal(v, 255);
	assert_int_equal(parse_u64("0x1F", 0, &v), 0);
	assert_int_equal(v, 31);
	assert_int_equal(parse_u64("0644", 0, &v), 0);
	assert_int_equal(v, 0644);
	assert_int_equal(parse_u32("4294967296", 10, &w), -ERANGE);
	assert_int_equal(w, 42);
	assert_int_equal(parse_u32("4294967295", 10, &w), 0);
	assert_true(w == UINT32_MAX);
}

static void test_signed(void **state)
{
	int64_t v = 42;
	int i = 42;

	assert_int_equal(parse_i64("-9223372036854775809", 10, &v), -ERANGE);
	assert_int_equal(parse_i64(" 1", 10, &v), -EINVAL);
	assert_int_equal(parse_i64("", 10, &v), -EINVAL);
	assert_int_equal(parse_i64("-", 10, &v), -EINVAL);
	assert_int_equal(v, 42);
	assert_int_equal(parse_i64("-9223372036854775808", 10, &v), 0);
	assert_true(v == INT64_MIN);
	assert_int_equal(parse_int("2147483648", &i), -ERANGE);
	assert_int_equal(parse_int("-2147483649", &i), -ERANGE);
	assert_int_equal(parse_int("12 ", &i), -EINVAL);
	assert_int_equal(i, 42);
	assert_int_equal(parse_int("-2147483648", &i), 0);
	assert_true(i == INT_MIN);
}

static void test_size(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0},
		{"4096", 4096},
		{"512K", 512 << 10},
		{"512k", 512 << 10},
		{"1.5G", 3ull << 29},
		{"2Ti", 2ull << 40},
		{"10MB", 10 << 20},
		{"10MiB", 10 << 20},
		{"7B", 7},
		{"1E", 1ull << 60},
		{"max", UINT64_MAX},
	};
	static const char *const bad[] = {
		"", "-1", " 1", "K", "1Q", "1KK", "1K ", "0x10", "maximum", "nan", "inf", "1iB"};
	uint64_t v = 42;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (parse_size(bad[i], &v) != -EINVAL)
			fail_msg("'%s' is taken", bad[i]);
	assert_int_equal(parse_size("16E", &v), -ERANGE);
	assert_int_equal(parse_size("99999999999999999999999", &v), -ERANGE);
	assert_int_equal(v, 42);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(parse_size(good[i].text, &v), 0);
		assert_true(v == good[i].bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_signed),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
