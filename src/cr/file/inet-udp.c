// SPDX-License-Identifier: Apache-2.0
/*
 * The receive queue of a UDP socket. It is read with a peek offset, which passes over whole
 * datagrams (an empty one is shown once, and never again), and filled by datagrams that carry their
 * first sender's address (inet-packet.c).
 */
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "base/util.h"
#include "cr/file/inet-internal.h"

#define DATAGRAM_MAX  65536
#define DATAGRAMS_MAX 65536 /* a bound on a queue that fills faster than we read */

/* The address a datagram was sent to, which matters to a socket that is bound to all. */
static int take_destination(struct msghdr *mh, Kist__InetDatagram *d)
{
	char text[INET6_ADDRSTRLEN] = "";
	struct in6_pktinfo p6;
	struct in_pktinfo p4;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&p4, CMSG_DATA(c), sizeof(p4));
			(void)inet_ntop(AF_INET, &p4.ipi_addr, text, sizeof(text)); /* fits */
		} else if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&p6, CMSG_DATA(c), sizeof(p6));
			(void)inet_ntop(AF_INET6, &p6.ipi6_addr, text, sizeof(text)); /* fits */
		}
	}
	if (!text[0])
		return 0;
	d->destination = strdup(text);
	return d->destination ? 0 : -ENOMEM;
}

static int keep_datagram(int fd, Kist__Inet *msg, struct msghdr *mh, const uint8_t *data,
	size_t len, struct err *err)
{
	Kist__InetDatagram **list, *d;
	int r;

	list = reallocarray(msg->datagrams, msg->n_datagrams + 1, sizeof(*list));
	if (!list)
		return err_oom(err);
	msg->datagrams = list;
	d = calloc(1, sizeof(*d));
	if (!d)
		return err_oom(err);
	kist__inet_datagram__init(d);
	list[msg->n_datagrams++] = d;
	d->data.data = malloc(len + 1);
	if (!d->data.data)
		return err_oom(err);
	memcpy(d->data.data, data, len);
	d->data.len = len;
	r = inet_addr_get(fd, mh->msg_name, &d->source, err);
	if (r < 0)
		return r;
	return take_destination(mh, d) < 0 ? err_oom(err) : 0;
}

/* 1 with a datagram, 0 at the end of the queue. */
static int peek_one(int fd, Kist__Inet *msg, uint8_t *data, struct err *err)
{
	_Alignas(struct cmsghdr) char control[512];
	struct iovec iov = {.iov_base = data, .iov_len = DATAGRAM_MAX};
	union inet_addr from = {0};
	struct msghdr mh = {.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &mh, MSG_PEEK | MSG_DONTWAIT);
	int r;

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		return err_set(err, -errno, "cannot read the receive queue");
	r = keep_datagram(fd, msg, &mh, data, n, err);
	return r < 0 ? r : 1;
}

static int peek_all(int fd, Kist__Inet *msg, struct err *err)
{
	autofree uint8_t *data = malloc(DATAGRAM_MAX);
	int r = 1;

	if (!data)
		return err_oom(err);
	while (r > 0 && msg->n_datagrams < DATAGRAMS_MAX)
		r = peek_one(fd, msg, data, err);
	return r;
}

static int get_int(int fd, int level, int opt, int fallback)
{
	socklen_t len = sizeof(fallback);
	int v;

	return getsockopt(fd, level, opt, &v, &len) < 0 ? fallback : v;
}

/* Sends and receives are held up by no timer here: what is on its way out leaves at once. */
static int refuse_corked(int fd, struct err *err)
{
	int out = 0;

	if (ioctl(fd, SIOCOUTQ, &out) < 0 || !out)
		return 0;
	err_setx(err, -EAGAIN, "%d bytes wait to be sent (corked, or on their way out)", out);
	return err_hint(err, "try again; a datagram that is being put together cannot be saved");
}

int inet_udp_queue_get(int fd, Kist__Inet *msg, struct err *err)
{
	bool v6 = msg->family == AF_INET6;
	int peek_off = get_int(fd, SOL_SOCKET, SO_PEEK_OFF, -1), zero = 0, one = 1, r;
	int info4 = get_int(fd, SOL_IP, IP_PKTINFO, 0);
	int info6 = v6 ? get_int(fd, SOL_IPV6, IPV6_RECVPKTINFO, 0) : 1;

	r = refuse_corked(fd, err);
	if (r < 0)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &zero, sizeof(zero)) < 0)
		return err_set(err, -errno, "cannot set SO_PEEK_OFF");
	/* Only the destination address hangs on these two; without it the queue is still good. */
	if (!info4)
		(void)setsockopt(fd, SOL_IP, IP_PKTINFO, &one, sizeof(one));
	if (!info6)
		(void)setsockopt(fd, SOL_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
	r = peek_all(fd, msg, err);
	if (!info4)
		(void)setsockopt(fd, SOL_IP, IP_PKTINFO, &info4, sizeof(info4));
	if (!info6)
		(void)setsockopt(fd, SOL_IPV6, IPV6_RECVPKTINFO, &info6, sizeof(info6));
	if (setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &peek_off, sizeof(peek_off)) < 0 && r >= 0)
		return err_set(err, -errno, "cannot set SO_PEEK_OFF back");
	return r < 0 ? r : 0;
}

/* Where the datagram goes now: the socket's address, or for one bound to all what was recorded. */
static int destination(int fd, const Kist__Inet *msg, const Kist__InetDatagram *d,
	union inet_addr *ret, struct err *err)
{
	Kist__InetAddress to;
	int r;

	r = inet_addr_set(fd, msg->family, msg->local, ret, err);
	if (r < 0 || !inet_addr_any(ret))
		return r;
	kist__inet_address__init(&to);
	to.port = msg->local->port;
	to.address = d->destination	       ? d->destination
		     : msg->family == AF_INET6 ? (char *)"::1"
					       : (char *)"127.0.0.1";
	return inet_addr_set(fd, strchr(to.address, ':') ? AF_INET6 : AF_INET, &to, ret, err);
}

static int send_all(int fd, const Kist__Inet *msg, struct err *err)
{
	struct inet_packet p = {.protocol = IPPROTO_UDP};
	const Kist__InetDatagram *d;
	size_t i, bytes = 0;
	int r;

	for (i = 0; i < msg->n_datagrams; i++)
		bytes += msg->datagrams[i]->data.len + 1024;
	r = inet_buffers_grow(fd, 0, bytes, err);
	for (i = 0; r == 0 && i < msg->n_datagrams; i++) {
		d = msg->datagrams[i];
		r = destination(fd, msg, d, &p.to, err);
		if (r < 0)
			return r;
		r = inet_addr_set(fd,
			p.to.sa.sa_family == AF_INET && !strchr(d->source->address, ':') ? AF_INET
											 : AF_INET6,
			d->source, &p.from, err);
		if (r < 0)
			return r;
		p.data = d->data.data;
		p.len = d->data.len;
		r = inet_packet_send(&p, err);
	}
	return r;
}

int inet_udp_queue_set(int fd, const Kist__Inet *msg, struct err *err)
{
	char device[IFNAMSIZ] = "";
	socklen_t len = sizeof(device);
	int r;

	if (!msg->n_datagrams)
		return 0;
	/* What we send comes over loopback, and would not reach a socket of another device. */
	if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &len) < 0)
		len = 0;
	if (len && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0) < 0)
		return err_set(err, -errno, "cannot loosen a socket from '%s'", device);
	r = send_all(fd, msg, err);
	if (len && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, len) < 0 && r == 0)
		return err_set(err, -errno, "cannot bind a socket to '%s'", device);
	return r;
}
