// SPDX-License-Identifier: Apache-2.0
/* See guard.h. */
#include "base/guard.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/util.h"

static _Noreturn void child(int fd, void (*act)(void *arg), void *arg)
{
	ssize_t n;
	char done;

	do
		n = read(fd, &done, 1);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		act(arg);
	_exit(0);
}

int guard_start(void (*act)(void *arg), void *arg, struct guard *ret, struct err *err)
{
	sigset_t all, old;
	int s[2], saved;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) < 0)
		return err_set(err, -errno, "cannot make a socket pair");
	/* A signal for the whole foreground (Ctrl-C) is not for the guard. */
	(void)sigfillset(&all); /* cannot fail, as the others here */
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0) {
		(void)close(s[1]); /* else its end would never be seen */
		child(s[0], act, arg);
	}
	saved = errno;
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	(void)close(s[0]); /* the child's */
	if (pid < 0) {
		(void)close(s[1]); /* never used */
		return err_set(err, -saved, "cannot fork");
	}
	*ret = (struct guard){.pid = pid, .fd = s[1]};
	return 0;
}

void guard_done(struct guard *g)
{
	if (!g->pid)
		return;
	if (send(g->fd, "", 1, MSG_NOSIGNAL) < 0)
		(void)kill(g->pid, SIGKILL); /* it is gone, or must not act */
	(void)close(g->fd);		     /* all is said */
	while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*g = (struct guard){0};
}
