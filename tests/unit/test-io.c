// SPDX-License-Identifier: Apache-2.0
/* Whole reads and writes, atomic replacement, fds over a socket. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/util.h"

/* A pipe gives what it has: only a loop reads @len bytes. */
static void test_read_in_pieces(void **state)
{
	char data[8] = "";
	int p[2], i;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		for (i = 0; i < 6; i++) {
			if (io_write(p[1], "x", 1) < 0)
				_exit(1);
			usleep(2000); /* makes the pieces; a merged one only weakens the test */
		}
		_exit(0);
	}
	close(p[1]);
	assert_int_equal(io_read(p[0], data, 4), 4);
	assert_int_equal(io_read(p[0], data, 8), 2);
	assert_int_equal(io_read(p[0], data, 8), 0);
	assert_int_equal(waitpid(pid, &i, 0), pid);
	assert_int_equal(i, 0);
	close(p[0]);
	assert_int_equal(io_read(-EBADF, data, 1), -EBADF);
}

static int scratch(char *path)
{
	strcpy(path, "/tmp/kist-io-XXXXXX");
	assert_non_null(mkdtemp(path));
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int entries(int dirfd)
{
	DIR *d = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void test_files(void **state)
{
	autobuf struct buf b = {0};
	char path[32];
	struct stat st;
	int dir = scratch(path);

	assert_int_equal(file_read_at(dir, "state", &b, 100), -ENOENT);
	assert_int_equal(file_write_at(dir, "state", "x"), -ENOENT); /* makes no file */
	assert_int_equal(file_replace_at(dir, "state", "first", 5, 0600), 0);
	assert_int_equal(file_replace_at(dir, "state", "second", 6, 0600), 0);
	assert_int_equal(file_read_at(dir, "state", &b, 100), 0);
	assert_string_equal(buf_str(&b), "second");
	assert_int_equal(fstatat(dir, "state", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(entries(dir), 1); /* no temporary file is left */
	buf_reset(&b);
	assert_int_equal(file_read_at(dir, "state", &b, 6), 0);
	buf_reset(&b);
	assert_int_equal(file_read_at(dir, "state", &b, 5), -EFBIG);
	assert_int_equal(mkdirat(dir, "sub", 0700), 0);
	assert_true(file_replace_at(dir, "sub", "x", 1, 0600) < 0); /* a directory is in the way */
	assert_int_equal(entries(dir), 2);
	assert_int_equal(unlinkat(dir, "sub", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(dir, "state", 0), 0);
	close(dir);
	assert_int_equal(rmdir(path), 0);
}

static void test_fds(void **state)
{
	int s[2], p[2], got[4];
	char data[4];
	size_t n = 4;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(fd_send(s[0], p, 2, "ab", 2), 0);
	assert_int_equal(fd_recv(s[1], got, &n, data, sizeof(data)), 2);
	assert_int_equal(n, 2);
	assert_memory_equal(data, "ab", 2);
	assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(io_write(got[1], "x", 1), 0);
	assert_int_equal(io_read(p[0], data, 1), 1);
	close(got[0]);
	close(got[1]);
	/* one too many is closed, not leaked: the writer's end is then really gone */
	assert_int_equal(fd_send(s[0], p, 2, "c", 1), 0);
	n = 1;
	assert_int_equal(fd_recv(s[1], got, &n, data, sizeof(data)), 1);
	assert_int_equal(n, 1);
	close(p[1]);
	assert_int_equal(io_read(p[0], data, 1), 0);
	close(got[0]);
	/* a message that does not fit is refused whole */
	assert_int_equal(fd_send(s[0], p, 1, "toolong", 7), 0);
	n = 4;
	assert_int_equal(fd_recv(s[1], got, &n, data, sizeof(data)), -EMSGSIZE);
	assert_int_equal(n, 0);
	close(s[0]);
	n = 4;
	assert_int_equal(fd_recv(s[1], got, &n, data, sizeof(data)), 0);
	close(s[1]);
	close(p[0]);
}

static void test_move_above(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), high;

	high = fd_move_above(fd, 200);
	assert_true(high >= 200);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_true(fcntl(high, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fd_move_above(high, 200), high);
	close(high);
	assert_int_equal(fd_move_above(high, 1000), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_in_pieces),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_fds),
		cmocka_unit_test(test_move_above),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
