// SPDX-License-Identifier: Apache-2.0
/*
 * Reading a TCP socket: its state, and, by TCP_REPAIR (tcp(7)), sequence numbers, windows and both
 * queues. The task could not use a socket in that mode, and a dump may die: it is left at once. But
 * a socket that is closed in it says nothing to its peer: it is entered again when the task is to
 * be killed.
 */
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/util.h"
#include "cr/file/inet-internal.h"

bool inet_tcp_connected(const Kist__Inet *msg)
{
	return msg->protocol == IPPROTO_TCP && msg->type == SOCK_STREAM &&
	       msg->state != KIST__INET_STATE__INET_CLOSED &&
	       msg->state != KIST__INET_STATE__INET_LISTEN &&
	       msg->state != KIST__INET_STATE__INET_SYN_SENT;
}

static int get_info(int fd, struct tcp_info *info, struct err *err)
{
	socklen_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	if (getsockopt(fd, SOL_TCP, TCP_INFO, info, &len) < 0)
		return err_set(err, -errno, "cannot read TCP_INFO");
	return 0;
}

/*
 * A closed socket is a new one, or what is left of a connection: then a read gives the end of the
 * file (or bytes still queued) where a new one would give ENOTCONN.
 */
static void probe_end(int fd, Kist__Inet *msg)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	char byte;

	/* POLLERR: an error waits for SO_ERROR or the next call, which must not eat it here. */
	if (poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLERR))
		msg->has_reset = msg->reset = msg->has_ended = msg->ended = true;
	else if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
		msg->has_ended = msg->ended = true;
}

static int probe_listener(const struct tcp_info *info, Kist__Inet *msg, struct err *err)
{
	msg->has_backlog = true;
	msg->backlog = info->tcpi_sacked; /* of a listener: the limit, and in unacked the length */
	if (!info->tcpi_unacked)
		return 0;
	err_setx(err, -EAGAIN, "%u connections wait to be accepted", info->tcpi_unacked);
	return err_hint(err, "try again when the program has accepted them");
}

static int refuse_ulp(int fd, struct err *err)
{
	char name[32] = "";
	socklen_t len = sizeof(name) - 1;

	if (getsockopt(fd, SOL_TCP, TCP_ULP, name, &len) < 0 || !len || !name[0])
		return 0;
	err_setx(err, -EOPNOTSUPP, "the kernel handles '%s' on it, whose state cannot be read",
		name);
	return err_hint(err, "turn off kernel TLS in the program's configuration");
}

int inet_tcp_probe(int fd, Kist__Inet *msg, struct err *err)
{
	struct pollfd pfd = {.fd = fd, .events = POLLRDHUP};
	struct tcp_info info;
	int r;

	r = get_info(fd, &info, err);
	if (r < 0)
		return r;
	msg->state = info.tcpi_state;
	switch (info.tcpi_state) {
	case TCP_LISTEN:
		return probe_listener(&info, msg, err);
	case TCP_CLOSE:
		probe_end(fd, msg);
		return 0;
	case TCP_SYN_SENT:
		return 0;
	case TCP_ESTABLISHED:
		if (poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLRDHUP))
			msg->has_read_shut = msg->read_shut = true;
		return refuse_ulp(fd, err);
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_CLOSE_WAIT:
	case TCP_LAST_ACK:
	case TCP_CLOSING:
		return refuse_ulp(fd, err);
	default:
		return err_setx(err, -EOPNOTSUPP, "TCP state %u cannot be saved", info.tcpi_state);
	}
}

static int set_int(int fd, int opt, int value, const char *name, struct err *err)
{
	if (setsockopt(fd, SOL_TCP, opt, &value, sizeof(value)) < 0)
		return err_set(err, -errno, "cannot set %s", name);
	return 0;
}

static int get_u32(int fd, int opt, const char *name, uint32_t *ret, struct err *err)
{
	socklen_t len = sizeof(*ret);

	if (getsockopt(fd, SOL_TCP, opt, ret, &len) < 0)
		return err_set(err, -errno, "cannot read %s", name);
	return 0;
}

static int enter_repair(int fd, struct err *err)
{
	int one = 1;

	if (setsockopt(fd, SOL_TCP, TCP_REPAIR, &one, sizeof(one)) == 0)
		return 0;
	err_set(err, -errno, "cannot put the connection into repair mode");
	if (errno == EPERM)
		return err_hint(err, "CAP_NET_ADMIN is needed in its network namespace");
	return err ? err->code : -errno;
}

/* Without a packet. SO_REUSEADDR, which repair mode borrows, gets back what it was. */
static void leave_repair(int fd, int reuse)
{
	int off = TCP_REPAIR_OFF_NO_WP;

	/* The connection may be gone by now; then there is nothing to leave. */
	(void)setsockopt(fd, SOL_TCP, TCP_REPAIR, &off, sizeof(off));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
}

void inet_tcp_silence(int fd)
{
	(void)enter_repair(fd, NULL); /* it went before; the lock drops what would be sent */
}

/* The sequence number and @len bytes of a queue, without taking them. */
static int read_queue(
	int fd, int queue, size_t len, uint32_t *ret_seq, ProtobufCBinaryData *ret, struct err *err)
{
	int peek_off = -1, none = -1, r;
	socklen_t size = sizeof(peek_off);
	ssize_t n = 0;

	if ((r = set_int(fd, TCP_REPAIR_QUEUE, queue, "TCP_REPAIR_QUEUE", err)) < 0 ||
		(r = get_u32(fd, TCP_QUEUE_SEQ, "TCP_QUEUE_SEQ", ret_seq, err)) < 0)
		return r;
	ret->data = malloc(len + 1);
	if (!ret->data)
		return err_oom(err);
	/* A peek offset of the program's own would shift what we see. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &peek_off, &size) < 0)
		peek_off = -1;
	if (peek_off >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &none, sizeof(none));
	if (len)
		n = recv(fd, ret->data, len, MSG_PEEK | MSG_DONTWAIT);
	r = n < 0 ? -errno : 0;
	if (peek_off >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &peek_off, sizeof(peek_off));
	if (r < 0 && r != -EAGAIN)
		return err_set(err, r, "cannot read the %s queue",
			queue == TCP_SEND_QUEUE ? "send" : "receive");
	if (n >= 0 && (size_t)n != len)
		return err_setx(err, -EAGAIN, "the %s queue has %zd bytes where %zu are expected",
			queue == TCP_SEND_QUEUE ? "send" : "receive", n, len);
	ret->len = len;
	return 0;
}

/* How much lies in the queues; SIOCINQ and SIOCOUTQ count a FIN of ours, and not the peer's. */
static int read_sizes(
	int fd, uint32_t state, int *ret_in, int *ret_out, Kist__InetTcp *tcp, struct err *err)
{
	bool fin = state == TCP_FIN_WAIT1 || state == TCP_CLOSING || state == TCP_LAST_ACK;
	int in = 0, out = 0, unsent = 0;

	if (ioctl(fd, SIOCINQ, &in) < 0 || ioctl(fd, SIOCOUTQ, &out) < 0 ||
		ioctl(fd, SIOCOUTQNSD, &unsent) < 0)
		return err_set(err, -errno, "cannot read the lengths of the queues");
	if (fin) {
		out--;
		tcp->fin_unsent = unsent > 0;
		unsent -= tcp->fin_unsent;
	}
	if (in < 0 || out < 0 || unsent < 0 || unsent > out)
		return err_setx(err, -EPROTO, "the lengths of the queues contradict each other");
	tcp->unsent = unsent;
	*ret_in = in;
	*ret_out = out;
	return 0;
}

static int read_parameters(int fd, const struct tcp_info *info, Kist__InetTcp *tcp, struct err *err)
{
	struct tcp_repair_window w;
	socklen_t len = sizeof(w);
	int r;

	r = get_u32(fd, TCP_MAXSEG, "TCP_MAXSEG", &tcp->mss, err);
	if (r < 0)
		return r;
	tcp->sack = info->tcpi_options & TCPI_OPT_SACK;
	if (info->tcpi_options & TCPI_OPT_WSCALE) {
		tcp->has_send_wscale = tcp->has_receive_wscale = true;
		tcp->send_wscale = info->tcpi_snd_wscale;
		tcp->receive_wscale = info->tcpi_rcv_wscale;
	}
	if (info->tcpi_options & TCPI_OPT_TIMESTAMPS) {
		tcp->has_timestamp = true;
		r = get_u32(fd, TCP_TIMESTAMP, "TCP_TIMESTAMP", &tcp->timestamp, err);
		if (r < 0)
			return r;
	}
	if (getsockopt(fd, SOL_TCP, TCP_REPAIR_WINDOW, &w, &len) < 0)
		return err_set(err, -errno, "cannot read TCP_REPAIR_WINDOW");
	tcp->send_wl1 = w.snd_wl1;
	tcp->send_window = w.snd_wnd;
	tcp->max_window = w.max_window;
	tcp->receive_window = w.rcv_wnd;
	tcp->receive_wup = w.rcv_wup;
	return 0;
}

static int read_connection(int fd, const struct tcp_info *info, Kist__InetTcp *tcp, struct err *err)
{
	int in = 0, out = 0, r;

	r = read_sizes(fd, info->tcpi_state, &in, &out, tcp, err);
	if (r < 0)
		return r;
	r = read_queue(fd, TCP_RECV_QUEUE, in, &tcp->read_seq, &tcp->receive_queue, err);
	if (r < 0)
		return r;
	r = read_queue(fd, TCP_SEND_QUEUE, out, &tcp->write_seq, &tcp->send_queue, err);
	if (r < 0)
		return r;
	r = set_int(fd, TCP_REPAIR_QUEUE, TCP_NO_QUEUE, "TCP_REPAIR_QUEUE", err);
	return r < 0 ? r : read_parameters(fd, info, tcp, err);
}

static int new_tcp(Kist__Inet *msg, struct err *err)
{
	if (msg->tcp)
		return 0;
	msg->tcp = malloc(sizeof(*msg->tcp));
	if (!msg->tcp)
		return err_oom(err);
	kist__inet_tcp__init(msg->tcp);
	return 0;
}

int inet_tcp_dump_ended(int fd, Kist__Inet *msg, struct err *err)
{
	ProtobufCBinaryData *q;
	int in = 0;
	ssize_t n;

	if (new_tcp(msg, err) < 0)
		return -ENOMEM;
	q = &msg->tcp->receive_queue;
	/* With a pending error a read would take the error. */
	if (!msg->reset && ioctl(fd, SIOCINQ, &in) < 0)
		return err_set(err, -errno, "cannot read the length of the receive queue");
	q->data = malloc(in + 1);
	if (!q->data)
		return err_oom(err);
	n = in ? recv(fd, q->data, in, MSG_PEEK | MSG_DONTWAIT) : 0;
	if (n < 0)
		return err_set(err, -errno, "cannot read the receive queue");
	q->len = n;
	return 0;
}

int inet_tcp_dump(int fd, Kist__Inet *msg, struct err *err)
{
	struct tcp_info info;
	socklen_t len = sizeof(int);
	int reuse = 0, r;

	if (new_tcp(msg, err) < 0)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, &len) < 0)
		return err_set(err, -errno, "cannot read SO_REUSEADDR");
	r = enter_repair(fd, err);
	if (r < 0)
		return r;
	/* The state may have moved between the probe and the lock, never after it. */
	r = get_info(fd, &info, err);
	if (r == 0 && info.tcpi_state == TCP_CLOSE)
		r = err_setx(err, -EAGAIN, "the connection ended just now");
	if (r == 0) {
		msg->state = info.tcpi_state;
		r = read_connection(fd, &info, msg->tcp, err);
	}
	leave_repair(fd, reuse);
	return r;
}
