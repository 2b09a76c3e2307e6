// SPDX-License-Identifier: Apache-2.0
/* The key table, its parsers and conversions. Nothing here touches a cgroup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "bpf/device.h"
#include "cgroup/cgroup-internal.h"
#include "cgroup/ops.h"

static const struct cgroup_key *row(const char *name)
{
	const struct cgroup_key *key = NULL;
	char size[16];

	assert_int_equal(cgroup_key_find(name, &key, size, sizeof(size), NULL), 0);
	return key;
}

static void takes(const char *name, const char *text, const char *want)
{
	struct cgroup_value v = {0};
	struct err err = {0};

	if (cgroup_value_parse(row(name), text, &v, &err) < 0)
		fail_msg("%s=%s: %s", name, text, err.text);
	assert_string_equal(buf_str(&v.text), want);
	cgroup_value_done(&v);
}

static void refuses(const char *name, const char *text)
{
	struct cgroup_value v = {0};
	struct err err = {0};

	if (cgroup_value_parse(row(name), text, &v, &err) >= 0)
		fail_msg("%s took '%s' as '%s'", name, text, buf_str(&v.text));
	assert_true(err.text[0]);
	assert_true(
		err.hint[0] || err.code == -ENOENT || err.code == -ENOTBLK || err.code == -EPERM);
}

static void table_is_whole(void **state)
{
	const struct cgroup_key *k;
	char name[CGROUP_KEY_NAME_MAX], size[16];
	const struct cgroup_key *found;

	for (k = cgroup_keys; k->name; k++) {
		assert_non_null(k->help);
		assert_true(k->flags & (CGROUP_KEY_READ | CGROUP_KEY_WRITE));
		assert_true(strlen(k->name) < CGROUP_KEY_NAME_MAX - 8);
		/* Where one kind of host lacks it, the row says what to do. */
		assert_true((k->v1 && k->v2) || k->instead);
		assert_true(k->v1 || k->v2);
		/* A write of several forms needs a parser's range; text cannot be written. */
		assert_false(k->unit == CGROUP_TEXT && (k->flags & CGROUP_KEY_WRITE));
		if (k->unit == CGROUP_COUNT || k->unit == CGROUP_FLAG)
			assert_true(k->max >= k->min && k->max);
		/* A v1 host can be asked for what a hierarchy that was not joined means. */
		if (k->v1 && !(k->ops && (k->ops->act || k->ops->unjoined)) &&
			(k->flags & CGROUP_KEY_WRITE) && (k->flags & CGROUP_KEY_READ) &&
			k->controller != CGROUP_MEMORY && k->controller != CGROUP_CORE &&
			strcmp(k->name, "cpu.rt.max") != 0)
			assert_non_null(k->unset);
		cgroup_key_file(k->name, "2MB", name, sizeof(name));
		assert_int_equal(cgroup_key_find(name, &found, size, sizeof(size), NULL), 0);
		assert_ptr_equal(found, k);
		if (k != cgroup_keys)
			assert_true(strcmp(k[-1].name, k->name) < 0);
	}
}

static void unknown_keys_name_the_nearest(void **state)
{
	const struct cgroup_key *k;
	struct err err = {0};
	char size[16];

	assert_int_equal(cgroup_key_find("memory.mx", &k, size, sizeof(size), &err), -ENOENT);
	assert_non_null(strstr(err.hint, "memory.max"));
	assert_int_equal(cgroup_key_find("hugetlb.9XB.max", &k, size, sizeof(size), &err), -ENOENT);
	assert_int_equal(cgroup_key_find("hugetlb.1GB.max", &k, size, sizeof(size), &err), 0);
	assert_string_equal(size, "1GB");
}

static void values(void **state)
{
	takes("memory.max", "512M", "536870912");
	takes("memory.max", "1.5G", "1610612736");
	takes("memory.max", "max", "max");
	refuses("memory.max", "");
	refuses("memory.max", "-1");
	refuses("memory.max", "101%");
	refuses("memory.max", "12 M");
	takes("pids.max", "0", "0");
	takes("pids.max", "max", "max");
	refuses("pids.max", "-1");
	refuses("pids.max", "99999999");
	takes("cpu.weight", "10000", "10000");
	refuses("cpu.weight", "0");
	refuses("cpu.weight", "max");
	takes("cpu.max", "50%", "50000 100000");
	takes("cpu.max", "1.5cpu", "150000 100000");
	takes("cpu.max", "2cpus", "200000 100000");
	takes("cpu.max", "25% 20ms", "5000 20000");
	takes("cpu.max", "50000", "50000");
	takes("cpu.max", "max", "max");
	takes("cpu.max", "max 50000", "max 50000");
	takes("cpu.max", "10ms 100ms", "10000 100000");
	refuses("cpu.max", "10 100000");
	refuses("cpu.max", "50000 100000 1");
	refuses("cpu.max", "50000 2s");
	refuses("cpu.max", "0%");
	takes("cpu.max.burst", "10ms", "10000");
	takes("cpu.rt.max", "0 1000000", "0 1000000");
	takes("cpu.idle", "yes", "1");
	takes("memory.oom.group", "off", "0");
	refuses("cpu.idle", "2");
	refuses("cgroup.kill", "0");
	takes("cpuset.cpus", "0-3,5", "0-3,5");
	takes("cpuset.cpus", "", "");
	refuses("cpuset.cpus", "3-1");
	refuses("cpuset.cpus", "1,,2");
	refuses("cpuset.cpus", "1,");
	refuses("cpuset.cpus", "99999");
	refuses("memory.current", "1");
}

static void device_values(void **state)
{
	takes("io.max", "8:0 rbps=1M wiops=max", "8:0 rbps=1048576 wiops=max");
	takes("io.max", "8:0 rbps=1M; 8:16 wbps=2M\n", "8:0 rbps=1048576\n8:16 wbps=2097152");
	refuses("io.max", "8:0");
	refuses("io.max", "8:0 rbps=0");
	refuses("io.max", "8:0 speed=1");
	refuses("io.max", "/dev/null rbps=1M");
	refuses("io.max", "/nowhere rbps=1M");
	refuses("io.max", "");
	takes("io.weight", "200", "default 200");
	takes("io.weight", "default 200\n8:0 50", "default 200\n8:0 50");
	takes("io.weight", "8:0 default", "8:0 default");
	refuses("io.weight", "0");
	refuses("io.weight", "8:0 1 2");
}

static void weights_convert_both_ways(void **state)
{
	uint64_t w, last = 0;

	assert_int_equal(cgroup_weight_of_shares(2), 1);
	assert_int_equal(cgroup_weight_of_shares(1024), 100);
	assert_int_equal(cgroup_weight_of_shares(262144), 10000);
	assert_int_equal(cgroup_weight_of_shares(1), 1);
	assert_int_equal(cgroup_shares_of_weight(100), 1024);
	for (w = 1; w <= 10000; w++) {
		assert_true(cgroup_shares_of_weight(w) > last);
		last = cgroup_shares_of_weight(w);
		assert_int_equal(cgroup_weight_of_shares(last), w);
	}
	assert_int_equal(cgroup_bfq_of_io_weight(100), 100);
	assert_int_equal(cgroup_bfq_of_io_weight(10000), 1000);
	for (w = 1; w <= 1000; w++)
		assert_int_equal(cgroup_bfq_of_io_weight(cgroup_io_weight_of_bfq(w)), w);
}

static void held(const char *name, const char *want, const char *got, bool same)
{
	struct cgroup_item it = {.key = row(name), .name = name};

	assert_int_equal(cgroup_value_parse(it.key, want, &it.value, NULL), 0);
	if ((cgroup_compare(&it, got, NULL) == 0) != same)
		fail_msg("%s: asked '%s', held '%s'", name, want, got);
	cgroup_value_done(&it.value);
}

static void read_back_sees_differences(void **state)
{
	held("memory.max", "1000000", "999424", true); /* whole pages */
	held("memory.max", "1000000", "900000", false);
	held("memory.max", "max", "max", true);
	held("memory.max", "1M", "max", false);
	held("cpu.max", "50%", "50000 100000", true);
	held("cpu.max", "50000", "50000 20000", true);
	held("cpu.max", "50%", "50000 20000", false);
	held("cpu.max", "max", "50000 20000", false);
	held("cpu.weight", "100", "99", false);
	held("cpu.shares", "1000", "1006", true); /* one weight on v2 */
	held("cpuset.cpus", "0,1,2", "0-2", true);
	held("cpuset.cpus", "0-3", "0-1", false);
	held("io.max", "8:0 rbps=1M", "8:0 rbps=1048576 wbps=max riops=max wiops=max", true);
	held("io.max", "8:0 rbps=1M", "8:16 rbps=1048576 wbps=max riops=max wiops=max", false);
	held("io.max", "8:0 rbps=max", "", true);
	held("io.max", "8:0 rbps=10", "8:0 rbps=100 wbps=max", false);
	held("io.weight", "200", "default 300", false);
	held("io.weight", "200", "default 200", true);
}

static void rules(void **state)
{
	struct err err = {0};

	assert_int_equal(cgroup_rules_check("deny-all\nallow c 1:3 rwm\nallow b 8:* r", &err), 0);
	assert_int_equal(cgroup_rules_check("allow c *:* m\ndeny c *:* m", &err), 0);
	assert_int_equal(cgroup_rules_check("deny-all\nallow x 1:3 rwm", &err), -EINVAL);
	assert_int_equal(cgroup_rules_check("allow c 1:3 rwx", &err), -EINVAL);
	assert_int_equal(cgroup_rules_check("allow c 13 rw", &err), -EINVAL);
	assert_int_equal(cgroup_rules_check("permit-all", &err), -EINVAL);
	/* What neither kernel can hold as exceptions is said, not dropped. */
	assert_int_equal(
		cgroup_rules_check("deny-all\nallow c 1:* rw\ndeny c 1:3 w", &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "c 1:3 w"));
}

/* What a program answers: a machine for the few instructions that device.c emits. */
static int answer(const struct bpf_insn *p, char type, uint32_t major, uint32_t minor, int access)
{
	uint64_t r[11] = {0};
	uint32_t ctx[3] = {
		(uint32_t)access << 16 | (type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR),
		major, minor};
	int steps = 0;

	for (; steps < 10000; p++, steps++) {
		uint64_t *d = &r[p->dst_reg],
			 k = p->code & BPF_X ? r[p->src_reg] : (uint32_t)p->imm;

		switch (p->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			*d = ctx[p->off / 4];
			break;
		case BPF_ALU | BPF_MOV | BPF_X:
		case BPF_ALU64 | BPF_MOV | BPF_K:
			*d = (uint32_t)k;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			*d &= k;
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			*d = (uint32_t)*d >> k;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
		case BPF_JMP32 | BPF_JNE | BPF_K:
			p += (uint32_t)*d != k ? p->off : 0;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			p += *d == k ? p->off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return (int)r[0];
		default:
			fail_msg("instruction %#x", p->code);
		}
	}
	fail_msg("the program does not end");
	return -1;
}

static void device_program(void **state)
{
	static const struct bpf_device some[] = {
		{'c', 1, 3, BPF_DEVICE_READ | BPF_DEVICE_WRITE},
		{'c', 136, BPF_DEVICE_ANY, 7},
		{'b', BPF_DEVICE_ANY, BPF_DEVICE_ANY, BPF_DEVICE_MKNOD},
		{'c', 4000000000u, 1, 7},
	};
	struct bpf_insn *p;
	size_t n;

	assert_int_equal(bpf_device_program(false, some, ARRAY_SIZE(some), &p, &n), 0);
	assert_int_equal(answer(p, 'c', 1, 3, BPF_DEVICE_READ), 1);
	assert_int_equal(answer(p, 'c', 1, 3, BPF_DEVICE_READ | BPF_DEVICE_WRITE), 1);
	assert_int_equal(answer(p, 'c', 1, 3, BPF_DEVICE_MKNOD | BPF_DEVICE_READ), 0);
	assert_int_equal(answer(p, 'b', 1, 3, BPF_DEVICE_READ), 0);
	assert_int_equal(answer(p, 'c', 1, 5, BPF_DEVICE_READ), 0);
	assert_int_equal(answer(p, 'c', 136, 77, 7), 1);
	assert_int_equal(answer(p, 'b', 8, 0, BPF_DEVICE_MKNOD), 1);
	assert_int_equal(answer(p, 'b', 8, 0, BPF_DEVICE_READ), 0);
	assert_int_equal(answer(p, 'c', 4000000000u, 1, 7), 1);
	free(p);
	assert_int_equal(bpf_device_program(true, some, ARRAY_SIZE(some), &p, &n), 0);
	assert_int_equal(answer(p, 'c', 1, 3, BPF_DEVICE_READ), 0);
	assert_int_equal(answer(p, 'c', 1, 3, BPF_DEVICE_MKNOD | BPF_DEVICE_READ), 0);
	assert_int_equal(answer(p, 'c', 1, 3, BPF_DEVICE_MKNOD), 1);
	assert_int_equal(answer(p, 'c', 1, 5, 7), 1);
	free(p);
	assert_int_equal(bpf_device_program(false, some, 5000, &p, &n), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_whole),
		cmocka_unit_test(unknown_keys_name_the_nearest),
		cmocka_unit_test(values),
		cmocka_unit_test(device_values),
		cmocka_unit_test(weights_convert_both_ways),
		cmocka_unit_test(read_back_sees_differences),
		cmocka_unit_test(rules),
		cmocka_unit_test(device_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
