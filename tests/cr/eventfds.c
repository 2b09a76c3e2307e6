// SPDX-License-Identifier: Apache-2.0
/* eventfd, timerfd and signalfd: counters, flags, the time left, masks, and that they wake. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include "cr.h"

static double left(int fd, double *interval)
{
	struct itimerspec t = {0};

	CHECK(timerfd_gettime(fd, &t) == 0, "timerfd_gettime: %m");
	*interval = t.it_interval.tv_sec + t.it_interval.tv_nsec / 1e9;
	return t.it_value.tv_sec + t.it_value.tv_nsec / 1e9;
}

static int timer(clockid_t clock, struct itimerspec t, int flags)
{
	int fd = timerfd_create(clock, TFD_NONBLOCK | TFD_CLOEXEC);

	MUST(fd >= 0 && timerfd_settime(fd, flags, &t, NULL) == 0);
	return fd;
}

static uint64_t take(int fd)
{
	uint64_t v = 0;

	return read(fd, &v, 8) == 8 ? v : 0;
}

/* Older kernels tell nobody that an eventfd is a semaphore. */
static bool kernel_tells_mode(int fd)
{
	char path[64], *text;
	bool tells;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	text = cr_read_file(path);
	tells = text && strstr(text, "eventfd-semaphore");
	free(text);
	return tells;
}

static void check_timers(int far, int absolute, int ticked, int unarmed, double age)
{
	double interval, l = left(far, &interval);

	CHECK(l <= 1000 && l > 1000 - age - 0.5, "%.3f s left of 1000 after %.3f", l, age);
	CHECK(interval == 3, "interval %.3f", interval);
	CHECK_EQ(take(far), 0);
	l = left(absolute, &interval);
	CHECK(l > 0 && l <= 5000, "absolute: %.3f s left", l);
	CHECK(take(ticked) >= 1, "an expiration that was not read is lost");
	CHECK(left(unarmed, &interval) == 0, "an unarmed timer runs");
	MUST(timerfd_settime(far, 0, &(struct itimerspec){{0, 0}, {0, 20000000}}, NULL) == 0);
	CHECK(poll(&(struct pollfd){.fd = far, .events = POLLIN}, 1, 5000) == 1, "does not fire");
	CHECK_EQ(take(far), 1);
}

int main(int argc, char **argv)
{
	int count, sem, zero, far, absolute, ticked, unarmed, sfd;
	struct signalfd_siginfo si;
	struct timespec now;
	sigset_t mask;
	double start;

	cr_init(argc, argv);
	count = eventfd(12345, EFD_NONBLOCK);
	sem = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	zero = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	start = cr_now();
	far = timer(CLOCK_MONOTONIC, (struct itimerspec){{3, 0}, {1000, 0}}, 0);
	clock_gettime(CLOCK_REALTIME, &now);
	absolute = timer(CLOCK_REALTIME, (struct itimerspec){{0, 0}, {now.tv_sec + 5000, 0}},
		TFD_TIMER_ABSTIME);
	ticked = timer(CLOCK_BOOTTIME, (struct itimerspec){{0, 0}, {0, 1000000}}, 0);
	unarmed = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	sfd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	MUST(count >= 0 && sem >= 0 && zero >= 0 && unarmed >= 0 && sfd >= 0);
	sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 17});
	usleep(20000);
	cr_wait();
	CHECK_EQ(take(count), 12345);
	if (kernel_tells_mode(sem)) {
		CHECK_EQ(take(sem), 1);
		CHECK_EQ(take(sem), 1);
		CHECK_EQ(take(sem), 0);
	}
	CHECK_EQ(take(zero), 0);
	CHECK(fcntl(zero, F_GETFD) & FD_CLOEXEC, "close-on-exec is lost");
	check_timers(far, absolute, ticked, unarmed, cr_now() - start);
	CHECK(read(sfd, &si, sizeof(si)) == sizeof(si), "no signal by the signalfd: %m");
	CHECK_EQ(si.ssi_signo, SIGRTMIN + 1);
	CHECK_EQ(si.ssi_int, 17);
	kill(getpid(), SIGUSR1);
	CHECK(read(sfd, &si, sizeof(si)) == sizeof(si) && si.ssi_signo == SIGUSR1, "SIGUSR1");
	return cr_done();
}
