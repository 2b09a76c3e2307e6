// SPDX-License-Identifier: Apache-2.0
/* The lesser process attributes of prctl(2), and the pids that new children get. */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "cr.h"

int main(int argc, char **argv)
{
	int tsc = 0;
	pid_t pid, other;

	cr_init(argc, argv);
	MUST(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
	MUST(prctl(PR_SET_TSC, PR_TSC_ENABLE) == 0);
	MUST(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) == 0);
	MUST(prctl(PR_SET_NAME, "renamed") == 0);
	other = cr_fork();
	if (other == 0) {
		cr_child_ready();
		cr_wait_go();
		_exit(cr_done());
	}
	cr_wait();
	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
	CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_EARLY);
	CHECK(prctl(PR_GET_TSC, &tsc) == 0 && tsc == PR_TSC_ENABLE, "TSC mode %d", tsc);
	pid = fork(); /* must get a pid that nobody has */
	MUST(pid >= 0);
	if (pid == 0)
		_exit(0);
	CHECK(pid != getpid() && pid != other, "pid %d is given twice", pid);
	CHECK(waitpid(pid, NULL, 0) == pid, "waitpid: %m");
	cr_reap(other);
	return cr_done();
}
