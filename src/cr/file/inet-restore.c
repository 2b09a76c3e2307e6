// SPDX-License-Identifier: Apache-2.0
/*
 * Sockets of IPv4 and IPv6, restore. Listeners and all that is not connected come in the first
 * pass: a connection in repair mode may share a port with anything, a listener only before it.
 * Connections go live in `last`, when both ends inside exist and the network is unlocked.
 */
#include <fcntl.h>
#include <linux/filter.h>

#include "base/util.h"
#include "cr/file/file-internal.h"
#include "cr/file/inet-internal.h"

int inet_restore_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Inet *msg = (const Kist__Inet *)m;
	union inet_addr a;
	size_t i;
	int e;

	if (msg->family != AF_INET && msg->family != AF_INET6)
		return err_setx(
			err, -EBADMSG, "the image has a network socket of family %u", msg->family);
	if (msg->filter.len % sizeof(struct sock_filter) ||
		msg->filter.len / sizeof(struct sock_filter) > UINT16_MAX)
		return err_setx(err, -EBADMSG, "the image has an impossible socket filter");
	if ((msg->local && (e = inet_addr_set(-EBADF, msg->family, msg->local, &a, err)) < 0) ||
		(msg->remote && (e = inet_addr_set(-EBADF, msg->family, msg->remote, &a, err)) < 0))
		return e;
	if (msg->n_datagrams && !msg->local)
		return err_setx(err, -EBADMSG, "the image has datagrams for no address");
	for (i = 0; i < msg->n_datagrams; i++) {
		e = inet_addr_set(-EBADF,
			strchr(msg->datagrams[i]->source->address, ':') ? AF_INET6 : AF_INET,
			msg->datagrams[i]->source, &a, err);
		if (e < 0)
			return e;
	}
	e = inet_opts_check(msg, err);
	if (e < 0)
		return e;
	return inet_tcp_connected(msg) ? inet_tcp_check(msg, err) : 0;
}

static int bind_local(int fd, const Kist__Inet *msg, struct err *err)
{
	char text[INET_ADDR_TEXT];
	union inet_addr a;
	int e;

	if (!msg->local)
		return 0;
	e = inet_addr_set(fd, msg->family, msg->local, &a, err);
	if (e < 0)
		return e;
	if (msg->type == SOCK_RAW) { /* its port is the protocol, and is not bound */
		if (inet_addr_any(&a))
			return 0;
		if (msg->family == AF_INET6)
			a.v6.sin6_port = 0;
		else
			a.v4.sin_port = 0;
	}
	if (bind(fd, &a.sa, inet_addr_len(&a)) == 0)
		return 0;
	err_set(err, -errno, "cannot bind to %s", inet_addr_text(msg->local, text));
	if (errno == EADDRINUSE)
		return err_hint(err, "another program has it: 'ss -anp' names it");
	if (errno == EADDRNOTAVAIL)
		return err_hint(err, "the address must exist here as it did at the dump");
	return err ? err->code : -errno;
}

/* What is connected without a conversation: UDP, ICMP, raw. */
static int connect_remote(int fd, const Kist__Inet *msg, struct err *err)
{
	char text[INET_ADDR_TEXT];
	union inet_addr a;
	int e;

	if (!msg->remote || msg->type == SOCK_STREAM)
		return 0;
	e = inet_addr_set(fd, msg->family, msg->remote, &a, err);
	if (e < 0)
		return e;
	if (connect(fd, &a.sa, inet_addr_len(&a)) < 0)
		return err_set(
			err, -errno, "cannot connect to %s", inet_addr_text(msg->remote, text));
	return 0;
}

static int attach_filter(int fd, const Kist__Inet *msg, struct err *err)
{
	struct sock_fprog prog = {.len = msg->filter.len / sizeof(struct sock_filter),
		.filter = (struct sock_filter *)msg->filter.data};

	if (!msg->has_filter || !prog.len)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0)
		return err_set(err, -errno, "cannot attach a socket filter");
	return 0;
}

static int open_unconnected(int fd, const Kist__Inet *msg, struct err *err)
{
	int e;

	if (msg->ended)
		return inet_tcp_restore_ended(fd, msg, err);
	e = bind_local(fd, msg, err);
	if (e < 0)
		return e;
	if (msg->state == KIST__INET_STATE__INET_LISTEN && listen(fd, msg->backlog) < 0)
		return err_set(err, -errno, "cannot listen again");
	e = inet_udp_queue_set(fd, msg, err);
	return e < 0 ? e : connect_remote(fd, msg, err);
}

int inet_restore_open(struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Inet *msg = (const Kist__Inet *)m;
	bool connected = inet_tcp_connected(msg);
	autoclose int fd = -EBADF;
	int e;

	if (connected && pass == 0)
		return 1;
	fd = socket(msg->family, msg->type | SOCK_CLOEXEC, msg->protocol);
	if (fd < 0)
		return err_set(err, -errno,
			"cannot make a socket (family %u, type %u, protocol %u)", msg->family,
			msg->type, msg->protocol);
	e = inet_opts_set(fd, msg, INET_EARLY, err);
	if (e < 0)
		return e;
	e = connected ? inet_tcp_restore(fd, msg, err) : open_unconnected(fd, msg, err);
	if (e < 0)
		return e;
	if (!connected && (e = inet_buffers_set(fd, msg, err)) < 0)
		return e;
	e = attach_filter(fd, msg, err);
	if (e < 0)
		return e;
	e = inet_opts_set(fd, msg, INET_LATE, err);
	return e < 0 ? e : file_store(r, msg->desc->id, TAKE_FD(fd), err);
}

/* A connection attempt is made anew: the peer has seen no more than a SYN. */
static int reconnect(int fd, const Kist__Inet *msg, struct err *err)
{
	int flags = fcntl(fd, F_GETFL), e;
	char text[INET_ADDR_TEXT];
	union inet_addr a;

	if (!msg->remote)
		return 0;
	e = inet_addr_set(fd, msg->family, msg->remote, &a, err);
	if (e < 0)
		return e;
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_set(err, -errno, "cannot change the flags of a socket");
	e = connect(fd, &a.sa, inet_addr_len(&a)) < 0 ? -errno : 0;
	if (fcntl(fd, F_SETFL, flags) < 0)
		return err_set(err, -errno, "cannot change the flags of a socket");
	if (e < 0 && e != -EINPROGRESS)
		return err_set(
			err, e, "cannot go on to connect to %s", inet_addr_text(msg->remote, text));
	return 0;
}

int inet_restore_live(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Inet *msg = (const Kist__Inet *)m;
	int fd = file_restore_fd(r, msg->desc->id), e;

	if (msg->state == KIST__INET_STATE__INET_SYN_SENT)
		return reconnect(fd, msg, err);
	if (!inet_tcp_connected(msg))
		return 0;
	e = inet_tcp_wake(fd, msg, err);
	if (e < 0)
		return e;
	e = inet_opts_set(fd, msg, INET_AGAIN, err);
	return e < 0 ? e : inet_buffers_set(fd, msg, err);
}
