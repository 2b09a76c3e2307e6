// SPDX-License-Identifier: Apache-2.0
/* The lesser process attributes of prctl(2), and the pids that new children get. */
#include <linux/membarrier.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cr.h"

#ifndef MEMBARRIER_CMD_GET_REGISTRATIONS
#define MEMBARRIER_CMD_GET_REGISTRATIONS (1 << 9)
#endif

int main(int argc, char **argv)
{
	int tsc = 0, registered = 0;
	pid_t pid, other;

	cr_init(argc, argv);
	MUST(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
	MUST(prctl(PR_SET_TSC, PR_TSC_ENABLE) == 0);
	MUST(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) == 0);
	MUST(prctl(PR_SET_NAME, "renamed") == 0);
	/* the kernel tells of registrations since 6.3 */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GET_REGISTRATIONS, 0, 0) >= 0)
		registered = MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
	if (registered)
		MUST(syscall(SYS_membarrier, registered, 0, 0) == 0);
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
	if (registered)
		CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0,
			"membarrier: %m");
	pid = fork(); /* must get a pid that nobody has */
	MUST(pid >= 0);
	if (pid == 0)
		_exit(0);
	CHECK(pid != getpid() && pid != other, "pid %d is given twice", pid);
	CHECK(waitpid(pid, NULL, 0) == pid, "waitpid: %m");
	cr_reap(other);
	return cr_done();
}
