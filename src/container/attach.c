// SPDX-License-Identifier: Apache-2.0
/* The caller's side of `kist attach`: packets to and from the container's monitor. */
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/io.h"
#include "base/util.h"
#include "container/container-internal.h"
#include "container/exec.h"
#include "sys/syscall.h"
#include "tty/tty.h"

#define LEAVE_FIRST  16 /* ctrl-p */
#define LEAVE_SECOND 17 /* ctrl-q */

struct attached {
	struct container *c;
	int sock, sigfd;
	bool tty, input; /* the container has a console; our stdin has more */
	bool first;	 /* ctrl-p was the last key */
	bool pending;	 /* something can be read from stdin */
	bool left, ended;
	int status;
};

static int connect_monitor(const struct container *c, struct err *err)
{
	autoclose int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;

	if (sock < 0)
		return err_set(err, -errno, "cannot make a socket");
	(void)container_attach_address(c, &addr);
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return TAKE_FD(sock);
	if (errno != ENOENT && errno != ECONNREFUSED)
		return err_set(err, -errno, "cannot reach the monitor of container '%s'", c->name);
	if (errno == ENOENT)
		return err_setx(err, -ENOENT,
			"container '%s' is not detached: it has the terminal that it was started "
			"from",
			c->name);
	return err_setx(err, -ECONNREFUSED, "the monitor of container '%s' is gone", c->name);
}

static void send_size(struct attached *a)
{
	unsigned char p[5] = {ATTACH_SIZE};
	struct winsize ws;

	if (!a->tty || ioctl(0, TIOCGWINSZ, &ws) < 0)
		return;
	p[1] = ws.ws_row & 0xff;
	p[2] = ws.ws_row >> 8;
	p[3] = ws.ws_col & 0xff;
	p[4] = ws.ws_col >> 8;
	(void)send(a->sock, p, sizeof(p), MSG_NOSIGNAL); /* the end is seen when receiving */
}

static void pass_signals(struct attached *a)
{
	struct signalfd_siginfo si;

	while (read(a->sigfd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGWINCH)
			send_size(a);
		else if (si.ssi_signo == SIGHUP)
			a->left = true; /* our terminal is gone, the container stays */
		else
			(void)sys_pidfd_send_signal(
				a->c->pidfd, (int)si.ssi_signo, NULL); /* it may just have ended */
	}
}

/* ctrl-p ctrl-q leaves; a lone ctrl-p is passed on with the key after it. */
static size_t filter_keys(struct attached *a, const char *in, size_t n, char *out)
{
	size_t i, k = 0;

	for (i = 0; i < n; i++) {
		if (a->tty && !a->first && in[i] == LEAVE_FIRST) {
			a->first = true;
			continue;
		}
		if (a->first && in[i] == LEAVE_SECOND) {
			a->left = true;
			break;
		}
		if (a->first)
			out[k++] = LEAVE_FIRST;
		a->first = false;
		out[k++] = in[i];
	}
	return k;
}

static void pass_input(struct attached *a)
{
	char in[1024], packet[1 + 2 * sizeof(in)];
	ssize_t n = read(0, in, sizeof(in));
	size_t k;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		a->input = false;
		packet[0] = ATTACH_EOF;
		(void)send(a->sock, packet, 1, MSG_NOSIGNAL); /* see send_size */
		return;
	}
	packet[0] = ATTACH_DATA;
	k = filter_keys(a, in, (size_t)n, packet + 1);
	if (k)
		(void)send(a->sock, packet, 1 + k, MSG_NOSIGNAL); /* see send_size */
}

static int pass_output(struct attached *a, struct err *err)
{
	char packet[1 + ATTACH_MAX];
	ssize_t n = recv(a->sock, packet, sizeof(packet), MSG_DONTWAIT);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return err_setx(
			err, -EPIPE, "the monitor of container '%s' has let go of us", a->c->name);
	if (packet[0] == ATTACH_STATUS && n >= 2) {
		a->status = (unsigned char)packet[1];
		a->ended = true;
	} else if (packet[0] == ATTACH_DATA && io_write(1, packet + 1, (size_t)n - 1) < 0) {
		a->left = true; /* nobody reads what we write */
	}
	return 0;
}

/* While the monitor takes no input, its output must not wait for us: hence never a blocking send.
 */
static int round_of(struct attached *a, struct err *err)
{
	struct pollfd p[] = {
		{.fd = a->sock, .events = POLLIN | (a->pending ? POLLOUT : 0)},
		{.fd = a->sigfd, .events = POLLIN},
		{.fd = a->input && !a->pending ? 0 : -1, .events = POLLIN},
	};

	if (poll(p, ARRAY_SIZE(p), -1) < 0)
		return errno == EINTR ? 0 : err_set(err, -errno, "cannot wait for the container");
	if (p[1].revents)
		pass_signals(a);
	if (p[2].revents)
		a->pending = true;
	if (p[0].revents & POLLOUT) {
		a->pending = false;
		pass_input(a);
	}
	return p[0].revents & ~POLLOUT ? pass_output(a, err) : 0;
}

static int open_signals(struct err *err)
{
	sigset_t set;
	int fd;

	container_signals_set(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL); /* cannot fail */
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_set(err, -errno, "cannot wait for signals") : fd;
}

int container_attach(struct container *c, int *ret_status, struct err *err)
{
	autoclose int sock = -EBADF, sigfd = -EBADF;
	struct tty_raw raw = TTY_RAW_NONE;
	struct attached a = {.c = c};
	int r = 0;

	if (c->pidfd < 0)
		return err_setx(err, -ESRCH, "container not running: '%s' is %s", c->name,
			container_status_name(c->status));
	a.sock = sock = connect_monitor(c, err);
	if (sock < 0)
		return sock;
	a.sigfd = sigfd = open_signals(err);
	if (sigfd < 0)
		return sigfd;
	a.tty = c->params->spec->process.terminal;
	a.input = a.tty || c->params->interactive;
	send_size(&a);
	if (a.tty)
		r = tty_raw_enter(&raw, 0, err);
	while (r == 0 && !a.left && !a.ended)
		r = round_of(&a, err);
	tty_raw_leave(&raw);
	if (r == 0)
		*ret_status = a.ended ? a.status : -1;
	return r;
}
