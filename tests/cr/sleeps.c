// SPDX-License-Identifier: Apache-2.0
/*
 * Threads asleep in every call with a time limit. Each must sleep on for the time that was left: no
 * EINTR, not shorter than asked, not begun anew (but for two calls whose rest nobody knows).
 */
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

#include "cr.h"

#define ASLEEP 4.0 /* seconds to sleep */
#define BEFORE 2.5 /* of these before the checkpoint */
#define SLACK  1.0 /* a sleep begun anew would be BEFORE too long */

static const struct timespec limit = {4, 0};

static int do_nanosleep(void)
{
	return nanosleep(&limit, NULL);
}

static int do_clock_nanosleep(void)
{
	return -clock_nanosleep(CLOCK_BOOTTIME, 0, &limit, NULL);
}

static int do_clock_absolute(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += 4;
	return -clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL);
}

static int do_poll(void)
{
	return poll(NULL, 0, 4000);
}

static int do_ppoll(void)
{
	return ppoll(NULL, 0, &limit, NULL);
}

static int do_select(void)
{
	struct timeval t = {4, 0};

	return select(0, NULL, NULL, NULL, &t);
}

static int do_pselect(void)
{
	return pselect(0, NULL, NULL, NULL, &limit, NULL);
}

static int do_epoll(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), r;
	struct epoll_event ev;

	r = epoll_wait(ep, &ev, 1, 4000);
	close(ep);
	return r;
}

static int do_futex(void)
{
	static int word;
	int r = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &limit, NULL, 0);

	return r < 0 && errno == ETIMEDOUT ? 0 : r;
}

static int do_futex_bitset(void)
{
	static int word;
	struct timespec t;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += 4;
	r = syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, &t, NULL, -1);
	return r < 0 && errno == ETIMEDOUT ? 0 : r;
}

static int do_sigtimedwait(void)
{
	sigset_t one;
	int r;

	sigemptyset(&one);
	sigaddset(&one, SIGRTMIN + 3);
	r = sigtimedwait(&one, NULL, &limit);
	return r < 0 && errno == EAGAIN ? 0 : r;
}

static struct sleep {
	const char *name;
	int (*run)(void);
	bool absolute; /* ends at a moment: the time away counts */
	bool anew;     /* nothing tells how long it still was: it may begin anew */
	pthread_t thread;
	int result, error;
	double took;
} sleeps[] = {
	{"nanosleep", do_nanosleep},
	{"clock_nanosleep", do_clock_nanosleep},
	{"clock_nanosleep absolute", do_clock_absolute, .absolute = true},
	{"poll", do_poll},
	{"ppoll", do_ppoll},
	{"select", do_select},
	{"pselect", do_pselect},
	{"epoll_wait", do_epoll, .anew = true},
	{"futex", do_futex},
	{"futex absolute", do_futex_bitset, .absolute = true},
	{"sigtimedwait", do_sigtimedwait, .anew = true},
};

static void *thread(void *arg)
{
	struct sleep *s = arg;
	double start = cr_now();

	errno = 0;
	s->result = s->run();
	s->error = errno;
	s->took = cr_now() - start;
	return NULL;
}

int main(int argc, char **argv)
{
	size_t i, n = sizeof(sleeps) / sizeof(sleeps[0]);
	sigset_t mask;
	double away;

	cr_init(argc, argv);
	sigemptyset(&mask);
	sigaddset(&mask, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	for (i = 0; i < n; i++)
		MUST(pthread_create(&sleeps[i].thread, NULL, thread, &sleeps[i]) == 0);
	(void)nanosleep(&(struct timespec){2, 500000000}, NULL);
	cr_wait();
	away = cr_away();
	for (i = 0; i < n; i++) {
		struct sleep *s = &sleeps[i];

		pthread_join(s->thread, NULL);
		CHECK(s->result == 0, "%s: returned %d, errno %d (%s)", s->name, s->result,
			s->error, strerror(s->error));
		/* the monotonic clock of a container stands still while it is away */
		CHECK(s->took >= ASLEEP - 0.01 - (s->absolute ? away : 0), "%s: slept only %.3f s",
			s->name, s->took);
		CHECK(s->took <= ASLEEP + away + SLACK + (s->anew ? BEFORE : 0),
			"%s: slept %.3f s, %.3f s of them away", s->name, s->took, away);
	}
	return cr_done();
}
