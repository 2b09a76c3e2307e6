// SPDX-License-Identifier: Apache-2.0
/* Threads: ids, names, TLS, masks, alternate stacks, robust lists, locks held, and a join at the
 * end. */
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "cr.h"

#define THREADS 12

static _Thread_local int tls = -1;
static _Thread_local char tls_block[5000];
static pthread_barrier_t ready;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, robust;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int passed, waiting;

static void *thread(void *arg)
{
	int n = (int)(intptr_t)arg;
	char name[16], got[16];
	sigset_t mask, now;
	stack_t stack = {.ss_size = 16384}, stack_now;
	void *head, *head_now;
	size_t len;
	pid_t tid = gettid();

	tls = n;
	cr_fill(tls_block, sizeof(tls_block), n);
	snprintf(name, sizeof(name), "thread-%d", n);
	prctl(PR_SET_NAME, name);
	sigemptyset(&mask);
	sigaddset(&mask, SIGRTMIN + n);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	stack.ss_sp = malloc(stack.ss_size);
	sigaltstack(&stack, NULL);
	syscall(SYS_get_robust_list, 0, &head, &len);
	pthread_barrier_wait(&ready);
	cr_wait_go();
	CHECK_EQ(gettid(), tid);
	CHECK_EQ(tls, n);
	CHECK(cr_filled(tls_block, sizeof(tls_block), n), "TLS of thread %d", n);
	prctl(PR_GET_NAME, got);
	CHECK(strcmp(got, name) == 0, "name '%s', not '%s'", got, name);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	CHECK(sigismember(&now, SIGRTMIN + n) == 1 && !sigismember(&now, SIGRTMIN + n + 1),
		"signal mask of thread %d", n);
	sigaltstack(NULL, &stack_now);
	CHECK(stack_now.ss_sp == stack.ss_sp && stack_now.ss_size == stack.ss_size,
		"alternate stack of thread %d", n);
	CHECK(syscall(SYS_get_robust_list, 0, &head_now, &len) == 0 && head == head_now,
		"robust list of thread %d", n);
	pthread_mutex_lock(&held);
	passed++;
	pthread_mutex_unlock(&held);
	return arg;
}

/* Ends with the robust mutex held: only the kernel, by the robust list, can say so. */
static void *owner(void *arg)
{
	pthread_mutex_lock(&robust);
	pthread_barrier_wait(&ready);
	cr_wait_go();
	return NULL;
}

static void *waiter(void *arg)
{
	pthread_barrier_wait(&ready);
	pthread_mutex_lock(&held);
	while (!waiting)
		pthread_cond_wait(&cond, &held);
	pthread_mutex_unlock(&held);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t[THREADS], own, wait;
	pthread_mutexattr_t attr;
	void *ret;
	int i;

	cr_init(argc, argv);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attr);
	pthread_barrier_init(&ready, NULL, THREADS + 3);
	for (i = 0; i < THREADS; i++)
		MUST(pthread_create(&t[i], NULL, thread, (void *)(intptr_t)i) == 0);
	MUST(pthread_create(&own, NULL, owner, NULL) == 0);
	MUST(pthread_create(&wait, NULL, waiter, NULL) == 0);
	tls = 77;
	pthread_barrier_wait(&ready);
	pthread_mutex_lock(&held);
	cr_wait();
	CHECK_EQ(tls, 77);
	usleep(50000);
	CHECK_EQ(passed, 0); /* the mutex is still held */
	waiting = 1;
	pthread_mutex_unlock(&held);
	pthread_cond_broadcast(&cond);
	for (i = 0; i < THREADS; i++) {
		pthread_join(t[i], &ret);
		CHECK_EQ((intptr_t)ret, i);
	}
	pthread_join(wait, NULL);
	pthread_join(own, NULL);
	CHECK_EQ(passed, THREADS);
	CHECK_EQ(pthread_mutex_lock(&robust), EOWNERDEAD);
	return cr_done();
}
