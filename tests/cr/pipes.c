// SPDX-License-Identifier: Apache-2.0
/* Pipes and fifos: content, size, flags, packets, a closed end, and the other end in a child. */
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "cr.h"

static void has(int fd, int want)
{
	int n = -1;

	CHECK(ioctl(fd, FIONREAD, &n) == 0 && n == want, "%d bytes in the pipe, not %d", n, want);
}

int main(int argc, char **argv)
{
	int full[2], big[2], packets[2], noreader[2], nowriter[2], child[2], fifo;
	char data[70000], got[70000];
	pid_t pid;

	cr_init(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	MUST(pipe2(full, O_NONBLOCK) == 0 && pipe(big) == 0 && pipe(nowriter) == 0);
	MUST(pipe2(packets, O_DIRECT) == 0 && pipe(noreader) == 0 && pipe(child) == 0);
	cr_fill(data, sizeof(data), 1);
	MUST(write(full[1], data, sizeof(data)) == 65536);
	MUST(fcntl(big[1], F_SETPIPE_SZ, 262144) == 262144 && write(big[1], data, 100) == 100);
	MUST(write(packets[1], "one", 3) == 3 && write(packets[1], "two!", 4) == 4);
	close(noreader[0]);
	MUST(write(nowriter[1], "last", 4) == 4 && close(nowriter[1]) == 0);
	MUST(mkfifo(cr_path("fifo"), 0600) == 0);
	fifo = open(cr_path("fifo"), O_RDWR);
	MUST(fifo >= 0 && write(fifo, data, 5000) == 5000);
	pid = cr_fork();
	if (pid == 0) {
		close(child[0]);
		cr_child_ready();
		cr_wait_go();
		CHECK(write(child[1], "from the child", 14) == 14, "write: %m");
		_exit(cr_done());
	}
	close(child[1]);
	cr_wait();
	has(full[0], 65536);
	CHECK(write(full[1], "x", 1) < 0 && errno == EAGAIN, "a full pipe takes more");
	CHECK(read(full[0], got, sizeof(got)) == 65536 && memcmp(got, data, 65536) == 0, "content");
	CHECK(fcntl(full[0], F_GETFL) & O_NONBLOCK, "O_NONBLOCK is lost");
	CHECK_EQ(fcntl(big[0], F_GETPIPE_SZ), 262144);
	has(big[0], 100);
	CHECK(fcntl(packets[1], F_GETFL) & O_DIRECT, "packet mode is lost");
	CHECK_EQ(read(packets[0], got, sizeof(got)), 3);
	CHECK_EQ(read(packets[0], got, sizeof(got)), 4);
	CHECK(write(noreader[1], "x", 1) < 0 && errno == EPIPE, "a pipe without a reader");
	CHECK(read(nowriter[0], got, sizeof(got)) == 4 && memcmp(got, "last", 4) == 0,
		"last words");
	CHECK_EQ(read(nowriter[0], got, sizeof(got)), 0);
	has(fifo, 5000);
	CHECK(read(fifo, got, sizeof(got)) == 5000 && memcmp(got, data, 5000) == 0, "fifo content");
	CHECK(read(child[0], got, sizeof(got)) == 14 && !memcmp(got, "from the child", 14),
		"child");
	CHECK_EQ(read(child[0], got, sizeof(got)), 0); /* the child was the only writer */
	cr_reap(pid);
	return cr_done();
}
