// SPDX-License-Identifier: Apache-2.0
/* memfds: content, size, position, seals, a mapping, one shared by two processes, one only mapped.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cr.h"

#define LEN (256ul << 10)

static int make(const char *name, unsigned int flags)
{
	static char data[LEN];
	int fd = memfd_create(name, flags | MFD_CLOEXEC);

	MUST(fd >= 0);
	cr_fill(data, LEN, 1);
	MUST(write(fd, data, LEN) == (ssize_t)LEN);
	return fd;
}

int main(int argc, char **argv)
{
	int fd, sealed, hole, mapped;
	char *map, *lone, page[4096], link[64] = "", path[64];
	struct stat st;
	pid_t pid;

	cr_init(argc, argv);
	fd = make("plain", 0);
	sealed = make("sealed", MFD_ALLOW_SEALING);
	MUST(fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0);
	hole = make("hole", 0);
	MUST(ftruncate(hole, 10ul << 30) == 0);
	mapped = make("lone", 0);
	map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	lone = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0);
	MUST(map != MAP_FAILED && lone != MAP_FAILED);
	close(mapped);
	MUST(lseek(fd, 12345, SEEK_SET) == 12345);
	pid = cr_fork();
	if (pid == 0) {
		cr_child_ready();
		cr_wait_go();
		MUST(pwrite(fd, "child", 6, 8192) == 6);
		_exit(cr_done());
	}
	cr_wait();
	cr_reap(pid);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 12345);
	CHECK(memcmp(map + 8192, "child", 6) == 0, "a write of the other process");
	CHECK(cr_filled(map, 8192, 1), "content by the mapping");
	CHECK(cr_filled(lone, LEN, 1), "content of the one that is only mapped");
	CHECK_EQ(fcntl(sealed, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	CHECK(write(sealed, "x", 1) < 0 && errno == EPERM, "a sealed memfd can be written");
	CHECK(pread(sealed, page, 4096, 0) == 4096 && cr_filled(page, 4096, 1), "sealed content");
	fstat(hole, &st);
	CHECK_EQ(st.st_size, 10ul << 30);
	CHECK(st.st_blocks < 4096, "the hole was filled: %ld blocks", (long)st.st_blocks);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	MUST(readlink(path, link, sizeof(link) - 1) > 0);
	CHECK(strcmp(link, "/memfd:plain (deleted)") == 0, "name '%s'", link);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC, "close-on-exec");
	return cr_done();
}
