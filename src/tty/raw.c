// SPDX-License-Identifier: Apache-2.0
/*
 * Raw mode that always ends: by us, or, when kist is killed by SIGKILL or crashes, by a small child
 * that waits for the end of a pipe.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/util.h"
#include "sys/syscall.h"
#include "tty/tty.h"

#define GUARD_PIPE 3
#define GUARD_TTY  4

static _Noreturn void guard_main(int pipe_fd, int tty_fd, const struct termios *saved)
{
	sigset_t all;
	char byte;
	ssize_t n;

	(void)sigfillset(&all);			    /* cannot fail */
	(void)sigprocmask(SIG_SETMASK, &all, NULL); /* SIGTTOU too: we may be in the background */
	(void)prctl(PR_SET_NAME, "kist-tty", 0, 0, 0); /* only for ps */
	/* The pipe must not be held by its other end's owner's children: keep only two fds. */
	if (dup2(pipe_fd, GUARD_PIPE + 10) < 0 || dup2(tty_fd, GUARD_TTY + 10) < 0 ||
		dup2(GUARD_PIPE + 10, GUARD_PIPE) < 0 || dup2(GUARD_TTY + 10, GUARD_TTY) < 0)
		_exit(1);
	(void)sys_close_range(GUARD_TTY + 1, ~0u, 0); /* the worst is a fd held for nothing */
	(void)sys_close_range(0, 2, 0);
	do
		n = read(GUARD_PIPE, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		(void)tcsetattr(GUARD_TTY, TCSADRAIN, saved); /* nobody is left to tell */
	_exit(0);
}

static int guard_start(struct tty_raw *t, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe");
	t->guard_pid = fork();
	if (t->guard_pid == 0)
		guard_main(fds[0], t->fd, &t->saved);
	(void)close(fds[0]); /* the guard's */
	t->guard = fds[1];
	if (t->guard_pid < 0) {
		int r = -errno;

		(void)close(TAKE_FD(t->guard)); /* unused */
		return err_set(err, r, "cannot start the guard of the terminal");
	}
	return 0;
}

int tty_raw_enter(struct tty_raw *t, int fd, struct err *err)
{
	struct termios raw;
	int r;

	*t = (struct tty_raw)TTY_RAW_NONE;
	if (tcgetattr(fd, &t->saved) < 0)
		return 0;
	t->fd = fd;
	r = guard_start(t, err);
	if (r < 0) {
		t->fd = -EBADF;
		return r;
	}
	raw = t->saved;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0) {
		err_set(err, -errno, "cannot set the terminal to raw mode");
		tty_raw_leave(t);
		return err ? err->code : -EIO;
	}
	return 0;
}

void tty_raw_leave(struct tty_raw *t)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old;

	if (t->fd < 0)
		return;
	(void)sigaction(SIGTTOU, &ignore, &old);      /* as a background job we may set it too */
	(void)tcsetattr(t->fd, TCSADRAIN, &t->saved); /* fails only when the terminal is gone */
	(void)sigaction(SIGTTOU, &old, NULL);
	(void)io_write(t->guard, "", 1); /* tells the guard that all is well */
	(void)close(TAKE_FD(t->guard));
	(void)waitpid(t->guard_pid, NULL, 0); /* a child of ours */
	t->fd = -EBADF;
}
