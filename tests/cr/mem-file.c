// SPDX-License-Identifier: Apache-2.0
/* File mappings: private with some pages changed, shared, at an offset, of a deleted file. */
#include <fcntl.h>
#include <sys/mman.h>

#include "cr.h"

#define LEN (1ul << 20)

static int make_file(const char *name)
{
	static char data[LEN];
	int fd = open(cr_path(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	MUST(fd >= 0);
	cr_fill(data, LEN, 1);
	MUST(write(fd, data, LEN) == (ssize_t)LEN);
	return fd;
}

static char *map(int fd, int prot, int flags, off_t off, size_t len)
{
	char *p = mmap(NULL, len, prot, flags, fd, off);

	MUST(p != MAP_FAILED);
	return p;
}

int main(int argc, char **argv)
{
	int fd, gone, rw = PROT_READ | PROT_WRITE;
	char *priv, *shared, *off, *ro, *later, *ghost, *ghost_shared, got[16], page[LEN];

	cr_init(argc, argv);
	fd = make_file("mapped");
	gone = make_file("gone");
	priv = map(fd, rw, MAP_PRIVATE, 0, LEN);
	shared = map(fd, rw, MAP_SHARED, 0, LEN);
	off = map(fd, rw, MAP_PRIVATE, 8192, 16384);
	ro = map(fd, PROT_READ, MAP_PRIVATE, 0, LEN);
	later = map(fd, PROT_READ, MAP_SHARED, 0, LEN); /* made writable afterwards */
	ghost = map(gone, rw, MAP_PRIVATE, 0, LEN);
	ghost_shared = map(gone, rw, MAP_SHARED, 0, LEN);
	MUST(unlink(cr_path("gone")) == 0);
	close(gone);
	cr_fill(priv + 4096, 4096, 2);
	cr_fill(off, 4096, 3);
	cr_fill(shared + 65536, 4096, 4);
	cr_fill(ghost, 4096, 5);
	cr_fill(ghost_shared + 4096, 4096, 6);
	cr_wait();
	cr_fill(page, LEN, 1);
	CHECK(memcmp(priv, page, 4096) == 0, "private: a clean page");
	CHECK(cr_filled(priv + 4096, 4096, 2), "private: a dirty page");
	CHECK(cr_filled(off, 4096, 3), "private at an offset: a dirty page");
	CHECK(memcmp(off + 4096, page + 12288, 4096) == 0, "private at an offset: a clean page");
	CHECK(cr_filled(ro + 65536, 4096, 4), "a shared mapping's write, seen by another one");
	CHECK(memcmp(ro + 4096, page + 4096, 4096) == 0, "a private write stays private");
	CHECK(cr_filled(ghost, 4096, 5), "deleted file: a dirty page");
	CHECK(cr_filled(ghost_shared + 4096, 4096, 6), "deleted file: a page written shared");
	CHECK(memcmp(ghost + 8192, page + 8192, LEN - 8192) == 0, "deleted file: clean pages");
	/* shared mappings still lead to the file, and to one another */
	memcpy(shared, "to the file", 12);
	CHECK(pread(fd, got, 12, 0) == 12 && memcmp(got, "to the file", 12) == 0, "shared write");
	memcpy(ghost_shared + 16384, "both", 5);
	CHECK(memcmp(ghost + 16384, "both", 5) == 0, "two mappings of a deleted file");
	CHECK(mprotect(later, LEN, rw) == 0, "mprotect of a shared mapping: %m");
	memcpy(later, "from a later one", 16);
	CHECK(memcmp(shared, "from a later one", 16) == 0, "a mapping made writable");
	CHECK(cr_faults(ro, true) != 0, "a read-only mapping can be written");
	CHECK(access(cr_path("gone"), F_OK) < 0, "the deleted file is back under its name");
	return cr_done();
}
