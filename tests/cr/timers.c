// SPDX-License-Identifier: Apache-2.0
/* Interval timers and POSIX timers: the time that was left, intervals, ids, and that they fire. */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "cr.h"

#define TIMERS 6

static double seconds(struct timespec t)
{
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int make(clockid_t clock, int notify, int sig, int value)
{
	struct sigevent ev = {.sigev_notify = notify, .sigev_signo = sig};
	int id = -1;

	ev.sigev_value.sival_int = value;
	if (notify == SIGEV_THREAD_ID)
		ev._sigev_un._tid = gettid();
	MUST(syscall(SYS_timer_create, clock, &ev, &id) == 0);
	return id;
}

static void arm(int id, double value, double interval)
{
	struct itimerspec t = {.it_value = {(time_t)value, (long)((value - (long)value) * 1e9)},
		.it_interval = {(time_t)interval, (long)((interval - (long)interval) * 1e9)}};

	MUST(syscall(SYS_timer_settime, id, 0, &t, NULL) == 0);
}

static void check(int id, double value, double interval, double age)
{
	struct itimerspec t = {0};
	double left;

	CHECK(syscall(SYS_timer_gettime, id, &t) == 0, "timer %d: %m", id);
	left = seconds(t.it_value);
	CHECK(left <= value && left >= value - age - 0.3 && left > 0,
		"timer %d has %.3f s left of %.3f, %.3f s later", id, left, value, age);
	CHECK(seconds(t.it_interval) == interval, "interval of timer %d", id);
}

static void check_itimer(int which, double value, double interval)
{
	struct itimerval t;
	double left;

	CHECK(getitimer(which, &t) == 0, "getitimer %d: %m", which);
	left = t.it_value.tv_sec + t.it_value.tv_usec / 1e6;
	CHECK(left > 0 && left <= value + 0.1, "itimer %d has %.3f s left of %.3f", which, left,
		value);
	CHECK(t.it_interval.tv_sec + t.it_interval.tv_usec / 1e6 == interval, "itimer %d: interval",
		which);
}

static void wait_signal(int sig, int value)
{
	struct timespec limit = {5, 0};
	siginfo_t si = {0};
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, sig);
	CHECK(sigtimedwait(&one, &si, &limit) == sig, "signal %d did not come: %m", sig);
	if (value) {
		CHECK_EQ(si.si_value.sival_int, value);
		CHECK_EQ(si.si_code, SI_TIMER);
	}
}

int main(int argc, char **argv)
{
	int id[TIMERS], i;
	sigset_t all;
	double start, age;

	cr_init(argc, argv);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	id[0] = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, 70);
	id[1] = make(CLOCK_REALTIME, SIGEV_NONE, 0, 0);
	for (i = 0; i < 7; i++) /* a hole in the ids */
		MUST(syscall(SYS_timer_delete, make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0)) == 0);
	id[2] = make(CLOCK_BOOTTIME, SIGEV_THREAD_ID, SIGRTMIN + 2, 72);
	id[3] = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 3, 73); /* not armed */
	id[4] = make(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGRTMIN + 4, 74);
	id[5] = make(CLOCK_REALTIME, SIGEV_SIGNAL, SIGRTMIN + 5, 75);
	start = cr_now();
	arm(id[0], 1000, 0.25);
	arm(id[1], 2000, 17);
	arm(id[2], 3000, 0);
	arm(id[4], 4000, 5);
	arm(id[5], 0.05, 1000); /* fires before the checkpoint, pending since */
	setitimer(ITIMER_REAL, &(struct itimerval){{0, 250000}, {500, 0}}, NULL);
	setitimer(ITIMER_VIRTUAL, &(struct itimerval){{1, 0}, {600, 0}}, NULL);
	setitimer(ITIMER_PROF, &(struct itimerval){{2, 0}, {700, 0}}, NULL);
	usleep(100000);
	cr_wait();
	age = cr_now() - start;
	check(id[0], 1000, 0.25, age);
	check(id[1], 2000, 17, age);
	check(id[2], 3000, 0, age);
	check(id[4], 4000, 5, age);
	check_itimer(ITIMER_REAL, 500, 0.25);
	check_itimer(ITIMER_VIRTUAL, 600, 1);
	check_itimer(ITIMER_PROF, 700, 2);
	wait_signal(SIGRTMIN + 5, 75);
	arm(id[0], 0.02, 0);
	arm(id[2], 0.02, 0);
	arm(id[3], 0.02, 0);
	setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 20000}}, NULL);
	wait_signal(SIGRTMIN, 70);
	wait_signal(SIGRTMIN + 2, 72);
	wait_signal(SIGRTMIN + 3, 73);
	wait_signal(SIGALRM, 0);
	/* a new timer gets no id that is in use */
	i = make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0);
	CHECK(i != id[0] && i != id[1] && i != id[2] && i != id[3] && i != id[4] && i != id[5],
		"timer id %d is given twice", i);
	return cr_done();
}
