// SPDX-License-Identifier: Apache-2.0
/* Children that have ended and are not waited for: by exit, by a signal, with a group of their own.
 */
#include <signal.h>
#include <sys/wait.h>

#include "cr.h"

static pid_t zombie(int status, int sig, bool grouped)
{
	siginfo_t si;
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid == 0) {
		if (grouped)
			setpgid(0, 0);
		if (sig)
			kill(getpid(), sig);
		_exit(status);
	}
	MUST(waitid(P_PID, pid, &si, WEXITED | WNOWAIT) == 0);
	return pid;
}

static void check(pid_t pid, int status, int sig)
{
	siginfo_t si = {0};
	int got = -1;

	CHECK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT | WNOHANG) == 0, "waitid(%d): %m", pid);
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_code, sig ? CLD_KILLED : CLD_EXITED);
	CHECK_EQ(si.si_status, sig ? sig : status);
	CHECK_EQ(waitpid(pid, &got, WNOHANG), pid);
	CHECK_EQ(got, sig ? sig : status << 8);
}

int main(int argc, char **argv)
{
	pid_t a, b, c;

	cr_init(argc, argv);
	a = zombie(42, 0, false);
	b = zombie(0, SIGKILL, false);
	c = zombie(0, 0, true);
	cr_wait();
	CHECK_EQ(getpgid(c), c);
	check(a, 42, 0);
	check(b, 0, SIGKILL);
	check(c, 0, 0);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
	CHECK_EQ(errno, ECHILD);
	return cr_done();
}
