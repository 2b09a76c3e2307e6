// SPDX-License-Identifier: Apache-2.0
/* Limits, nice, policies, affinity, I/O priority, timer slack, oom score: of processes and threads.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "cr.h"

#define IOPRIO(class, level) (((class) << 13) | (level))

struct state {
	int nice, policy, ioprio, slack;
	cpu_set_t cpus;
};

static pthread_barrier_t ready;

static void get(struct state *s)
{
	s->nice = getpriority(PRIO_PROCESS, 0);
	s->policy = sched_getscheduler(0);
	s->ioprio = syscall(SYS_ioprio_get, 1, 0);
	s->slack = prctl(PR_GET_TIMERSLACK);
	sched_getaffinity(0, sizeof(s->cpus), &s->cpus);
}

static void compare(const struct state *was, const char *who)
{
	struct state now;

	get(&now);
	CHECK(now.nice == was->nice, "%s: nice %d, not %d", who, now.nice, was->nice);
	CHECK(now.policy == was->policy, "%s: policy %d, not %d", who, now.policy, was->policy);
	CHECK(now.ioprio == was->ioprio, "%s: ioprio %x, not %x", who, now.ioprio, was->ioprio);
	CHECK(now.slack == was->slack, "%s: slack %d, not %d", who, now.slack, was->slack);
	CHECK(CPU_EQUAL(&now.cpus, &was->cpus), "%s: affinity", who);
}

static void *thread(void *arg)
{
	struct sched_param zero = {0};
	struct state was;
	cpu_set_t one;
	int cpu = 0;

	sched_getaffinity(0, sizeof(one), &one);
	while (!CPU_ISSET(cpu, &one))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	MUST(sched_setaffinity(0, sizeof(one), &one) == 0);
	MUST(sched_setscheduler(0, SCHED_BATCH, &zero) == 0);
	MUST(setpriority(PRIO_PROCESS, 0, 9) == 0);
	MUST(prctl(PR_SET_TIMERSLACK, 123456) == 0);
	get(&was);
	pthread_barrier_wait(&ready);
	cr_wait_go();
	compare(&was, "thread");
	return NULL;
}

static void set_limits(void)
{
	MUST(setrlimit(RLIMIT_CORE, &(struct rlimit){1000, 2000}) == 0);
	MUST(setrlimit(RLIMIT_STACK, &(struct rlimit){4 << 20, RLIM_INFINITY}) == 0 ||
		setrlimit(RLIMIT_STACK, &(struct rlimit){4 << 20, 8 << 20}) == 0);
	MUST(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 30, 2 << 30}) == 0);
}

int main(int argc, char **argv)
{
	struct sched_param zero = {0};
	struct rlimit limits[RLIM_NLIMITS], l;
	struct state was;
	char *score;
	pthread_t t;
	FILE *f;
	int i, oom;

	cr_init(argc, argv);
	set_limits();
	for (i = 0; i < RLIM_NLIMITS; i++)
		MUST(getrlimit(i, &limits[i]) == 0);
	pthread_barrier_init(&ready, NULL, 2);
	MUST(pthread_create(&t, NULL, thread, NULL) == 0);
	pthread_barrier_wait(&ready);
	MUST(setpriority(PRIO_PROCESS, 0, 5) == 0 && sched_setscheduler(0, SCHED_IDLE, &zero) == 0);
	MUST(syscall(SYS_ioprio_set, 1, 0, IOPRIO(2, 6)) == 0);
	MUST(personality(UNAME26) != -1);
	f = fopen("/proc/self/oom_score_adj", "w");
	MUST(f && fputs("555", f) >= 0 && fclose(f) == 0);
	get(&was);
	cr_wait();
	compare(&was, "main");
	for (i = 0; i < RLIM_NLIMITS; i++) {
		MUST(getrlimit(i, &l) == 0);
		CHECK(l.rlim_cur == limits[i].rlim_cur && l.rlim_max == limits[i].rlim_max,
			"limit %d: %ld/%ld, not %ld/%ld", i, (long)l.rlim_cur, (long)l.rlim_max,
			(long)limits[i].rlim_cur, (long)limits[i].rlim_max);
	}
	CHECK_EQ(personality(0xffffffff), UNAME26);
	score = cr_read_file("/proc/self/oom_score_adj");
	oom = score ? atoi(score) : -1;
	CHECK_EQ(oom, 555);
	free(score);
	pthread_join(t, NULL);
	return cr_done();
}
