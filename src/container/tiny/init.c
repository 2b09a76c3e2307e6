// SPDX-License-Identifier: Apache-2.0
/*
 * kist-init: what kist executes in a container, from a sealed memfd, before any program of the
 * container itself: no file of the host is ever behind /proc/self/exe in there. As "init" it is
 * pid 1: starts the command, reaps, forwards signals, ends with the command's status. As "exec" it
 * only executes the command. Holds no fd once the command runs.
 *
 * kist-init init|exec TTY SYNC PATH ARGV0 [ARG…]; TTY 1: fd 0 becomes the controlling terminal;
 * SYNC: a socket to which a failure of execve(2) is written.
 */
#include "container/tiny/start.h"
#include "container/tiny/tiny.h"

#define SIGCHLD	       17
#define WNOHANG	       1
#define TIOCSCTTY      0x540e
#define PR_SET_NAME    15
#define EINTR	       4
#define ALL_FDS	       (~0u)
#define F_SETFD_CLOSE  1
#define MIN_ARGC       6
#define EXIT_NOT_FOUND 127

static void execute(int sync, char **argv, char **envp)
{
	struct start_failure f = {.type = START_EXEC_FAILED};

	TINY_CALL(__NR_fcntl, sync, F_SETFD, F_SETFD_CLOSE, 0, 0);
	f.code = (int)TINY_CALL(__NR_execve, argv[0], argv + 1, envp, 0, 0);
	tiny_write(sync, &f, sizeof(f));
	tiny_exit(EXIT_NOT_FOUND);
}

static int exit_status(int wait_status)
{
	int sig = wait_status & 0x7f;

	return sig ? 128 + sig : (wait_status >> 8) & 0xff;
}

/* Reaps all that have ended. Returns the command's exit status when it is among them, else -1. */
static int reap(int command)
{
	int status, result = -1;
	long pid;

	while ((pid = TINY_CALL(__NR_wait4, -1, &status, WNOHANG, 0, 0)) > 0)
		if (pid == command)
			result = exit_status(status);
	return result;
}

static int serve(int command)
{
	tiny_sigset all = ~0ull;
	long sig;
	int status;

	for (;;) {
		sig = TINY_CALL(__NR_rt_sigtimedwait, &all, 0, 0, sizeof(all), 0);
		if (sig < 0) /* interrupted by a freeze or a tracer */
			continue;
		if (sig != SIGCHLD) {
			TINY_CALL(__NR_kill, command, sig, 0, 0, 0);
			continue;
		}
		status = reap(command);
		if (status >= 0)
			return status;
	}
}

int tiny_main(int argc, char **argv, char **envp)
{
	tiny_sigset all = ~0ull, old = 0;
	int sync, tty;
	long pid;

	if (argc < MIN_ARGC)
		return EXIT_NOT_FOUND;
	tty = argv[2][0] == '1';
	sync = (int)tiny_number(argv[3]);
	if (argv[1][0] != 'i')
		execute(sync, argv + 4, envp);
	TINY_CALL(__NR_prctl, PR_SET_NAME, "kist-init", 0, 0, 0);
	tiny_sigmask(&all, &old); /* before the child: its SIGCHLD must not be lost */
	pid = TINY_CALL(__NR_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		tiny_sigmask(&old, 0);
		TINY_CALL(__NR_setsid, 0, 0, 0, 0, 0);
		if (tty)
			TINY_CALL(__NR_ioctl, 0, TIOCSCTTY, 0, 0, 0);
		execute(sync, argv + 4, envp);
	}
	if (pid < 0) {
		struct start_failure f = {.type = START_EXEC_FAILED, .code = (int)pid};

		tiny_write(sync, &f, sizeof(f));
		return EXIT_NOT_FOUND;
	}
	TINY_CALL(__NR_close_range, 0, ALL_FDS, 0, 0, 0);
	return serve((int)pid);
}
