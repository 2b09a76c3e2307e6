/* SPDX-License-Identifier: Apache-2.0 */
/* What kist-init, the monitor and kist itself agree on. Included by programs without libc. */
#pragma once

/* The first word of every message on the socket between a starting process and kist. */
enum start_type {
	START_ERR,	   /* then a struct err */
	START_MAPS,	   /* the user namespace waits for its id maps */
	START_OFFSETS,	   /* the time namespace waits for its offsets */
	START_HOOKS,	   /* namespaces and mounts are there, the root is not entered yet */
	START_PID,	   /* then a pid: of the first process, made by the stage process */
	START_READY,	   /* all is set up; with the console's master, when there is one */
	START_GO,	   /* kist's answer to MAPS, OFFSETS, HOOKS and READY */
	START_EXEC_FAILED, /* struct start_failure */
};

struct start_failure {
	int type;
	int code; /* -errno of execve(2) */
};

/* The fds of the monitor, which it is started with; those that do not apply are closed. */
enum monitor_fd {
	MONITOR_PIDFD = 3, /* the container's first process, the monitor's child */
	MONITOR_DIR,	   /* its state directory */
	MONITOR_OUT,	   /* pipes from stdout and stderr */
	MONITOR_ERR,
	MONITOR_CONSOLE, /* master of the pty in their place */
	MONITOR_SLAVE,	 /* one of its slaves, held so that reading the master never ends */
	MONITOR_LISTEN,	 /* SOCK_SEQPACKET, where attach connects */
	MONITOR_STDIN,	 /* pipe to stdin */
	MONITOR_KIST,	 /* kist's own executable, started as "kist-finish NAME" at the end */
	MONITOR_FDS,
};

/* First byte of a packet between `kist attach` and the monitor. */
enum attach_packet {
	ATTACH_DATA = 'd', /* then input, or output (at most ATTACH_MAX bytes) */
	ATTACH_SIZE = 'w', /* to the monitor: then rows and columns, 16 bits each, low byte first */
	ATTACH_EOF = 'e',  /* to the monitor: the caller's stdin has ended */
	ATTACH_STATUS = 'x', /* from it: the container has ended; then its status, one byte */
};
#define ATTACH_MAX 4096
