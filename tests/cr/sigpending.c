// SPDX-License-Identifier: Apache-2.0
/* Pending signals with their siginfo, of the process and of single threads, in their order. */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "cr.h"

static sigset_t all;
static pthread_barrier_t ready;
static pthread_t other_thread;

static void take(siginfo_t *si, int sig)
{
	struct timespec none = {0};
	sigset_t one;

	memset(si, 0, sizeof(*si));
	sigemptyset(&one);
	sigaddset(&one, sig);
	/* not libc's, which makes SI_USER of SI_TKILL */
	CHECK(syscall(SYS_rt_sigtimedwait, &one, si, &none, 8) == sig,
		"signal %d is not pending: %m", sig);
}

static void *other(void *arg)
{
	siginfo_t si;

	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&ready); /* the main thread has queued */
	cr_wait_go();
	take(&si, SIGRTMIN + 5);
	CHECK_EQ(si.si_value.sival_int, 55);
	CHECK_EQ(si.si_code, SI_QUEUE);
	take(&si, SIGTERM);
	CHECK_EQ(si.si_code, SI_TKILL);
	return NULL;
}

int main(int argc, char **argv)
{
	siginfo_t si, raw = {.si_signo = SIGRTMIN + 2, .si_code = -60};
	struct timespec none = {0};
	int i;

	cr_init(argc, argv);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	pthread_barrier_init(&ready, NULL, 2);
	MUST(pthread_create(&other_thread, NULL, other, NULL) == 0);
	pthread_barrier_wait(&ready);
	for (i = 0; i < 3; i++)
		MUST(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 100 + i}) == 0);
	/* the bytes of a foreign siginfo, with a code of our own */
	cr_fill((char *)&raw + 16, 32, 9); /* what the kernel keeps of it */
	MUST(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN + 2, &raw) == 0);
	MUST(kill(getpid(), SIGUSR1) == 0);
	MUST(pthread_kill(pthread_self(), SIGUSR2) == 0);
	MUST(pthread_sigqueue(other_thread, SIGRTMIN + 5, (union sigval){.sival_int = 55}) == 0);
	MUST(pthread_kill(other_thread, SIGTERM) == 0);
	pthread_barrier_wait(&ready);
	cr_wait();
	take(&si, SIGUSR1);
	CHECK_EQ(si.si_code, SI_USER);
	CHECK_EQ(si.si_pid, getpid());
	CHECK_EQ(si.si_uid, getuid());
	take(&si, SIGUSR2);
	CHECK_EQ(si.si_code, SI_TKILL);
	for (i = 0; i < 3; i++) {
		take(&si, SIGRTMIN + 1);
		CHECK_EQ(si.si_value.sival_int, 100 + i);
	}
	take(&si, SIGRTMIN + 2);
	CHECK_EQ(si.si_code, -60);
	CHECK(cr_filled((char *)&si + 16, 32, 9), "bytes of a queued siginfo");
	pthread_join(other_thread, NULL);
	sigdelset(&all, SIGCHLD);
	CHECK_EQ(sigtimedwait(&all, &si, &none), -1); /* and nothing else */
	return cr_done();
}
