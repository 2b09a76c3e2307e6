// SPDX-License-Identifier: Apache-2.0
/*
 * Making a connection again: in repair mode bind and connect send nothing, sequence numbers can be
 * set, and what is written to a queue is taken as sent, or received, before. FINs are no bytes of a
 * queue: ours comes from shutdown(2), the peer's and its acknowledgement from a packet that we send
 * in its name (inet-packet.c). Everything that would send waits for inet_tcp_wake.
 */
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "base/util.h"
#include "cr/file/inet-internal.h"

#define CHUNK	    32768
#define FIN_WAIT_MS 2000
#define OPT_MSS	    2 /* RFC 9293 and 7323: the kinds of TCP options */
#define OPT_WSCALE  3
#define OPT_SACK    4
#define OPT_TIME    8
#define WSCALE_MAX  14

enum fin {		    /* what a state says about FINs */
	FIN_OURS = 1,	    /* we have sent one (or want to) */
	FIN_OURS_ACKED = 2, /* the peer has seen it */
	FIN_PEERS = 4,	    /* we have received the peer's */
	FIN_PEERS_FIRST = 8,
};

static unsigned int fins_of(const Kist__Inet *msg)
{
	switch (msg->state) {
	case KIST__INET_STATE__INET_FIN_WAIT1:
		return FIN_OURS;
	case KIST__INET_STATE__INET_FIN_WAIT2:
		return FIN_OURS | FIN_OURS_ACKED;
	case KIST__INET_STATE__INET_CLOSE_WAIT:
		return FIN_PEERS | FIN_PEERS_FIRST;
	case KIST__INET_STATE__INET_LAST_ACK:
		return FIN_OURS | FIN_PEERS | FIN_PEERS_FIRST;
	case KIST__INET_STATE__INET_CLOSING:
		return FIN_OURS | FIN_PEERS;
	default:
		return 0;
	}
}

int inet_tcp_check(const Kist__Inet *msg, struct err *err)
{
	const Kist__InetTcp *tcp = msg->tcp;

	if (!tcp || !msg->local || !msg->remote)
		return err_setx(err, -EBADMSG, "the image has a connection without its addresses");
	if (tcp->unsent > tcp->send_queue.len || tcp->send_queue.len > INT32_MAX / 16 ||
		tcp->receive_queue.len > INT32_MAX / 16 || tcp->send_wscale > WSCALE_MAX ||
		tcp->receive_wscale > WSCALE_MAX ||
		tcp->has_send_wscale != tcp->has_receive_wscale ||
		(tcp->fin_unsent && !(fins_of(msg) & FIN_OURS)))
		return err_setx(err, -EBADMSG, "the image has an impossible TCP connection");
	return 0;
}

static int set_tcp(
	int fd, int opt, const void *value, socklen_t len, const char *name, struct err *err)
{
	if (setsockopt(fd, SOL_TCP, opt, value, len) < 0)
		return err_set(err, -errno, "cannot set %s", name);
	return 0;
}

static int set_queue(int fd, int queue, struct err *err)
{
	return set_tcp(fd, TCP_REPAIR_QUEUE, &queue, sizeof(queue), "TCP_REPAIR_QUEUE", err);
}

static int set_seq(int fd, int queue, uint32_t seq, struct err *err)
{
	int r = set_queue(fd, queue, err);

	return r < 0 ? r : set_tcp(fd, TCP_QUEUE_SEQ, &seq, sizeof(seq), "TCP_QUEUE_SEQ", err);
}

/* The numbers at the start of what will lie in the queues. */
static uint32_t first_unacked(const Kist__Inet *msg)
{
	return msg->tcp->write_seq - msg->tcp->send_queue.len - !!(fins_of(msg) & FIN_OURS);
}

static uint32_t first_unread(const Kist__Inet *msg)
{
	return msg->tcp->read_seq - msg->tcp->receive_queue.len - !!(fins_of(msg) & FIN_PEERS);
}

static int bind_and_connect(int fd, const union inet_addr *local, const union inet_addr *remote,
	const Kist__Inet *msg, struct err *err)
{
	char text[INET_ADDR_TEXT];

	if (bind(fd, &local->sa, inet_addr_len(local)) < 0) {
		err_set(err, -errno, "cannot bind to %s", inet_addr_text(msg->local, text));
		if (errno == EADDRNOTAVAIL)
			return err_hint(err, "the address must exist here as it did at the dump");
		return err ? err->code : -errno;
	}
	if (connect(fd, &remote->sa, inet_addr_len(remote)) < 0)
		return err_set(err, -errno, "cannot connect to %s again",
			inet_addr_text(msg->remote, text));
	return 0;
}

static int set_parameters(int fd, const Kist__InetTcp *tcp, struct err *err)
{
	struct tcp_repair_opt opts[4];
	size_t n = 0;

	opts[n++] = (struct tcp_repair_opt){OPT_MSS, tcp->mss};
	if (tcp->has_send_wscale)
		opts[n++] = (struct tcp_repair_opt){
			OPT_WSCALE, tcp->send_wscale | tcp->receive_wscale << 16};
	if (tcp->sack)
		opts[n++] = (struct tcp_repair_opt){OPT_SACK, 0};
	if (tcp->has_timestamp)
		opts[n++] = (struct tcp_repair_opt){OPT_TIME, 0};
	return set_tcp(
		fd, TCP_REPAIR_OPTIONS, opts, n * sizeof(opts[0]), "TCP_REPAIR_OPTIONS", err);
}

/* In repair mode a write goes to the chosen queue; out of it, it is an ordinary write. */
static int fill(int fd, const uint8_t *data, size_t len, struct err *err)
{
	ssize_t n;

	while (len) {
		n = send(fd, data, MIN(len, (size_t)CHUNK), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, -errno, "cannot fill the queue of a connection");
		data += n;
		len -= n;
	}
	return 0;
}

static int fill_queues(int fd, const Kist__InetTcp *tcp, struct err *err)
{
	int r;

	r = set_queue(fd, TCP_RECV_QUEUE, err);
	if (r < 0)
		return r;
	r = fill(fd, tcp->receive_queue.data, tcp->receive_queue.len, err);
	if (r < 0)
		return r;
	r = set_queue(fd, TCP_SEND_QUEUE, err);
	if (r < 0)
		return r;
	return fill(fd, tcp->send_queue.data, tcp->send_queue.len - tcp->unsent, err);
}

/* Waits until the socket has got there: packets pass loopback in softirq context, not in ours. */
static int await_state(int fd, uint8_t state, struct err *err)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	struct tcp_info info;
	socklen_t len;
	int i;

	for (i = 0; i < FIN_WAIT_MS; i++) {
		len = sizeof(info);
		if (getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len) < 0)
			return err_set(err, -errno, "cannot read TCP_INFO");
		if (info.tcpi_state == state)
			return 0;
		(void)nanosleep(&pause, NULL); /* no event tells of every state */
	}
	err_setx(err, -ETIMEDOUT, "the connection stays in TCP state %u instead of %u",
		info.tcpi_state, state);
	return err_hint(err, "loopback must be up, and firewall rules must let packets over it");
}

static int inject(int fd, const struct inet_packet *p, uint8_t state, struct err *err)
{
	int r = inet_packet_send(p, err);

	return r < 0 ? r : await_state(fd, state, err);
}

/* Our FIN: with the send queue chosen it counts as sent. */
static int send_fin(int fd, struct err *err)
{
	int r = set_queue(fd, TCP_SEND_QUEUE, err);

	if (r < 0)
		return r;
	if (shutdown(fd, SHUT_WR) < 0)
		return err_set(err, -errno, "cannot close a connection's sending side");
	return set_queue(fd, TCP_NO_QUEUE, err);
}

static int restore_fins(int fd, const Kist__Inet *msg, const union inet_addr *local,
	const union inet_addr *remote, struct err *err)
{
	unsigned int fins = fins_of(msg);
	bool ours = (fins & FIN_OURS) && !msg->tcp->fin_unsent;
	struct inet_packet p = {
		.from = *remote, .to = *local, .protocol = IPPROTO_TCP, .window = 1024};
	int r;

	p.seq = msg->tcp->read_seq - !!(fins & FIN_PEERS);
	p.ack = first_unacked(msg);
	p.fin = true;
	if (fins & FIN_PEERS_FIRST) {
		r = inject(fd, &p, TCP_CLOSE_WAIT, err);
		if (r < 0)
			return r;
	}
	if (ours && (r = send_fin(fd, err)) < 0)
		return r;
	if ((fins & FIN_PEERS) && !(fins & FIN_PEERS_FIRST) &&
		(r = inject(fd, &p, ours ? TCP_CLOSING : TCP_CLOSE_WAIT, err)) < 0)
		return r;
	if (fins & FIN_OURS_ACKED) {
		p.fin = false;
		p.ack = msg->tcp->write_seq;
		return inject(fd, &p, TCP_FIN_WAIT2, err);
	}
	return 0;
}

static int set_window(int fd, const Kist__InetTcp *tcp, struct err *err)
{
	struct tcp_repair_window w = {
		.snd_wl1 = tcp->send_wl1,
		.snd_wnd = tcp->send_window,
		.max_window = tcp->max_window,
		.rcv_wnd = tcp->receive_window,
		.rcv_wup = tcp->receive_wup,
	};

	return set_tcp(fd, TCP_REPAIR_WINDOW, &w, sizeof(w), "TCP_REPAIR_WINDOW", err);
}

int inet_tcp_restore(int fd, const Kist__Inet *msg, struct err *err)
{
	const Kist__InetTcp *tcp = msg->tcp;
	union inet_addr local, remote;
	int one = 1, r;

	if ((r = inet_addr_set(fd, msg->family, msg->local, &local, err)) < 0 ||
		(r = inet_addr_set(fd, msg->family, msg->remote, &remote, err)) < 0 ||
		(r = set_tcp(fd, TCP_REPAIR, &one, sizeof(one), "TCP_REPAIR", err)) < 0 ||
		(r = inet_buffers_grow(fd, tcp->send_queue.len, tcp->receive_queue.len, err)) < 0 ||
		(r = set_seq(fd, TCP_SEND_QUEUE, first_unacked(msg), err)) < 0 ||
		(r = set_seq(fd, TCP_RECV_QUEUE, first_unread(msg), err)) < 0 ||
		(r = bind_and_connect(fd, &local, &remote, msg, err)) < 0 ||
		(r = set_parameters(fd, tcp, err)) < 0)
		return r;
	if (tcp->has_timestamp && (r = set_tcp(fd, TCP_TIMESTAMP, &tcp->timestamp,
					   sizeof(tcp->timestamp), "TCP_TIMESTAMP", err)) < 0)
		return r;
	if ((r = fill_queues(fd, tcp, err)) < 0 || (r = set_queue(fd, TCP_NO_QUEUE, err)) < 0 ||
		(r = restore_fins(fd, msg, &local, &remote, err)) < 0)
		return r;
	if (msg->read_shut && shutdown(fd, SHUT_RD) < 0)
		return err_set(err, -errno, "cannot close a connection's reading side");
	return set_window(fd, tcp, err);
}

int inet_tcp_wake(int fd, const Kist__Inet *msg, struct err *err)
{
	const Kist__InetTcp *tcp = msg->tcp;
	size_t sent = tcp->send_queue.len - tcp->unsent;
	int off = 0, r;

	r = set_tcp(fd, TCP_REPAIR, &off, sizeof(off), "TCP_REPAIR", err);
	if (r < 0)
		return r;
	r = fill(fd, tcp->send_queue.data + sent, tcp->unsent, err);
	if (r < 0)
		return r;
	if (tcp->fin_unsent && shutdown(fd, SHUT_WR) < 0)
		return err_set(err, -errno, "cannot close a connection's sending side");
	return 0;
}
