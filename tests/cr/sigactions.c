// SPDX-License-Identifier: Apache-2.0
/* Handlers, flags, masks, ignored signals, and the alternate stack: as before, and they work. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "cr.h"

struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	unsigned long mask;
};

static struct kernel_sigaction before[65];
static volatile int got, got_value;
static volatile uintptr_t got_sp;

static void on_info(int sig, siginfo_t *si, void *ctx)
{
	char here;

	got = sig;
	got_value = si->si_value.sival_int;
	got_sp = (uintptr_t)&here;
}

static void on_plain(int sig)
{
	got = sig;
}

static int action(int sig, struct kernel_sigaction *ret)
{
	return syscall(SYS_rt_sigaction, sig, NULL, ret, 8);
}

static void set(int sig, void *handler, int flags, int masked)
{
	struct sigaction a = {.sa_flags = flags};

	a.sa_handler = (void (*)(int))handler;
	sigemptyset(&a.sa_mask);
	if (masked)
		sigaddset(&a.sa_mask, masked);
	MUST(sigaction(sig, &a, NULL) == 0);
}

int main(int argc, char **argv)
{
	stack_t stack = {.ss_size = 65536}, now;
	struct kernel_sigaction a;
	sigset_t mask, mask_now;
	int sig;

	cr_init(argc, argv);
	set(SIGHUP, (void *)SIG_IGN, 0, 0);
	set(SIGUSR1, (void *)on_plain, SA_RESTART | SA_NODEFER, SIGUSR2);
	set(SIGUSR2, (void *)on_plain, (int)SA_RESETHAND, SIGTERM);
	set(SIGRTMIN, (void *)on_info, SA_SIGINFO | SA_ONSTACK, SIGRTMAX);
	set(SIGRTMAX, (void *)SIG_IGN, 0, 0);
	set(SIGCHLD, (void *)on_plain, SA_NOCLDSTOP | SA_NOCLDWAIT, 0);
	stack.ss_sp = mmap(
		NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(stack.ss_sp != MAP_FAILED && sigaltstack(&stack, NULL) == 0);
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGRTMIN + 3);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	for (sig = 1; sig <= 64; sig++)
		(void)action(sig, &before[sig]);
	cr_wait();
	for (sig = 1; sig <= 64; sig++) {
		memset(&a, 0, sizeof(a));
		if (action(sig, &a) == 0)
			CHECK(memcmp(&a, &before[sig], sizeof(a)) == 0, "action of signal %d", sig);
	}
	sigprocmask(SIG_SETMASK, NULL, &mask_now);
	CHECK(memcmp(&mask, &mask_now, 8) == 0, "signal mask");
	sigaltstack(NULL, &now);
	CHECK(now.ss_sp == stack.ss_sp && now.ss_size == stack.ss_size && now.ss_flags == 0,
		"alternate stack");
	raise(SIGHUP);
	raise(SIGUSR1);
	CHECK_EQ(got, SIGUSR1);
	sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5});
	CHECK_EQ(got, SIGRTMIN);
	CHECK_EQ(got_value, 5);
	CHECK(got_sp - (uintptr_t)stack.ss_sp < stack.ss_size, "the handler ran on another stack");
	return cr_done();
}
