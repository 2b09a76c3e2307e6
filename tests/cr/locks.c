// SPDX-License-Identifier: Apache-2.0
/* flock, POSIX and OFD locks: another process still finds them held, by whom, over which bytes. */
#include <fcntl.h>
#include <sys/file.h>

#include "cr.h"

static int file(const char *name)
{
	int fd = open(cr_path(name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	MUST(fd >= 0);
	return fd;
}

static struct flock range(short type, off_t start, off_t len)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
}

static void holder_of(const char *name, off_t at, short type, pid_t pid)
{
	struct flock l = range(F_WRLCK, at, 1);
	int fd = file(name);

	CHECK(fcntl(fd, F_GETLK, &l) == 0, "F_GETLK: %m");
	CHECK(l.l_type == type, "%s at %ld: lock type %d, not %d", name, (long)at, l.l_type, type);
	if (type != F_UNLCK)
		CHECK_EQ(l.l_pid, pid);
	close(fd);
}

int main(int argc, char **argv)
{
	struct flock l;
	int whole, shared, posix, ofd;
	pid_t pid, me = getpid();

	cr_init(argc, argv);
	whole = file("whole");
	shared = file("shared");
	posix = file("posix");
	ofd = file("ofd");
	MUST(flock(whole, LOCK_EX) == 0 && flock(shared, LOCK_SH) == 0);
	l = range(F_WRLCK, 10, 20);
	MUST(fcntl(posix, F_SETLK, &l) == 0);
	l = range(F_RDLCK, 100, 0);
	MUST(fcntl(posix, F_SETLK, &l) == 0);
	l = range(F_WRLCK, 5, 5);
	MUST(fcntl(ofd, F_OFD_SETLK, &l) == 0);
	pid = cr_fork();
	if (pid == 0) {
		int again;

		cr_child_ready();
		cr_wait_go();
		again = file("whole");
		CHECK(flock(again, LOCK_SH | LOCK_NB) < 0, "an exclusive flock is lost");
		again = file("shared");
		CHECK(flock(again, LOCK_SH | LOCK_NB) == 0, "a shared flock: %m");
		CHECK(flock(again, LOCK_EX | LOCK_NB) < 0, "a shared flock is lost");
		holder_of("posix", 9, F_UNLCK, 0);
		holder_of("posix", 10, F_WRLCK, me);
		holder_of("posix", 29, F_WRLCK, me);
		holder_of("posix", 30, F_UNLCK, 0);
		holder_of("posix", 1 << 20, F_RDLCK, me);
		holder_of("ofd", 5, F_WRLCK, -1);
		holder_of("ofd", 10, F_UNLCK, 0);
		_exit(cr_done());
	}
	cr_wait();
	cr_reap(pid);
	CHECK(flock(whole, LOCK_UN) == 0, "unlock: %m");
	return cr_done();
}
