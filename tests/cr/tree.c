// SPDX-License-Identifier: Apache-2.0
/* Sessions, process groups, parents, orphans of a subreaper, the name and the death signal. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "cr.h"

struct ids {
	pid_t pid, ppid, pgid, sid;
};

static void ids_get(struct ids *i)
{
	*i = (struct ids){getpid(), getppid(), getpgid(0), getsid(0)};
}

static void ids_check(const struct ids *was)
{
	struct ids now;

	ids_get(&now);
	CHECK_EQ(now.pid, was->pid);
	CHECK_EQ(now.ppid, was->ppid);
	CHECK_EQ(now.pgid, was->pgid);
	CHECK_EQ(now.sid, was->sid);
}

static int member(void)
{
	char name[16] = "";
	struct ids was;
	int sig = 0;

	MUST(prctl(PR_SET_NAME, "a ) b ( c") == 0);
	MUST(prctl(PR_SET_PDEATHSIG, SIGUSR2) == 0);
	ids_get(&was);
	cr_child_ready();
	cr_wait_go();
	ids_check(&was);
	prctl(PR_GET_NAME, name);
	CHECK(strcmp(name, "a ) b ( c") == 0, "name '%s'", name);
	prctl(PR_GET_PDEATHSIG, &sig);
	CHECK_EQ(sig, SIGUSR2);
	return cr_done();
}

/* A session leader with a group of its own and one in another group. */
static int leader(void)
{
	pid_t plain, grouped;
	struct ids was;

	MUST(setsid() == getpid());
	plain = cr_fork();
	if (plain == 0)
		_exit(member());
	grouped = cr_fork();
	if (grouped == 0) {
		MUST(setpgid(0, 0) == 0);
		_exit(member());
	}
	ids_get(&was);
	cr_child_ready();
	cr_wait_go();
	ids_check(&was);
	CHECK_EQ(getpgid(grouped), grouped);
	CHECK_EQ(getpgid(plain), was.pid);
	cr_reap(plain);
	cr_reap(grouped);
	return cr_done();
}

/*
 * Its parent leads a session and is gone: the orphan came to the subreaper (the main process), in a
 * session without a leader.
 */
static pid_t make_orphan(void)
{
	volatile pid_t *pid =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t middle;

	MUST(pid != MAP_FAILED);
	middle = cr_fork();
	if (middle == 0) {
		struct ids was;
		pid_t lower;

		MUST(setsid() > 0);
		lower = fork();
		MUST(lower >= 0);
		if (lower == 0) {
			while (getppid() != pid[1])
				usleep(1000);
			ids_get(&was);
			pid[2] = 1;
			cr_wait_go();
			ids_check(&was);
			_exit(cr_done());
		}
		pid[0] = lower;
		pid[1] = getppid();
		cr_child_ready();
		_exit(0);
	}
	cr_reap(middle);
	while (!pid[2])
		usleep(1000);
	return pid[0];
}

int main(int argc, char **argv)
{
	pid_t led, orphan;
	struct ids was;
	int reaper = 0;

	cr_init(argc, argv);
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	orphan = make_orphan();
	led = cr_fork();
	if (led == 0)
		_exit(leader());
	ids_get(&was);
	cr_wait();
	CHECK_EQ(getpid(), was.pid);
	CHECK_EQ(getpgid(0), was.pgid);
	CHECK_EQ(getsid(0), was.sid);
	CHECK_EQ(getsid(led), led);
	CHECK_EQ(getpgid(led), led);
	prctl(PR_GET_CHILD_SUBREAPER, &reaper);
	CHECK_EQ(reaper, 1);
	cr_reap(orphan);
	cr_reap(led);
	return cr_done();
}
