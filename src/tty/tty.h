/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals: ptys for containers, and the caller's own terminal while it is lent to one.
 * pty(7), termios(3), ioctl_tty(2).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

#include "base/err.h"

/*
 * A new pty of the devpts whose ptmx @ptmx_path names (walked without links; it must be a devpts).
 * The slave is opened from the master (TIOCGPTPEER), so that no path can be put in its place.
 * Both fds are the caller's.
 */
int tty_open_pty(const char *ptmx_path, int *ret_master, int *ret_slave, struct err *err);
/* A slave of @master, or -errno. */
int tty_open_peer(int master);
/* Gives @to the size of @from. What is no terminal is left alone. */
void tty_copy_size(int from, int to);
void tty_set_size(int fd, unsigned short rows, unsigned short columns);

/* The caller's terminal in raw mode. A guard process restores it should kist be killed. */
struct tty_raw {
	int fd; /* -EBADF: nothing to restore */
	struct termios saved;
	int guard; /* pipe to the guard */
	pid_t guard_pid;
};
#define TTY_RAW_NONE                          \
	{                                     \
		.fd = -EBADF, .guard = -EBADF \
	}
/* @fd stays the caller's; no terminal: does nothing. */
int tty_raw_enter(struct tty_raw *t, int fd, struct err *err);
/* Restores, also after failures; safe to call twice. */
void tty_raw_leave(struct tty_raw *t);

/* One direction of a relay: holds what was read until it could be written. */
struct tty_pump {
	int from, to; /* borrowed; to should be non-blocking when it may fill up */
	char data[4096];
	size_t off, len;
	bool eof; /* nothing more comes from @from */
};
/* What to poll for on each side now: 0, POLLIN, POLLOUT. */
short tty_pump_wants_read(const struct tty_pump *p);
short tty_pump_wants_write(const struct tty_pump *p);
/* After poll(2) said so. Errors of reading count as the end (a pty's master gives EIO). */
void tty_pump_read(struct tty_pump *p);
/* -EPIPE when the reader is gone: the rest is dropped. */
int tty_pump_write(struct tty_pump *p);

/* Sends @master to the unix socket @path, as OCI's --console-socket wants it. */
int tty_console_socket_send(const char *path, int master, struct err *err);
