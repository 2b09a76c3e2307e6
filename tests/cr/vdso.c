// SPDX-License-Identifier: Apache-2.0
/* The vdso: where the auxiliary vector says, callable, also by a thread that is in it all the time.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <time.h>

#include "cr.h"

static volatile int stop, started;
static volatile unsigned long calls;
static volatile int backwards;

static void *spin(void *arg)
{
	struct timespec a, b = {0};

	while (!stop) {
		clock_gettime(CLOCK_MONOTONIC, &a);
		if (a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec))
			backwards++;
		b = a;
		calls++;
		started = 1;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long base = getauxval(AT_SYSINFO_EHDR), before;
	struct timespec mono, boot;
	struct timeval tv;
	char *maps, want[64];
	pthread_t t;
	unsigned int cpu;

	cr_init(argc, argv);
	if (!base)
		cr_skip("no vdso");
	MUST(pthread_create(&t, NULL, spin, NULL) == 0);
	while (!started)
		usleep(1000);
	cr_wait();
	before = calls;
	usleep(50000);
	CHECK(calls > before, "the thread in the vdso stands still");
	stop = 1;
	pthread_join(t, NULL);
	CHECK_EQ(backwards, 0);
	maps = cr_read_file("/proc/self/maps");
	snprintf(want, sizeof(want), "%lx-", base);
	CHECK(maps && strstr(maps, want) && strstr(strstr(maps, want), "[vdso]"),
		"no vdso at %lx as the auxiliary vector says", base);
	free(maps);
	CHECK(memcmp((void *)base, "\177ELF", 4) == 0, "no ELF image at the vdso's place");
	CHECK(clock_gettime(CLOCK_MONOTONIC_COARSE, &mono) == 0, "coarse clock");
	CHECK(clock_gettime(CLOCK_BOOTTIME, &boot) == 0, "boot clock");
	CHECK(gettimeofday(&tv, NULL) == 0 && labs(time(NULL) - tv.tv_sec) <= 1, "time");
	CHECK(getcpu(&cpu, NULL) == 0 && cpu < 4096, "getcpu");
	return cr_done();
}
