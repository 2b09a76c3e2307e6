// SPDX-License-Identifier: Apache-2.0
/*
 * Restartable sequences: the registration made by libc lives on (the processor's number in it
 * follows the thread), and a thread that was inside a critical section leaves it by its abort
 * handler.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/rseq.h>

#include "cr.h"

static volatile int go, inside;
static volatile unsigned long aborts;

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/* Spins inside a critical section until `go`; every abort starts it anew. */
static void section(void)
{
	struct rseq *rs = area();

	__asm__ volatile(".pushsection __rseq_cs, \"aw\"\n"
			 ".balign 32\n"
			 "3: .long 0, 0\n"
			 ".quad 1f, (2f - 1f), 4f\n"
			 ".popsection\n"
			 "5: leaq 3b(%%rip), %%rax\n"
			 "movq %%rax, 8(%[rs])\n" /* rseq_cs */
			 "1: movl $1, %[inside]\n"
			 "pause\n"
			 "cmpl $0, %[go]\n"
			 "je 1b\n"
			 "2: movq $0, 8(%[rs])\n"
			 "jmp 6f\n"
			 ".byte 0x0f, 0xb9, 0x3d\n"
			 ".long 0x53053053\n" /* the signature that the registration demands */
			 "4: incq %[aborts]\n"
			 "jmp 5b\n"
			 "6:\n"
			 : [inside] "+m"(inside), [aborts] "+m"(aborts)
			 : [rs] "r"(rs), [go] "m"(go)
			 : "rax", "memory", "cc");
}

static void *thread(void *arg)
{
	section();
	return NULL;
}

static void check_cpu(const char *when)
{
	struct rseq *rs = area();
	cpu_set_t all, one;
	int cpu;

	sched_getaffinity(0, sizeof(all), &all);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK(sched_setaffinity(0, sizeof(one), &one) == 0, "affinity %d: %m", cpu);
		CHECK(rs->cpu_id == (uint32_t)cpu, "%s: cpu %d, rseq says %u", when, cpu,
			rs->cpu_id);
	}
	sched_setaffinity(0, sizeof(all), &all);
}

int main(int argc, char **argv)
{
	pthread_t t;

	cr_init(argc, argv);
	if (__rseq_size == 0)
		cr_skip("libc has not registered rseq");
	check_cpu("before");
	MUST(pthread_create(&t, NULL, thread, NULL) == 0);
	while (!inside)
		usleep(1000);
	cr_wait();
	check_cpu("after");
	go = 1;
	pthread_join(t, NULL);
	printf("%lu aborts\n", aborts);
	return cr_done();
}
