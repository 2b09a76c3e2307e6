// SPDX-License-Identifier: Apache-2.0
/*
 * kist-monitor: the parent of a detached container's first process. Writes its output to the log,
 * lends its console to `kist attach`, records the exit status, then becomes `kist-finish`, which
 * cleans up. It is there as long as the container: hence without libc.
 *
 * kist-monitor NAME PID LOGMAX, with the fds of enum monitor_fd.
 */
#include <asm/siginfo.h>
#include <linux/poll.h>
#include <linux/stat.h>
#include <linux/termios.h>
#include <linux/wait.h>

#include "container/tiny/start.h"
#include "container/tiny/tiny.h"

#define EINTR	     4
#define EAGAIN	     11
#define SEEK_END     2
#define SOL_SOCKET   1
#define SO_SNDTIMEO  21
#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000
#define SOCK_CLOEXEC 02000000
#define CTRL_D	     4
/* A client that takes no output for so long is let go: the container must not wait for it. */
#define CLIENT_SECONDS 2
#define CLIENTS	       8
#define STATUS_UNKNOWN 255
#define DRAIN_MAX      4096 /* reads */

struct monitor {
	char *name;
	int pid, log;
	long log_size, log_max;
	int client[CLIENTS];
	char pending[ATTACH_MAX]; /* input that stdin did not take yet */
	int pending_len;
	char open[MONITOR_FDS]; /* which of the fds are there */
};

/* A packet: its type, then data. */
static char chunk[1 + ATTACH_MAX];

static void shut(struct monitor *m, int fd)
{
	tiny_close(fd);
	m->open[fd] = 0;
}

static void log_open(struct monitor *m)
{
	m->log = (int)TINY_CALL(__NR_openat, MONITOR_DIR, "log",
		O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600, 0);
	m->log_size = m->log < 0 ? 0 : TINY_CALL(__NR_lseek, m->log, 0, SEEK_END, 0, 0);
}

static void log_write(struct monitor *m, const char *p, long n)
{
	long k;

	for (; n > 0; p += k, n -= k, m->log_size += k) {
		k = tiny_write(m->log, p, n);
		if (k <= 0)
			return; /* a full disk must not stop the container */
	}
}

/* A full log is followed by a new one, at the end of a line where there is one. */
static void log_add(struct monitor *m, const char *p, long n)
{
	long line = 0;

	if (m->log_size + n > m->log_max) {
		while (line < n && p[line] != '\n')
			line++;
		line = line < n ? line + 1 : 0;
		if (line || m->log_size > m->log_max + ATTACH_MAX) {
			log_write(m, p, line);
			tiny_close(m->log);
			TINY_CALL(__NR_renameat, MONITOR_DIR, "log", MONITOR_DIR, "log.1", 0);
			log_open(m);
		}
	}
	log_write(m, p + line, n - line);
}

static void drop(struct monitor *m, int i)
{
	tiny_close(m->client[i]);
	m->client[i] = -1;
}

static void send_all(struct monitor *m, long n)
{
	int i;

	for (i = 0; i < CLIENTS; i++)
		if (m->client[i] >= 0 &&
			TINY_CALL(__NR_sendto, m->client[i], chunk, n, MSG_NOSIGNAL, 0) < 0)
			drop(m, i);
}

/* Passes on what can be read from @fd. Returns 0 when nothing is left for now. */
static int output(struct monitor *m, int fd)
{
	long n = tiny_read(fd, chunk + 1, ATTACH_MAX);

	if (n == -EINTR)
		return 1;
	if (n == -EAGAIN)
		return 0;
	if (n <= 0) {
		shut(m, fd);
		return 0;
	}
	log_add(m, chunk + 1, n);
	chunk[0] = ATTACH_DATA;
	send_all(m, 1 + n);
	return 1;
}

static int input_fd(const struct monitor *m)
{
	return m->open[MONITOR_CONSOLE] ? MONITOR_CONSOLE
	       : m->open[MONITOR_STDIN] ? MONITOR_STDIN
					: -1;
}

static void push_input(struct monitor *m)
{
	int fd = input_fd(m), i;
	long n;

	if (fd < 0) {
		m->pending_len = 0;
		return;
	}
	n = tiny_write(fd, m->pending, m->pending_len);
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n < 0) {
		m->pending_len = 0;
		if (fd == MONITOR_STDIN)
			shut(m, fd);
		return;
	}
	for (i = (int)n; i < m->pending_len; i++)
		m->pending[i - n] = m->pending[i];
	m->pending_len -= (int)n;
}

static void end_of_input(struct monitor *m)
{
	if (m->open[MONITOR_CONSOLE]) {
		m->pending[0] = CTRL_D;
		m->pending_len = 1;
	} else if (m->open[MONITOR_STDIN]) {
		shut(m, MONITOR_STDIN);
	}
}

static void resize(struct monitor *m, const char *p, long n)
{
	const unsigned char *b = (const unsigned char *)p;
	struct winsize ws = {0};

	if (n != 4 || !m->open[MONITOR_CONSOLE])
		return;
	ws.ws_row = (unsigned short)(b[0] | b[1] << 8);
	ws.ws_col = (unsigned short)(b[2] | b[3] << 8);
	TINY_CALL(__NR_ioctl, MONITOR_CONSOLE, TIOCSWINSZ, &ws, 0, 0);
}

static void packet(struct monitor *m, int i)
{
	long n = TINY_CALL(__NR_recvfrom, m->client[i], chunk, sizeof(chunk), MSG_DONTWAIT, 0);
	long k;

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n <= 0) {
		drop(m, i);
		return;
	}
	if (chunk[0] == ATTACH_SIZE)
		resize(m, chunk + 1, n - 1);
	if (chunk[0] == ATTACH_EOF)
		end_of_input(m);
	if (chunk[0] == ATTACH_DATA) {
		for (k = 1; k < n; k++)
			m->pending[k - 1] = chunk[k];
		m->pending_len = (int)n - 1;
	}
	if (m->pending_len)
		push_input(m);
}

static void client_new(struct monitor *m)
{
	long timeout[2] = {CLIENT_SECONDS, 0};
	int fd = (int)TINY_CALL(__NR_accept4, MONITOR_LISTEN, 0, 0, SOCK_CLOEXEC, 0), i;

	if (fd < 0)
		return;
	TINY_CALL(__NR_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, timeout, sizeof(timeout));
	for (i = 0; i < CLIENTS; i++)
		if (m->client[i] < 0) {
			m->client[i] = fd;
			return;
		}
	tiny_close(fd); /* too many */
}

static void want(struct pollfd *p, int fd, short events)
{
	p->fd = fd;
	p->events = events;
	p->revents = 0;
}

/* One round of waiting and serving. Returns 1 when the container has ended. */
static int serve(struct monitor *m)
{
	static const char outputs[] = {MONITOR_OUT, MONITOR_ERR, MONITOR_CONSOLE};
	struct pollfd p[5 + 1 + CLIENTS];
	int i;

	want(&p[0], MONITOR_PIDFD, POLLIN);
	for (i = 0; i < 3; i++)
		want(&p[1 + i], m->open[(int)outputs[i]] ? outputs[i] : -1, POLLIN);
	want(&p[4], m->open[MONITOR_LISTEN] ? MONITOR_LISTEN : -1, POLLIN);
	want(&p[5], m->pending_len ? input_fd(m) : -1, POLLOUT);
	for (i = 0; i < CLIENTS; i++) /* a client waits while stdin takes nothing */
		want(&p[6 + i], m->pending_len ? -1 : m->client[i], POLLIN);
	if (TINY_CALL(__NR_poll, p, 6 + CLIENTS, -1, 0, 0) < 0)
		return 0;
	for (i = 0; i < 3; i++)
		if (p[1 + i].revents)
			(void)output(m, outputs[i]);
	if (p[4].revents)
		client_new(m);
	if (p[5].revents)
		push_input(m);
	for (i = 0; i < CLIENTS; i++)
		if (p[6 + i].revents && m->client[i] >= 0 && !m->pending_len)
			packet(m, i);
	return p[0].revents != 0;
}

static void record(int status)
{
	char text[24];
	int n = tiny_decimal(text, status);
	int fd = (int)TINY_CALL(__NR_openat, MONITOR_DIR, "exit.tmp",
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600, 0);

	tiny_write(fd, text, n);
	tiny_close(fd);
	TINY_CALL(__NR_renameat, MONITOR_DIR, "exit.tmp", MONITOR_DIR, "exit", 0);
}

/* Only looks: who waits until the process is gone from /proc must find the status recorded. */
static int end_status(const struct monitor *m)
{
	siginfo_t si = {0};

	if (TINY_CALL(__NR_waitid, P_PID, m->pid, &si, WEXITED | WNOWAIT | __WALL, 0) < 0)
		return STATUS_UNKNOWN;
	return si.si_code == CLD_EXITED ? si.si_status & 0xff : 128 + si.si_status;
}

int tiny_main(int argc, char **argv, char **envp)
{
	char *finish[] = {"kist-finish", 0, 0};
	struct monitor m = {0};
	tiny_sigset all = ~0ull;
	int i, k;

	if (argc != 4)
		return 1;
	m.name = argv[1];
	m.pid = (int)tiny_number(argv[2]);
	m.log_max = tiny_number(argv[3]);
	tiny_sigmask(&all, 0);
	for (i = MONITOR_PIDFD; i < MONITOR_FDS; i++)
		m.open[i] = TINY_CALL(__NR_fcntl, i, F_GETFD, 0, 0, 0) >= 0;
	for (i = 0; i < CLIENTS; i++)
		m.client[i] = -1;
	log_open(&m);
	while (!serve(&m))
		;
	for (i = MONITOR_OUT; i <= MONITOR_CONSOLE; i++)
		for (k = 0; k < DRAIN_MAX && m.open[i] && output(&m, i); k++)
			;
	k = end_status(&m);
	record(k);
	TINY_CALL(__NR_wait4, m.pid, 0, __WALL, 0, 0);
	chunk[0] = ATTACH_STATUS;
	chunk[1] = (char)k;
	send_all(&m, 2);
	finish[1] = m.name;
	all = 0;
	tiny_sigmask(&all, 0);
	TINY_CALL(__NR_execveat, MONITOR_KIST, "", finish, envp, 0x1000 /* AT_EMPTY_PATH */);
	return 0;
}
