// SPDX-License-Identifier: Apache-2.0
/*
 * The load of the memory benchmark: memory DIR MIB fills so much memory with random bytes, makes
 * DIR/ready and waits. When DIR/check appears it looks whether all is there, and makes DIR/sound.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static char dir[256];

static const char *path(const char *name)
{
	static char p[300];

	snprintf(p, sizeof(p), "%s/%s", dir, name);
	return p;
}

static void mark(const char *name)
{
	int fd = open(path(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		exit(1);
	close(fd);
}

/* xorshift64: no two pages are alike, and nothing compresses. */
static uint64_t next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

int main(int argc, char **argv)
{
	uint64_t x = 88172645463325252ull, *p;
	size_t i, n;

	if (argc != 3)
		return 2;
	snprintf(dir, sizeof(dir), "%s", argv[1]);
	n = strtoul(argv[2], NULL, 10) * (1 << 20) / sizeof(*p);
	p = mmap(NULL, n * sizeof(*p), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return 1;
	for (i = 0; i < n; i++)
		p[i] = next(&x);
	mark("ready");
	while (access(path("check"), F_OK) < 0)
		usleep(10000);
	x = 88172645463325252ull;
	for (i = 0; i < n; i++)
		if (p[i] != next(&x))
			return 1;
	mark("sound");
	return 0;
}
