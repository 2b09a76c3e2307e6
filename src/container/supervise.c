// SPDX-License-Identifier: Apache-2.0
/*
 * kist in the foreground: stands between the caller and a process in a container. Passes on
 * signals, window size and the terminal's bytes both ways, until the process ends.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "base/util.h"
#include "container/dirs.h"
#include "container/making.h"
#include "container/supervise.h"
#include "sys/syscall.h"
#include "tty/tty.h"

#define CTRL_D '\4'

enum { AT_END, AT_SIGNAL, AT_IN, AT_IN_TO, AT_OUT, AT_OUT_TO, AT_COUNT };

struct supervisor {
	const struct supervised *s;
	int sigfd;
	struct tty_pump in, out; /* caller → console, console → caller */
	bool in_done;
};

static int open_signals(struct err *err)
{
	sigset_t set;
	int fd;

	container_signals_set(&set);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_set(err, -errno, "cannot wait for signals") : fd;
}

static void pass_signals(struct supervisor *v)
{
	struct signalfd_siginfo si;

	while (read(v->sigfd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGWINCH && v->s->console >= 0)
			tty_copy_size(0, v->s->console);
		else
			(void)sys_pidfd_send_signal(
				v->s->pidfd, (int)si.ssi_signo, NULL); /* it may just have ended */
	}
}

/* The end of the caller's input is a key on a terminal. */
static void pass_end_of_input(struct supervisor *v)
{
	if (!v->in.eof || v->in.len || v->in_done)
		return;
	v->in_done = true;
	v->in.data[0] = CTRL_D;
	v->in.off = 0;
	v->in.len = 1;
}

static void want(struct pollfd *p, int fd, short events)
{
	p->fd = events ? fd : -1;
	p->events = events;
	p->revents = 0;
}

/* Returns 1 when the process has ended. */
static int round_of(struct supervisor *v, struct err *err)
{
	struct pollfd p[AT_COUNT];

	want(&p[AT_END], v->s->pidfd, POLLIN);
	want(&p[AT_SIGNAL], v->sigfd, POLLIN);
	want(&p[AT_IN], v->in.from, tty_pump_wants_read(&v->in));
	want(&p[AT_IN_TO], v->in.to, tty_pump_wants_write(&v->in));
	want(&p[AT_OUT], v->out.from, tty_pump_wants_read(&v->out));
	want(&p[AT_OUT_TO], v->out.to, tty_pump_wants_write(&v->out));
	if (poll(p, AT_COUNT, -1) < 0)
		return errno == EINTR ? 0 : err_set(err, -errno, "cannot wait for the container");
	if (p[AT_SIGNAL].revents)
		pass_signals(v);
	if (p[AT_IN].revents)
		tty_pump_read(&v->in);
	pass_end_of_input(v);
	if (p[AT_IN_TO].revents)
		(void)tty_pump_write(&v->in); /* the container's end tells itself */
	if (p[AT_OUT].revents)
		tty_pump_read(&v->out);
	if (p[AT_OUT_TO].revents)
		(void)tty_pump_write(&v->out); /* a caller who does not read loses it */
	return p[AT_END].revents != 0;
}

/* What the process wrote before its end is still in the terminal. */
static void drain(struct supervisor *v)
{
	struct pollfd p = {.fd = v->out.from, .events = POLLIN};

	if (v->s->console < 0)
		return;
	do {
		while (v->out.len && tty_pump_write(&v->out) == 0)
			;
		if (v->out.eof || poll(&p, 1, 0) <= 0)
			return;
		tty_pump_read(&v->out);
	} while (v->out.len);
}

static int serve(struct supervisor *v, struct err *err)
{
	struct tty_raw raw = TTY_RAW_NONE;
	int r = 0;

	if (v->s->console >= 0) {
		tty_copy_size(0, v->s->console);
		if (v->s->interactive)
			r = tty_raw_enter(&raw, 0, err);
	}
	while (r == 0)
		r = round_of(v, err);
	drain(v);
	tty_raw_leave(&raw);
	return r < 0 ? r : 0;
}

static int end_status(const struct supervised *s, struct err *err)
{
	int flags = WEXITED | __WALL | (s->leave ? WNOWAIT : 0);
	siginfo_t si = {0};

	while (waitid(P_PIDFD, (id_t)s->pidfd, &si, flags) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot get the exit status");
	return si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
}

int supervise(const struct supervised *s, int *ret_status, struct err *err)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct supervisor v = {
		.s = s,
		.sigfd = open_signals(err),
		.in = {.from = 0, .to = s->console, .eof = s->console < 0 || !s->interactive},
		.out = {.from = s->console, .to = 1, .eof = s->console < 0},
	};
	int r;

	if (v.sigfd < 0)
		return v.sigfd;
	v.in_done = v.in.eof;
	(void)sigaction(SIGPIPE, &ignore, NULL); /* a lost caller is no reason to die */
	r = serve(&v, err);
	(void)close(v.sigfd); /* only read from */
	if (r < 0)
		return r;
	r = end_status(s, err);
	if (r < 0)
		return r;
	*ret_status = r;
	return 0;
}

static int container_supervise(struct container *c, int *ret_status, struct err *err)
{
	struct supervised s = {
		.pidfd = c->pidfd,
		.console = c->making ? c->making->console : -EBADF,
		.interactive = c->params->interactive,
		.leave = true,
	};

	container_unlock(c);
	return supervise(&s, ret_status, err);
}

int container_foreground(container_make_fn make, void *arg, int *ret_status, struct err *err)
{
	struct container *c;
	int r = container_make_start(make, arg, &c, err);

	if (r < 0)
		return r;
	r = container_supervise(c, ret_status, err);
	if (r == 0)
		r = container_finish_own(c, *ret_status, err);
	container_free(c); /* the process is reaped when kist ends */
	return r;
}
