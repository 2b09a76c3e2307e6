/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the unix socket kind: what the kernel tells, options, queues, names. */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "cr/file/file-internal.h"
#include "cr/image/sock.pb-c.h"

#ifndef SIOCUNIXFILE /* linux/un.h clashes with sys/un.h */
#define SIOCUNIXFILE 0x89E0
#endif

struct unix_addr {
	struct sockaddr_un un;
	socklen_t len;
};

/* ---- unix-diag.c: sock_diag(7) ---- */
struct unix_diag {
	uint32_t ino, peer; /* inodes; peer 0: none, or it is closed or waits to be accepted */
	bool connected;
	uint8_t state, shutdown;
	uint32_t backlog;
	uint32_t *pending; /* inodes of those that wait to be accepted */
	size_t n_pending;
};
struct unix_diag_list {
	struct unix_diag *socks; /* sorted by inode */
	size_t n, cap;
};
/* All unix sockets of the network namespace that @sock lives in. */
int unix_diag_load(int sock, struct unix_diag_list *ret, struct err *err);
void unix_diag_done(struct unix_diag_list *l);
const struct unix_diag *unix_diag_find(const struct unix_diag_list *l, uint32_t ino);

/* ---- unix-opts.c ---- */
/* What differs from a new socket of the type, as options (malloc'ed) of the message. */
int unix_opts_get(int fd, Kist__Unix *msg, struct err *err);
int unix_opts_check(const Kist__Unix *msg, struct err *err);
int unix_opts_set(int fd, const Kist__Unix *msg, struct err *err);
/* Room for @bytes to be sent at once; unix_opts_set puts the right size back. */
int unix_buffer_grow(int fd, size_t bytes);

/* ---- unix-queue.c ---- */
/* Copies the receive queue without taking from it; passed fds are dumped. */
int unix_queue_get(struct file_dump *d, const struct fd_view *v, Kist__Unix *msg, struct err *err);
/*
 * Sends the messages again: through @from, the other end; or to the address @to of a datagram
 * socket, from sockets with the senders' names (then @from is not used).
 */
int unix_queue_set(struct file_restore *r, int from, const struct unix_addr *to,
	const Kist__Unix *msg, struct err *err);

/* ---- unix-bind.c ---- */
/* 0, or -EINVAL for a name that is too long. */
int unix_addr_of(const ProtobufCBinaryData *name, struct unix_addr *ret);
/* How to reach bound socket @fd, also when its name is gone. */
int unix_addr_to(int fd, struct unix_addr *ret, int *ret_hold);
/*
 * Binds @fd to the name. @keep: its inode gets its old place and attributes. Else the place is
 * only borrowed, until unix_unbind.
 */
struct unix_place {
	int dir; /* -EBADF: nothing to undo */
	char *base;
	bool made;  /* the name is ours */
	bool aside; /* what stood there waits beside */
};
int unix_bind(struct file_restore *r, int fd, const Kist__UnixName *name, bool keep,
	struct unix_place *place, struct err *err);
void unix_unbind(struct unix_place *p);
/*
 * Runs @fn in a process with these credentials (those that SO_PEERCRED shall tell; NULL: any), in
 * our fd table, but not in our memory. It runs here where the process has them, or none such can
 * be made. fn's result.
 */
int unix_as(const Kist__UnixCreds *creds, int (*fn)(void *arg), void *arg, struct err *err);

/* ---- unix-restore.c ---- */
int unix_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err);
int unix_open(struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err);
