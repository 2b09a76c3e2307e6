// SPDX-License-Identifier: Apache-2.0
/* Stopped children: they stay stopped, go on with SIGCONT, and their parent's waits see what is
 * new. */
#include <signal.h>
#include <sys/wait.h>

#include "cr.h"

static char state_of(pid_t pid)
{
	char path[64], value[64], *text;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	text = cr_read_file(path);
	cr_field(text ? text : "", "State", value, sizeof(value));
	free(text);
	return value[0];
}

static pid_t stopped(int status)
{
	pid_t pid = cr_fork();

	if (pid == 0) {
		cr_child_ready();
		kill(getpid(), SIGSTOP);
		_exit(status);
	}
	while (state_of(pid) != 'T')
		usleep(1000);
	return pid;
}

int main(int argc, char **argv)
{
	pid_t told, untold, twice;
	int status = 0;

	cr_init(argc, argv);
	told = stopped(7);
	MUST(waitpid(told, &status, WUNTRACED) == told); /* this stop is no news */
	untold = stopped(8);
	twice = stopped(9);
	MUST(kill(twice, SIGSTOP) == 0 && kill(twice, SIGUSR1) == 0); /* these wait */
	cr_wait();
	usleep(100000);
	CHECK_EQ(state_of(told), 'T');
	CHECK_EQ(state_of(untold), 'T');
	CHECK_EQ(waitpid(untold, &status, WUNTRACED | WNOHANG), untold);
	CHECK(WIFSTOPPED(status), "status 0x%x", status);
	CHECK_EQ(state_of(twice), 'T');
	kill(twice, SIGCONT); /* takes the second stop away, and lets the other signal act */
	CHECK_EQ(waitpid(twice, &status, 0), twice);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1, "status 0x%x", status);
	kill(told, SIGCONT);
	kill(untold, SIGCONT);
	CHECK_EQ(waitpid(told, &status, 0), told);
	CHECK_EQ(status, 7 << 8);
	CHECK_EQ(waitpid(untold, &status, 0), untold);
	CHECK_EQ(status, 8 << 8);
	return cr_done();
}
