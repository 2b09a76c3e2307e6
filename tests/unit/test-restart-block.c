// SPDX-License-Identifier: Apache-2.0
/* Interrupted waits of children that are stopped by ptrace. Skipped where BPF is not to be had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "sys/restart-block.h"

#define NSEC	      INT64_C(1000000000)
#define RESTART_BLOCK -516
#define THREADS	      200

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	assert_int_equal(clock_gettime(clock, &t), 0);
	return t.tv_sec * NSEC + t.tv_nsec;
}

static struct timespec remaining;
static uint32_t futex_word = 7;

static void sleep_long(void)
{
	struct timespec t = {.tv_sec = 100};

	syscall(SYS_nanosleep, &t, &remaining);
}

static void sleep_clock(void)
{
	struct timespec t = {.tv_sec = 50};

	syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME, 0, &t, NULL);
}

static void sleep_until(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += 100;
	syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void poll_timeout(void)
{
	struct pollfd p[2] = {{.fd = -1}, {.fd = -1}};

	syscall(SYS_poll, p, 2, 30000);
}

static void poll_for_ever(void)
{
	struct pollfd p = {.fd = -1};

	syscall(SYS_poll, &p, 1, -1);
}

static void wait_futex(void)
{
	struct timespec t = {.tv_sec = 20};

	syscall(SYS_futex, &futex_word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 7, &t, NULL, 0);
}

/* Stops the thread inside its call; the result register. */
static int64_t stop(pid_t tid)
{
	struct user_regs_struct regs;
	int status;

	assert_int_equal(ptrace(PTRACE_SEIZE, tid, NULL, NULL), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, tid, NULL, NULL), 0);
	assert_int_equal(waitpid(tid, &status, __WALL), tid);
	assert_int_equal(ptrace(PTRACE_GETREGS, tid, NULL, &regs), 0);
	return (int64_t)regs.rax;
}

/* Waits until the child sleeps in the call it is meant to. */
static void wait_sleeping(pid_t pid)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	char path[64], state = 0;
	int i;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (i = 0; i < 2000 && state != 'S'; i++) {
		FILE *f = fopen(path, "re");

		assert_non_null(f);
		if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = 0;
		(void)fclose(f);	       /* only read from */
		(void)nanosleep(&pause, NULL); /* a look again is all */
	}
	assert_int_equal(state, 'S');
}

static pid_t start(void (*wait)(void))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		wait();
		_exit(0);
	}
	wait_sleeping(pid);
	return pid;
}

static void end(pid_t pid)
{
	(void)kill(pid, SIGKILL); /* it may have ended */
	assert_int_equal(waitpid(pid, NULL, __WALL), pid);
}

static void read_or_skip(pid_t tid, struct restart_info *ret)
{
	struct err err = {0};
	int r = restart_block_read(tid, ret, &err);

	if (r == -EOPNOTSUPP || r == -EPERM) {
		assert_true(err.text[0]);
		end(tid);
		skip();
	}
	if (r < 0) {
		end(tid);
		fail_msg("%s", err.text);
	}
	assert_int_equal(ret->tid, tid);
}

/* Within a second after @before + @seconds: the child began its wait between that and now. */
static void expires(const struct restart_info *info, int64_t before, int seconds)
{
	int64_t late = (int64_t)info->expires_ns - before - seconds * NSEC;

	assert_in_range(late, 0, 20 * NSEC);
	assert_true(restart_left_ns(info) <= (uint64_t)(seconds * NSEC));
	assert_true(restart_left_ns(info) > 0);
}

static void nanosleep_tells_its_end(void **state)
{
	int64_t before = now_ns(CLOCK_MONOTONIC);
	pid_t pid = start(sleep_long);
	struct restart_info info;

	assert_int_equal(stop(pid), RESTART_BLOCK);
	read_or_skip(pid, &info);
	end(pid);
	assert_int_equal(info.kind, RESTART_NANOSLEEP);
	assert_int_equal(info.clock, CLOCK_MONOTONIC);
	assert_int_equal(info.user_ptr, (uintptr_t)&remaining);
	assert_false(info.compat);
	expires(&info, before, 100);
}

static void clock_nanosleep_tells_its_clock(void **state)
{
	int64_t before = now_ns(CLOCK_BOOTTIME);
	pid_t pid = start(sleep_clock);
	struct restart_info info;

	assert_int_equal(stop(pid), RESTART_BLOCK);
	read_or_skip(pid, &info);
	end(pid);
	assert_int_equal(info.kind, RESTART_NANOSLEEP);
	assert_int_equal(info.clock, CLOCK_BOOTTIME);
	assert_int_equal(info.user_ptr, 0);
	expires(&info, before, 50);
}

static void a_wait_until_a_time_needs_no_block(void **state)
{
	pid_t pid = start(sleep_until);
	struct restart_info info;

	assert_int_not_equal(stop(pid), RESTART_BLOCK);
	read_or_skip(pid, &info);
	end(pid);
	assert_int_equal(info.kind, RESTART_NONE);
}

static void poll_tells_its_end(void **state)
{
	int64_t before = now_ns(CLOCK_MONOTONIC);
	pid_t pid = start(poll_timeout);
	struct restart_info info;

	assert_int_equal(stop(pid), RESTART_BLOCK);
	read_or_skip(pid, &info);
	end(pid);
	assert_int_equal(info.kind, RESTART_POLL);
	assert_int_equal(info.nfds, 2);
	assert_int_not_equal(info.user_ptr, 0);
	expires(&info, before, 30);
	pid = start(poll_for_ever);
	assert_int_equal(stop(pid), RESTART_BLOCK);
	read_or_skip(pid, &info);
	end(pid);
	assert_int_equal(info.kind, RESTART_POLL);
	assert_int_equal(info.nfds, 1);
	assert_int_equal(info.expires_ns, UINT64_MAX);
	assert_int_equal(restart_left_ns(&info), UINT64_MAX);
}

static void futex_tells_its_end(void **state)
{
	int64_t before = now_ns(CLOCK_MONOTONIC);
	pid_t pid = start(wait_futex);
	struct restart_info info;

	assert_int_equal(stop(pid), RESTART_BLOCK);
	read_or_skip(pid, &info);
	end(pid);
	assert_int_equal(info.kind, RESTART_FUTEX);
	assert_int_equal(info.val, 7);
	assert_int_equal(info.user_ptr, (uintptr_t)&futex_word);
	assert_int_equal(info.bitset, FUTEX_BITSET_MATCH_ANY);
	expires(&info, before, 20);
}

struct sleeper {
	int seconds, out;
};

static void *sleeper_main(void *arg)
{
	struct sleeper *s = arg;
	struct timespec t = {.tv_sec = s->seconds};
	pid_t tid = (pid_t)syscall(SYS_gettid);

	if (write(s->out, &tid, sizeof(tid)) == sizeof(tid))
		syscall(SYS_nanosleep, &t, NULL);
	return NULL;
}

static void many_threads(int out)
{
	static struct sleeper s[THREADS];
	pthread_t id;
	int i;

	for (i = 0; i < THREADS; i++) {
		s[i] = (struct sleeper){.seconds = 100, .out = out};
		if (pthread_create(&id, NULL, sleeper_main, &s[i]) != 0)
			_exit(1);
	}
	pause();
}

static void one_pass_tells_many(void **state)
{
	struct restart_info *info = calloc(THREADS + 2, sizeof(*info));
	struct restart_reader *reader;
	pid_t tids[THREADS + 2], pid;
	struct err err = {0};
	int fds[2], i, r;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		many_threads(fds[1]);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(read(fds[0], &tids[i], sizeof(pid_t)), sizeof(pid_t));
	wait_sleeping(tids[THREADS - 1]);
	for (i = 0; i < THREADS; i++) {
		wait_sleeping(tids[i]);
		assert_int_equal(stop(tids[i]), RESTART_BLOCK);
	}
	tids[THREADS] = tids[0];	/* twice is fine */
	tids[THREADS + 1] = 0x3fffffff; /* nobody */
	r = restart_reader_new(NULL, &reader, &err);
	if (r == 0) {
		r = restart_reader_read(reader, tids, THREADS + 2, info, &err);
		restart_reader_free(reader);
	}
	(void)kill(pid, SIGKILL);     /* it stands still */
	for (i = 0; i < THREADS; i++) /* the leader can be reaped when its traced threads are */
		assert_int_equal(waitpid(tids[i], NULL, __WALL), tids[i]);
	assert_int_equal(waitpid(pid, NULL, __WALL), pid);
	(void)close(fds[0]); /* the test is over */
	(void)close(fds[1]);
	if (r == -EOPNOTSUPP || r == -EPERM)
		skip();
	assert_int_equal(r, 0);
	for (i = 0; i <= THREADS; i++) {
		assert_int_equal(info[i].tid, tids[i]);
		assert_int_equal(info[i].kind, RESTART_NANOSLEEP);
		assert_true(restart_left_ns(&info[i]) > 50 * (uint64_t)NSEC);
	}
	assert_int_equal(info[THREADS + 1].kind, RESTART_NONE);
	free(info);
}

/* What is learnt of the kernel is kept, and not believed when it is cut or another's. */
static void the_search_is_kept(void **state)
{
	char dir[] = "/tmp/kist-test-XXXXXX", path[64];
	struct restart_reader *reader;
	struct err err = {0};
	struct stat st;
	int i, r, fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/kernel-waits", dir);
	for (i = 0; i < 4; i++) {
		r = restart_reader_new(dir, &reader, &err);
		if (r < 0)
			break;
		restart_reader_free(reader);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 077, 0);
		assert_true(st.st_size > 256);
		if (i == 1)
			assert_int_equal(truncate(path, 100), 0);
		if (i != 2)
			continue;
		fd = open(path, O_RDWR | O_CLOEXEC);
		assert_int_equal(pwrite(fd, "another", 7, 0), 7);
		assert_int_equal(close(fd), 0);
	}
	(void)unlink(path); /* not there when nothing could be read */
	assert_int_equal(rmdir(dir), 0);
	if (r == -EOPNOTSUPP || r == -EPERM)
		skip();
	assert_int_equal(r, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nanosleep_tells_its_end),
		cmocka_unit_test(clock_nanosleep_tells_its_clock),
		cmocka_unit_test(a_wait_until_a_time_needs_no_block),
		cmocka_unit_test(poll_tells_its_end),
		cmocka_unit_test(futex_tells_its_end),
		cmocka_unit_test(one_pass_tells_many),
		cmocka_unit_test(the_search_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
