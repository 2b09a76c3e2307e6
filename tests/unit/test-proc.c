// SPDX-License-Identifier: Apache-2.0
/* The parsers of procfs and mountinfo: on texts, hostile ones too, and on the process itself. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "sys/mountinfo.h"
#include "sys/proc.h"

#define STAT_TAIL                                                                                 \
	" S 1 42 43 34816 -1 4194560 1 2 3 4 5 6 7 8 20 -5 3 0 777 1000 22 18446744073709551615 " \
	"94 95 96 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 101 102 103 104 105 106 107 256\n"

static int parse(const char *text, struct proc_stat *st)
{
	return proc_parse_stat(text, strlen(text), st);
}

static void test_stat(void **state)
{
	struct proc_stat st;

	/* a command's name may hold what closes it */
	assert_int_equal(parse("42 (a) R (b)" STAT_TAIL, &st), 0);
	assert_int_equal(st.pid, 42);
	assert_string_equal(st.comm, "a) R (b");
	assert_int_equal(st.state, 'S');
	assert_int_equal(st.ppid, 1);
	assert_int_equal(st.pgid, 42);
	assert_int_equal(st.sid, 43);
	assert_int_equal(st.tty_nr, 34816);
	assert_int_equal(st.tty_pgrp, -1);
	assert_int_equal(st.nice, -5);
	assert_int_equal(st.num_threads, 3);
	assert_int_equal(st.start_time, 777);
	assert_int_equal(st.exit_signal, 17);
	assert_int_equal(st.start_brk, 103);
	assert_int_equal(st.env_end, 107);
	assert_int_equal(st.exit_code, 256);
}

static void test_stat_refused(void **state)
{
	static const char good[] = "42 (sh)" STAT_TAIL;
	struct proc_stat st;
	char *cut;
	size_t i;

	assert_int_equal(parse("", &st), -EINVAL);
	assert_int_equal(parse("42 sh S 1 2 3\n", &st), -EINVAL);
	assert_int_equal(parse("42 )sh( S 1 2 3\n", &st), -EINVAL);
	/* any cut is refused or parsed, and never read past its end (the sanitizer looks) */
	for (i = 0; i < sizeof(good) - 1; i++) {
		cut = malloc(i + 1);
		memcpy(cut, good, i);
		cut[i] = '\0'; /* as struct buf ends its texts */
		(void)proc_parse_stat(cut, i, &st);
		free(cut);
	}
}

static void test_field(void **state)
{
	static const char text[] = "Name:\tx\nPid:\t12\nVmRSS:\t  34 kB\nEmpty:\t\nLast:\tff";
	char v[8];
	uint64_t n = 0;

	assert_int_equal(proc_field(text, sizeof(text) - 1, "Pid", v, sizeof(v)), 0);
	assert_string_equal(v, "12");
	assert_int_equal(proc_field(text, sizeof(text) - 1, "Pi", v, sizeof(v)), -ENOENT);
	assert_int_equal(proc_field(text, sizeof(text) - 1, "id", v, sizeof(v)), -ENOENT);
	assert_int_equal(proc_field(text, sizeof(text) - 1, "Empty", v, sizeof(v)), 0);
	assert_string_equal(v, "");
	assert_int_equal(proc_field(text, sizeof(text) - 1, "VmRSS", v, 4), -ENOBUFS);
	assert_int_equal(proc_field_u64(text, sizeof(text) - 1, "VmRSS", 10, &n), 0);
	assert_int_equal(n, 34);
	assert_int_equal(proc_field_u64(text, sizeof(text) - 1, "Last", 16, &n), 0);
	assert_int_equal(n, 255);
	assert_int_equal(proc_field_u64(text, sizeof(text) - 1, "Name", 10, &n), -EINVAL);
	assert_int_equal(n, 255);
}

static void test_mountinfo(void **state)
{
	char text[] = "22 28 0:20 / /a\\040b rw,nosuid shared:7 master:1 - tmpfs none rw,size=4k\n"
		      "23 22 8:1 /sub /mnt ro - ext4 /dev/sda1 rw\n";
	char bad[] = "22 28 0:20 / /x rw shared:7 tmpfs none rw\n";
	struct mountinfo m;
	char *p = text;

	assert_int_equal(mountinfo_next(&p, &m), 1);
	assert_int_equal(m.id, 22);
	assert_int_equal(m.parent, 28);
	assert_int_equal(m.minor, 20);
	assert_string_equal(m.mountpoint, "/a b");
	assert_string_equal(m.optional, "shared:7 master:1");
	assert_string_equal(m.fstype, "tmpfs");
	assert_string_equal(m.super_options, "rw,size=4k");
	assert_int_equal(mountinfo_next(&p, &m), 1);
	assert_string_equal(m.root, "/sub");
	assert_string_equal(m.optional, "");
	assert_string_equal(m.source, "/dev/sda1");
	assert_int_equal(mountinfo_next(&p, &m), 0);
	p = bad;
	assert_int_equal(mountinfo_next(&p, &m), -EINVAL);
}

static void test_self(void **state)
{
	autobuf struct buf b = {0};
	autofree int *tids = NULL;
	autofree char *exe = NULL;
	struct proc_stat st;
	struct err err = {0};
	int proc, self;
	size_t n;

	proc = proc_open(&err);
	assert_true(proc >= 0);
	self = proc_open_pid(proc, getpid());
	assert_true(self >= 0);
	assert_int_equal(prctl(PR_SET_NAME, "x) Z 1 (y"), 0);
	assert_int_equal(proc_read(self, "stat", &b), 0);
	assert_int_equal(proc_parse_stat(b.data, b.len, &st), 0);
	assert_int_equal(st.pid, getpid());
	assert_int_equal(st.ppid, getppid());
	assert_string_equal(st.comm, "x) Z 1 (y");
	assert_int_equal(st.state, 'R');
	assert_int_equal(proc_list_ids(self, "task", &tids, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(tids[0], getpid());
	assert_int_equal(proc_readlink(self, "exe", &exe), 0);
	assert_non_null(strstr(exe, "test-proc"));
	/* whole, over several reads */
	assert_int_equal(proc_read(self, "smaps", &b), 0);
	assert_true(b.len > 8192);
	assert_non_null(strstr(b.data, "[stack]"));
	/* beyond any pid_max */
	assert_int_equal(proc_open_pid(proc, 1 << 30), -ESRCH);
	assert_int_equal(proc_open_task(proc, getpid(), 1 << 30), -ESRCH);
	close(self);
	close(proc);
}

static void test_ns_ids(void **state)
{
	static const char status[] = "Name:\tx\nNSpid:\t4711\t12\t1\nNSpgid:\t99\nNSsid:\t\n";
	pid_t ids[PROC_NS_MAX], inner;
	char deep[40 * 4 + 16] = "NSpid:";
	int i;

	assert_int_equal(proc_ns_ids(status, strlen(status), "NSpid", ids), 3);
	assert_int_equal(ids[0], 4711);
	assert_int_equal(ids[2], 1);
	assert_int_equal(proc_inner_id(status, strlen(status), "NSpid", &inner), 0);
	assert_int_equal(inner, 1);
	assert_int_equal(proc_inner_id(status, strlen(status), "NSpgid", &inner), 0);
	assert_int_equal(inner, 99);
	assert_int_equal(proc_inner_id(status, strlen(status), "NSsid", &inner), -EINVAL);
	assert_int_equal(proc_inner_id(status, strlen(status), "NStgid", &inner), -ENOENT);
	for (i = 0; i < PROC_NS_MAX + 1; i++) /* deeper than any kernel has them */
		strcat(deep, "\t17");
	assert_int_equal(proc_ns_ids(deep, strlen(deep), "NSpid", ids), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_stat_refused),
		cmocka_unit_test(test_field),
		cmocka_unit_test(test_ns_ids),
		cmocka_unit_test(test_mountinfo),
		cmocka_unit_test(test_self),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
