// SPDX-License-Identifier: Apache-2.0
/* Tapes: linked, printed, and played in a stopped child. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "cr/tape/target.h"
#include "sys/proc.h"

static void test_link(void **state)
{
	struct tape t = {0};
	struct buf area = {0};
	uint64_t rows, data, text, at, value;
	const struct tape_row *row;
	struct err err;

	(void)state;
	text = tape_data(&t, "hello", 6);
	at = tape_data(&t, NULL, 8);
	tape_data_pointer(&t, at, text);
	TAPE_ADD(&t, "write", TAPE_STOP | TAPE_DATA(1), SYS_write, 1, text, 6);
	assert_int_equal(tape_link(&t, 0x10000, &area, &rows, &data, &err), 0);
	row = (const struct tape_row *)(area.data + (rows - 0x10000));
	assert_int_equal(row->args[1], data + text);
	assert_int_equal(row[1].nr, TAPE_END);
	assert_string_equal(area.data + (data - 0x10000), "hello");
	memcpy(&value, area.data + (data - 0x10000) + at, 8);
	assert_int_equal(value, data + text);
	buf_done(&area);
	tape_done(&t);
}

static void test_print(void **state)
{
	struct tape t = {0};
	struct buf out = {0};

	(void)state;
	TAPE_ADD(&t, "close", 0, SYS_close, 7);
	assert_int_equal(tape_print(&t, &out), 0);
	assert_string_equal(buf_str(&out), "   0 close: syscall 3 (0x7, 0, 0, 0, 0, 0)\n");
	buf_done(&out);
	tape_done(&t);
}

static void test_check(void **state)
{
	struct tape_row rows[] = {
		{.nr = 1, .what = "one", .result = -2},
		{.nr = 2, .what = "two", .result = 5, .flags = TAPE_EXACT, .expect = 5},
		{.nr = 3, .what = "three", .result = -13, .flags = TAPE_STOP},
	};
	struct err err = {0};

	(void)state;
	assert_int_equal(tape_check(rows, 2, 2, &err), 0);
	assert_int_equal(tape_check(rows, 3, 2, &err), -13);
	assert_non_null(strstr(err.text, "three"));
	rows[1].result = 4;
	assert_int_equal(tape_check(rows, 2, 2, &err), -EIO);
	assert_non_null(strstr(err.text, "two"));
}

/* A child that sleeps, and ends with the status that its fork of us asks for. */
static pid_t child_start(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTRAP, SIG_IGN); /* the hard case */
		for (;;)
			pause();
	}
	return pid;
}

static void child_end(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static bool ignores_trap(pid_t pid)
{
	char path[64], line[256];
	unsigned long long mask = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, "SigIgn: %llx", &mask);
	fclose(f);
	return mask & 1ull << (SIGTRAP - 1);
}

static void test_play(void **state)
{
	pid_t pid = child_start();
	struct target t = {0};
	struct tape tape = {0};
	struct err err = {0};
	size_t a, b, c;
	int64_t res;
	int procfd;

	(void)state;
	procfd = proc_open(&err);
	assert_true(procfd >= 0);
	while (!ignores_trap(pid))
		;
	assert_int_equal(target_open(procfd, pid, &t, &err), 0);
	assert_int_equal(target_stop(&t, 5000, &err), 0);
	assert_int_equal(t.n_threads, 1);
	assert_int_equal(target_syscall(&t, SYS_getppid, (const uint64_t[6]){0}, &res, &err), 0);
	assert_int_equal(res, getpid());
	a = TAPE_ADD(&tape, "pid", TAPE_STOP, SYS_getpid, 0);
	b = TAPE_ADD(&tape, "group", TAPE_STOP | TAPE_REF(0), SYS_getpgid, a);
	c = TAPE_ADD(&tape, "fails", 0, SYS_close, 12345);
	assert_int_equal(target_play(&t, 0, &tape, &err), 0);
	assert_int_equal(tape.rows[a].result, pid);
	assert_int_equal(tape.rows[b].result, getpgrp());
	assert_int_equal(tape.rows[c].result, -EBADF);
	TAPE_ADD(&tape, "stops here", TAPE_STOP, SYS_close, 12345);
	TAPE_ADD(&tape, "never", TAPE_STOP, SYS_exit_group, 1);
	assert_int_equal(target_play(&t, 0, &tape, &err), -EBADF);
	assert_non_null(strstr(err.text, "stops here"));
	target_put_back(&t);
	target_detach(&t);
	assert_true(ignores_trap(pid)); /* the trap of the player has left no trace */
	target_done(&t);
	tape_done(&tape);
	close(procfd);
	child_end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_play),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
