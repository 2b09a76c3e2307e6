// SPDX-License-Identifier: Apache-2.0
/*
 * fault() of the kist that tests use to die or fail on purpose: KIST_FAULT="kill WHAT/STEP [N]" or
 * "fail WHAT/STEP [N]" acts at the Nth time (in one process and those it forks together).
 * KIST_FAULT_LOG names a file in which the points stand that were passed, a line each. Both live in
 * shared memory: the processes that kist makes have neither its files nor its fds for long.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fault.h"

#define LOG_SIZE (256u << 10)

static char action[8], point[80];
static atomic_int *left; /* times until it acts */
static struct log {
	atomic_size_t used;
	char text[LOG_SIZE - sizeof(atomic_size_t)];
} * log_map;

static void *map(int fd, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

__attribute__((constructor)) static void setup(void)
{
	const char *what = getenv("KIST_FAULT"), *path = getenv("KIST_FAULT_LOG");
	int times = 1, fd;

	if (what && sscanf(what, "%7s %79s %d", action, point, &times) < 2)
		abort();
	left = map(-1, sizeof(*left));
	atomic_store(left, times);
	if (!path)
		return;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, LOG_SIZE) < 0)
		abort();
	log_map = map(fd, LOG_SIZE);
	(void)close(fd); /* the mapping stays */
}

static void note(const char *text)
{
	size_t n = strlen(text), at;

	if (!log_map)
		return;
	at = atomic_fetch_add(&log_map->used, n + 1);
	if (at + n + 1 > sizeof(log_map->text))
		abort();
	memcpy(log_map->text + at, text, n);
	log_map->text[at + n] = '\n';
}

int fault(const char *what, const char *step, struct err *err)
{
	char here[80];

	snprintf(here, sizeof(here), "%s/%s", what, step);
	note(here);
	if (strcmp(here, point) != 0 || atomic_fetch_sub(left, 1) != 1)
		return 0;
	if (strcmp(action, "kill") == 0)
		(void)kill(getpid(), SIGKILL);
	return err_setx(err, -EIO, "a test wants '%s' to fail", here);
}
