// SPDX-License-Identifier: Apache-2.0
/* A pty pair: settings, window, data in both directions, and a session with it as its terminal. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>

#include "cr.h"

static volatile int *mark; /* shared: what the child has seen */

static void on_winch(int sig)
{
	mark[0]++;
}

static int open_pair(int *slave)
{
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), zero = 0, n;
	char path[32];

	if (m < 0 || ioctl(m, TIOCGPTN, &n) < 0)
		cr_skip("no pty: %m");
	MUST(ioctl(m, TIOCSPTLCK, &zero) == 0);
	snprintf(path, sizeof(path), "/dev/pts/%d", n);
	*slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	MUST(*slave >= 0);
	return m;
}

/* A session of its own on the terminal, with a background group. */
static int session(int slave)
{
	pid_t background;
	int fd;

	MUST(setsid() > 0 && ioctl(slave, TIOCSCTTY, 0) == 0);
	signal(SIGWINCH, on_winch);
	background = cr_fork();
	if (background == 0) {
		MUST(setpgid(0, 0) == 0);
		cr_child_ready();
		cr_wait_go();
		CHECK(tcgetpgrp(slave) == getppid(),
			"the foreground group as the background sees it");
		_exit(cr_done());
	}
	cr_child_ready();
	cr_wait_go();
	CHECK_EQ(tcgetpgrp(slave), getpid());
	CHECK_EQ(tcgetsid(slave), getpid());
	fd = open("/dev/tty", O_RDWR);
	CHECK(fd >= 0, "no controlling terminal: %m");
	while (mark[1] == 0)
		usleep(1000);
	CHECK(mark[0] > 0, "no SIGWINCH");
	cr_reap(background);
	return cr_done();
}

static void takes(int fd, const char *want)
{
	char got[64] = "";

	if (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 2000) != 1) {
		CHECK(0, "'%s' does not come", want);
		return;
	}
	CHECK(read(fd, got, sizeof(got) - 1) == (ssize_t)strlen(want) && strcmp(got, want) == 0,
		"'%s', not '%s'", got, want);
}

int main(int argc, char **argv)
{
	struct winsize ws = {.ws_row = 33, .ws_col = 99}, ws_now = {0};
	struct termios raw, was, now;
	int master, slave, raw_master, raw_slave, nr, nr_now = -1;
	pid_t pid;

	cr_init(argc, argv);
	mark = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST((void *)mark != MAP_FAILED);
	master = open_pair(&slave);
	raw_master = open_pair(&raw_slave);
	MUST(tcgetattr(raw_slave, &raw) == 0);
	cfmakeraw(&raw);
	MUST(tcsetattr(raw_slave, TCSANOW, &raw) == 0 && ioctl(master, TIOCSWINSZ, &ws) == 0);
	MUST(tcgetattr(slave, &was) == 0);
	was.c_lflag &= ~ECHO;
	was.c_cc[VINTR] = 7;
	MUST(tcsetattr(slave, TCSANOW, &was) == 0 && tcgetattr(slave, &was) == 0);
	pid = cr_fork();
	if (pid == 0)
		_exit(session(slave));
	MUST(ioctl(master, TIOCGPTN, &nr) == 0);
	cr_wait();
	CHECK(ioctl(master, TIOCGPTN, &nr_now) == 0 && nr_now == nr, "number %d, not %d", nr_now,
		nr);
	CHECK(ioctl(slave, TIOCGWINSZ, &ws_now) == 0 && ws_now.ws_row == 33 && ws_now.ws_col == 99,
		"window %dx%d", ws_now.ws_row, ws_now.ws_col);
	CHECK(tcgetattr(slave, &now) == 0 && memcmp(&now, &was, sizeof(now)) == 0, "settings");
	CHECK(tcgetattr(raw_slave, &now) == 0 && !(now.c_lflag & (ICANON | ECHO)), "raw settings");
	MUST(write(raw_master, "to the slave", 12) == 12);
	MUST(write(raw_slave, "to the master", 13) == 13);
	takes(raw_slave, "to the slave");
	takes(raw_master, "to the master");
	MUST(write(master, "line\n", 5) == 5);
	takes(slave, "line\n");
	MUST(write(slave, "out\n", 4) == 4);
	takes(master, "out\r\n");
	ws.ws_row = 44;
	CHECK(ioctl(master, TIOCSWINSZ, &ws) == 0, "TIOCSWINSZ: %m");
	usleep(50000);
	mark[1] = 1;
	cr_reap(pid);
	return cr_done();
}
