// SPDX-License-Identifier: Apache-2.0
/*
 * What is left of a connection that has ended while its fd is still open: reads give the bytes
 * that were not yet read and then the end of the file, writes EPIPE. A short connection with nobody
 * is made, given these bytes, and reset.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>

#include "base/util.h"
#include "cr/file/inet-internal.h"

#define RESET_MS 2000
#define NOBODY	 1 /* the port of the peer that does not exist */

static int set_int(int fd, int opt, int value, struct err *err)
{
	if (setsockopt(fd, SOL_TCP, opt, &value, sizeof(value)) < 0)
		return err_set(err, -errno, "cannot set up a connection that has ended");
	return 0;
}

static int connect_nobody(
	int fd, int family, union inet_addr *local, union inet_addr *remote, struct err *err)
{
	socklen_t len = sizeof(*local);

	*local = (union inet_addr){0};
	local->sa.sa_family = family;
	if (family == AF_INET6)
		local->v6.sin6_addr = in6addr_loopback;
	else
		local->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*remote = *local;
	if (family == AF_INET6)
		remote->v6.sin6_port = htons(NOBODY);
	else
		remote->v4.sin_port = htons(NOBODY);
	if (bind(fd, &local->sa, inet_addr_len(local)) < 0 ||
		connect(fd, &remote->sa, inet_addr_len(remote)) < 0 ||
		getsockname(fd, &local->sa, &len) < 0)
		return err_set(err, -errno, "cannot set up a connection that has ended");
	return 0;
}

int inet_tcp_restore_ended(int fd, const Kist__Inet *msg, struct err *err)
{
	struct inet_packet p = {.protocol = IPPROTO_TCP, .rst = true};
	struct pollfd pfd = {.fd = fd};
	const Kist__InetTcp *tcp = msg->tcp;
	socklen_t len = sizeof(int);
	int r, code;

	if ((r = set_int(fd, TCP_REPAIR, 1, err)) < 0 ||
		(r = inet_buffers_grow(fd, 0, tcp ? tcp->receive_queue.len : 0, err)) < 0 ||
		(r = connect_nobody(fd, msg->family, &p.to, &p.from, err)) < 0 ||
		(r = set_int(fd, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE, err)) < 0)
		return r;
	if (tcp && tcp->receive_queue.len &&
		send(fd, tcp->receive_queue.data, tcp->receive_queue.len, 0) !=
			(ssize_t)tcp->receive_queue.len)
		return err_set(err, errno ? -errno : -EIO, "cannot fill a receive queue");
	len = sizeof(p.seq);
	if (getsockopt(fd, SOL_TCP, TCP_QUEUE_SEQ, &p.seq, &len) < 0)
		return err_set(err, -errno, "cannot read TCP_QUEUE_SEQ");
	if ((r = set_int(fd, TCP_REPAIR_QUEUE, TCP_NO_QUEUE, err)) < 0 ||
		(r = set_int(fd, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP, err)) < 0 ||
		(r = inet_packet_send(&p, err)) < 0)
		return r;
	if (poll(&pfd, 1, RESET_MS) <= 0) /* POLLERR and POLLHUP need not be asked for */
		return err_setx(err, -ETIMEDOUT, "a connection that has ended does not end again");
	len = sizeof(code);
	if (!msg->reset && getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
		return err_set(err, -errno, "cannot read SO_ERROR");
	return 0;
}
