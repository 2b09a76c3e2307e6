// SPDX-License-Identifier: Apache-2.0
/* Regular files: positions, flags, descriptions shared by dup and fork, directories, deleted ones.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "cr.h"

static int make(const char *name, int flags, const char *text)
{
	int fd = open(cr_path(name), flags | O_CREAT | O_TRUNC, 0640);

	MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static void content(int fd, off_t off, const char *want)
{
	char got[64] = "";

	CHECK(pread(fd, got, sizeof(got) - 1, off) == (ssize_t)strlen(want) && !strcmp(got, want),
		"content '%s', not '%s'", got, want);
}

static void deleted(int fd, int linked)
{
	struct stat st, other;

	content(fd, 0, "deleted file");
	fstat(fd, &st);
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_mode & 07777, 0640);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 12);
	CHECK(write(fd, "!", 1) == 1, "write to a deleted file: %m");
	CHECK(access(cr_path("deleted"), F_OK) < 0, "a deleted file is back");
	/* opened by a name that is gone, alive by another one */
	content(linked, 0, "two names");
	fstat(linked, &st);
	CHECK(stat(cr_path("second"), &other) == 0 && st.st_ino == other.st_ino,
		"not the file of the other name");
	CHECK_EQ(st.st_nlink, 1);
	CHECK(access(cr_path("first"), F_OK) < 0, "a removed name is back");
}

int main(int argc, char **argv)
{
	int plain, twin, append, ro, path, dir, gone, linked, far;
	struct f_owner_ex owner = {F_OWNER_PID, getpid()}, got;
	struct stat st;
	pid_t pid;

	cr_init(argc, argv);
	plain = make("plain", O_RDWR | O_CLOEXEC, "0123456789");
	twin = dup(plain);
	append = make("append", O_WRONLY | O_APPEND | O_NONBLOCK, "abc");
	ro = open(cr_path("plain"), O_RDONLY | O_NOATIME);
	path = open(cr_path("plain"), O_PATH | O_CLOEXEC);
	dir = open(cr_path("."), O_RDONLY | O_DIRECTORY);
	gone = make("deleted", O_RDWR, "deleted file");
	linked = make("first", O_RDWR, "two names");
	far = dup2(plain, 1000);
	MUST(twin >= 0 && ro >= 0 && path >= 0 && dir >= 0 && far == 1000);
	MUST(unlink(cr_path("deleted")) == 0);
	MUST(link(cr_path("first"), cr_path("second")) == 0 && unlink(cr_path("first")) == 0);
	MUST(lseek(plain, 3, SEEK_SET) == 3);
	MUST(fcntl(plain, F_SETOWN_EX, &owner) == 0 && fcntl(plain, F_SETSIG, SIGRTMIN) == 0);
	pid = cr_fork();
	if (pid == 0) {
		cr_child_ready();
		cr_wait_go();
		CHECK_EQ(lseek(plain, 2, SEEK_CUR), 5); /* moves the parent's position too */
		_exit(cr_done());
	}
	cr_wait();
	cr_reap(pid);
	CHECK_EQ(lseek(twin, 0, SEEK_CUR), 5);
	CHECK_EQ(lseek(far, 0, SEEK_CUR), 5);
	CHECK_EQ(lseek(ro, 0, SEEK_CUR), 0);
	CHECK(fcntl(plain, F_GETFD) & FD_CLOEXEC, "close-on-exec is lost");
	CHECK_EQ(fcntl(twin, F_GETFD), 0);
	CHECK_EQ(fcntl(append, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK),
		O_WRONLY | O_APPEND | O_NONBLOCK);
	CHECK_EQ(fcntl(ro, F_GETFL) & (O_ACCMODE | O_NOATIME), O_RDONLY | O_NOATIME);
	CHECK(fcntl(path, F_GETFL) & O_PATH, "no O_PATH fd any more");
	CHECK(fstatat(path, "", &st, AT_EMPTY_PATH) == 0 && st.st_size == 10, "O_PATH: %m");
	CHECK(faccessat(dir, "append", F_OK, 0) == 0, "by the directory: %m");
	CHECK(fcntl(plain, F_GETOWN_EX, &got) == 0 && got.type == F_OWNER_PID &&
			got.pid == getpid(),
		"owner of the fd");
	CHECK_EQ(fcntl(plain, F_GETSIG), SIGRTMIN);
	MUST(lseek(append, 0, SEEK_SET) == 0);
	CHECK(write(append, "def", 3) == 3, "write: %m");
	fstat(append, &st);
	CHECK_EQ(st.st_size, 6);
	deleted(gone, linked);
	return cr_done();
}
