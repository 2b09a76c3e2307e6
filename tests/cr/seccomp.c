// SPDX-License-Identifier: Apache-2.0
/* Seccomp filters: two on the process, a third on one thread only; they go on to judge. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "cr.h"

static pthread_barrier_t ready;

/* @nr answers with the errno @error. */
static void filter(int nr, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code};

	MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0);
}

static int error_of(long nr)
{
	errno = 0;
	return syscall(nr, 0, 0, 0) < 0 ? errno : 0;
}

static int filters(void)
{
	char path[64], value[64], *text;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", gettid());
	text = cr_read_file(path);
	cr_field(text ? text : "", "Seccomp_filters", value, sizeof(value));
	free(text);
	return atoi(value);
}

static void *thread(void *arg)
{
	int n;

	filter(SYS_getppid, 42);
	n = filters();
	pthread_barrier_wait(&ready);
	cr_wait_go();
	CHECK_EQ(error_of(SYS_getppid), 42);
	CHECK_EQ(error_of(SYS_getpgid), 40);
	CHECK_EQ(filters(), n);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;
	int n;

	cr_init(argc, argv);
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	filter(SYS_getpgid, 40);
	filter(SYS_getsid, 41);
	n = filters();
	pthread_barrier_init(&ready, NULL, 2);
	MUST(pthread_create(&t, NULL, thread, NULL) == 0);
	pthread_barrier_wait(&ready);
	cr_wait();
	CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
	CHECK_EQ(error_of(SYS_getpgid), 40);
	CHECK_EQ(error_of(SYS_getsid), 41);
	CHECK_EQ(error_of(SYS_getppid), 0); /* only in the thread */
	CHECK_EQ(filters(), n);
	pthread_join(t, NULL);
	return cr_done();
}
