// SPDX-License-Identifier: Apache-2.0
/* Working directory, root directory, umask; the executable and the command line. */
#include <fcntl.h>
#include <sys/stat.h>

#include "cr.h"

static int chrooted(void)
{
	int go = open(
		cr_path("."), O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* the way out, to see `go` */
	char buf[256];

	MUST(go >= 0 && chroot(cr_path("root")) == 0 && chdir("/inner") == 0);
	umask(0111);
	cr_child_ready();
	while (faccessat(go, "go", F_OK, 0) < 0)
		usleep(10000);
	CHECK(getcwd(buf, sizeof(buf)) && strcmp(buf, "/inner") == 0, "in the root: cwd '%s'", buf);
	CHECK(access("/here", F_OK) == 0, "in the root: %m");
	CHECK_EQ(umask(0), 0111);
	return cr_done();
}

int main(int argc, char **argv)
{
	char exe[512] = "", exe_now[512] = "", cwd[512], *line, *line_now;
	pid_t pid;
	int fd;

	cr_init(argc, argv);
	MUST(mkdir(cr_path("sub"), 0755) == 0 && mkdir(cr_path("root"), 0755) == 0);
	MUST(mkdir(cr_path("root/inner"), 0755) == 0);
	fd = open(cr_path("root/here"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd >= 0 && close(fd) == 0);
	pid = cr_fork();
	if (pid == 0)
		_exit(chrooted());
	MUST(chdir(cr_path("sub")) == 0);
	umask(027);
	MUST(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	line = cr_read_file("/proc/self/cmdline");
	cr_wait();
	CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, cr_path("sub")) == 0, "cwd '%s'", cwd);
	CHECK_EQ(umask(0), 027);
	CHECK(readlink("/proc/self/exe", exe_now, sizeof(exe_now) - 1) > 0, "exe: %m");
	CHECK(strcmp(exe, exe_now) == 0, "exe '%s', not '%s'", exe_now, exe);
	line_now = cr_read_file("/proc/self/cmdline");
	CHECK(line && line_now && strcmp(line, line_now) == 0, "command line");
	CHECK(getenv("PATH") != NULL, "environment");
	cr_reap(pid);
	return cr_done();
}
