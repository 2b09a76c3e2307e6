// SPDX-License-Identifier: Apache-2.0
/*
 * Socket options by table. Only what differs from a new socket of the same kind is saved: setting
 * an option to its default is not always the same as leaving it alone (TTLs, windows), and the
 * defaults belong to the namespace's sysctls. An image can set no option that is not in the table.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netlink.h>
#include <linux/udp.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include "base/util.h"
#include "cr/file/inet-internal.h"

#define OPTION_MAX 256

enum { /* row flags */
	LATE = 1,
	AGAIN = 2,	   /* reset by leaving repair mode */
	NO_CONNECTION = 4, /* of a connection it is state, which the repair mode carries */
	NO_STREAM = 8,	   /* means nothing to TCP, which may refuse to have it set */
};

struct option_row {
	const char *name;
	int level, opt;
	unsigned int flags;
	unsigned int size; /* of the value in bytes; 0: an int; OPTION_TEXT: a string */
};
#define OPTION_TEXT UINT32_MAX
#define INT(lv, o, fl)                                         \
	{                                                      \
		.name = #o, .level = lv, .opt = o, .flags = fl \
	}
#define BYTES(lv, o, fl, bytes)                                               \
	{                                                                     \
		.name = #o, .level = lv, .opt = o, .flags = fl, .size = bytes \
	}

/* Newer than Debian 12's headers of the libc. */
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif

static const struct option_row inet_rows[] = {
	INT(SOL_SOCKET, SO_BROADCAST, 0),
	INT(SOL_SOCKET, SO_BUSY_POLL, 0),
	INT(SOL_SOCKET, SO_DONTROUTE, 0),
	INT(SOL_SOCKET, SO_KEEPALIVE, 0),
	INT(SOL_SOCKET, SO_LOCK_FILTER, LATE),
	INT(SOL_SOCKET, SO_MARK, 0),
	INT(SOL_SOCKET, SO_NO_CHECK, 0),
	INT(SOL_SOCKET, SO_OOBINLINE, 0),
	INT(SOL_SOCKET, SO_PEEK_OFF, LATE),
	INT(SOL_SOCKET, SO_PRIORITY, LATE), /* IP_TOS sets it too */
	INT(SOL_SOCKET, SO_RCVLOWAT, LATE),
	INT(SOL_SOCKET, SO_REUSEADDR, AGAIN),
	INT(SOL_SOCKET, SO_REUSEPORT, 0),
	INT(SOL_SOCKET, SO_RXQ_OVFL, 0),
	INT(SOL_SOCKET, SO_SELECT_ERR_QUEUE, 0),
	INT(SOL_SOCKET, SO_TIMESTAMP, 0),
	INT(SOL_SOCKET, SO_TIMESTAMPNS, 0),
	INT(SOL_SOCKET, SO_TIMESTAMPNS_NEW, 0),
	INT(SOL_SOCKET, SO_TIMESTAMP_NEW, 0),
	INT(SOL_SOCKET, SO_ZEROCOPY, 0),
	BYTES(SOL_SOCKET, SO_BINDTODEVICE, 0, OPTION_TEXT),
	BYTES(SOL_SOCKET, SO_LINGER, 0, sizeof(struct linger)),
	BYTES(SOL_SOCKET, SO_MAX_PACING_RATE, 0, 8),
	BYTES(SOL_SOCKET, SO_RCVTIMEO, 0, 16),
	BYTES(SOL_SOCKET, SO_SNDTIMEO, 0, 16),
	BYTES(SOL_SOCKET, SO_TIMESTAMPING, 0, 8),
	INT(SOL_TCP, TCP_CORK, LATE),
	INT(SOL_TCP, TCP_DEFER_ACCEPT, NO_CONNECTION),
	INT(SOL_TCP, TCP_FASTOPEN, NO_CONNECTION),
	INT(SOL_TCP, TCP_FASTOPEN_CONNECT, NO_CONNECTION),
	INT(SOL_TCP, TCP_INQ, 0),
	INT(SOL_TCP, TCP_KEEPCNT, 0),
	INT(SOL_TCP, TCP_KEEPIDLE, 0),
	INT(SOL_TCP, TCP_KEEPINTVL, 0),
	INT(SOL_TCP, TCP_LINGER2, 0),
	INT(SOL_TCP, TCP_MAXSEG, NO_CONNECTION),
	INT(SOL_TCP, TCP_NODELAY, 0),
	INT(SOL_TCP, TCP_NOTSENT_LOWAT, 0),
	INT(SOL_TCP, TCP_SAVE_SYN, NO_CONNECTION),
	INT(SOL_TCP, TCP_SYNCNT, 0),
	INT(SOL_TCP, TCP_THIN_LINEAR_TIMEOUTS, 0),
	INT(SOL_TCP, TCP_USER_TIMEOUT, 0),
	INT(SOL_TCP, TCP_WINDOW_CLAMP, NO_CONNECTION),
	BYTES(SOL_TCP, TCP_CONGESTION, 0, OPTION_TEXT),
	INT(IPPROTO_UDP, UDP_CORK, LATE),
	INT(IPPROTO_UDP, UDP_GRO, 0),
	INT(IPPROTO_UDP, UDP_NO_CHECK6_RX, 0),
	INT(IPPROTO_UDP, UDP_NO_CHECK6_TX, 0),
	INT(IPPROTO_UDP, UDP_SEGMENT, 0),
	INT(SOL_IP, IP_BIND_ADDRESS_NO_PORT, 0),
	INT(SOL_IP, IP_CHECKSUM, 0),
	INT(SOL_IP, IP_FREEBIND, 0),
	INT(SOL_IP, IP_HDRINCL, 0),
	INT(SOL_IP, IP_LOCAL_PORT_RANGE, 0),
	INT(SOL_IP, IP_MINTTL, 0),
	INT(SOL_IP, IP_MTU_DISCOVER, 0),
	INT(SOL_IP, IP_MULTICAST_ALL, NO_STREAM),
	INT(SOL_IP, IP_MULTICAST_LOOP, NO_STREAM),
	INT(SOL_IP, IP_MULTICAST_TTL, NO_STREAM),
	INT(SOL_IP, IP_NODEFRAG, 0),
	INT(SOL_IP, IP_PASSSEC, 0),
	INT(SOL_IP, IP_PKTINFO, 0),
	INT(SOL_IP, IP_RECVERR, 0),
	INT(SOL_IP, IP_RECVFRAGSIZE, 0),
	INT(SOL_IP, IP_RECVOPTS, 0),
	INT(SOL_IP, IP_RECVORIGDSTADDR, 0),
	INT(SOL_IP, IP_RECVTOS, 0),
	INT(SOL_IP, IP_RECVTTL, 0),
	INT(SOL_IP, IP_RETOPTS, 0),
	INT(SOL_IP, IP_TOS, 0),
	INT(SOL_IP, IP_TRANSPARENT, 0),
	INT(SOL_IP, IP_TTL, 0),
	INT(SOL_IP, IP_UNICAST_IF, 0),
	BYTES(SOL_IP, IP_MULTICAST_IF, NO_STREAM, sizeof(struct in_addr)),
	INT(SOL_IPV6, IPV6_ADDR_PREFERENCES, 0),
	INT(SOL_IPV6, IPV6_AUTOFLOWLABEL, 0),
	INT(SOL_IPV6, IPV6_DONTFRAG, 0),
	INT(SOL_IPV6, IPV6_FREEBIND, 0),
	INT(SOL_IPV6, IPV6_MINHOPCOUNT, 0),
	INT(SOL_IPV6, IPV6_MTU_DISCOVER, 0),
	INT(SOL_IPV6, IPV6_MULTICAST_ALL, NO_STREAM),
	INT(SOL_IPV6, IPV6_MULTICAST_HOPS, NO_STREAM),
	INT(SOL_IPV6, IPV6_MULTICAST_IF, NO_STREAM),
	INT(SOL_IPV6, IPV6_MULTICAST_LOOP, NO_STREAM),
	INT(SOL_IPV6, IPV6_RECVDSTOPTS, 0),
	INT(SOL_IPV6, IPV6_RECVERR, 0),
	INT(SOL_IPV6, IPV6_RECVFRAGSIZE, 0),
	INT(SOL_IPV6, IPV6_RECVHOPLIMIT, 0),
	INT(SOL_IPV6, IPV6_RECVHOPOPTS, 0),
	INT(SOL_IPV6, IPV6_RECVORIGDSTADDR, 0),
	INT(SOL_IPV6, IPV6_RECVPATHMTU, 0),
	INT(SOL_IPV6, IPV6_RECVPKTINFO, 0),
	INT(SOL_IPV6, IPV6_RECVRTHDR, 0),
	INT(SOL_IPV6, IPV6_RECVTCLASS, 0),
	INT(SOL_IPV6, IPV6_ROUTER_ALERT_ISOLATE, 0),
	INT(SOL_IPV6, IPV6_TCLASS, 0),
	INT(SOL_IPV6, IPV6_TRANSPARENT, 0),
	INT(SOL_IPV6, IPV6_UNICAST_HOPS, 0),
	INT(SOL_IPV6, IPV6_UNICAST_IF, 0),
	INT(SOL_IPV6, IPV6_V6ONLY, 0),
	BYTES(SOL_RAW, ICMP_FILTER, 0, sizeof(struct icmp_filter)),
	BYTES(SOL_ICMPV6, ICMPV6_FILTER, 0, sizeof(struct icmp6_filter)),
};

static const struct option_row netlink_rows[] = {
	INT(SOL_SOCKET, SO_PRIORITY, 0),
	INT(SOL_SOCKET, SO_MARK, 0),
	BYTES(SOL_SOCKET, SO_RCVTIMEO, 0, 16),
	BYTES(SOL_SOCKET, SO_SNDTIMEO, 0, 16),
	INT(SOL_SOCKET, SO_PASSCRED, 0),
	INT(SOL_NETLINK, NETLINK_BROADCAST_ERROR, 0),
	INT(SOL_NETLINK, NETLINK_CAP_ACK, 0),
	INT(SOL_NETLINK, NETLINK_EXT_ACK, 0),
	INT(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 0),
	INT(SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 0),
	INT(SOL_NETLINK, NETLINK_NO_ENOBUFS, 0),
	INT(SOL_NETLINK, NETLINK_PKTINFO, 0),
};

/* Does the level exist for such a socket? (A wrong one would be read as another's option.) */
static bool level_fits(int level, const Kist__Inet *msg)
{
	switch (level) {
	case SOL_TCP:
		return msg->protocol == IPPROTO_TCP;
	case IPPROTO_UDP:
		return msg->protocol == IPPROTO_UDP || msg->protocol == IPPROTO_UDPLITE;
	case SOL_RAW:
		return msg->type == SOCK_RAW && msg->family == AF_INET;
	case SOL_IPV6:
		return msg->family == AF_INET6;
	case SOL_ICMPV6:
		return msg->type == SOCK_RAW && msg->family == AF_INET6;
	default:
		return true;
	}
}

/* 0 with the value, or -errno; an option that the socket does not have gives -ENOPROTOOPT. */
static int read_option(int fd, const struct option_row *row, uint8_t *value, socklen_t *len)
{
	*len = row->size == 0 ? sizeof(int) : row->size == OPTION_TEXT ? OPTION_MAX - 1 : row->size;
	memset(value, 0, OPTION_MAX);
	if (getsockopt(fd, row->level, row->opt, value, len) == 0)
		return 0;
	if (errno == EINVAL || errno == EOPNOTSUPP || errno == ENOTCONN || errno == EADDRNOTAVAIL)
		return -ENOPROTOOPT; /* not of this kind, or not in this state */
	return -errno;
}

static int add_option(const struct option_row *row, const uint8_t *value, size_t len,
	Kist__InetOption ***list, size_t *n)
{
	Kist__InetOption **grown = reallocarray(*list, *n + 1, sizeof(*grown)), *o;

	if (!grown)
		return -ENOMEM;
	*list = grown;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	kist__inet_option__init(o);
	grown[(*n)++] = o;
	o->name = strdup(row->name);
	if (!o->name)
		return -ENOMEM;
	if (row->size == 0) {
		o->has_number = true;
		o->number = *(const int *)value;
		return 0;
	}
	if (row->size == OPTION_TEXT)
		len = strnlen((const char *)value, len);
	o->data.data = malloc(len + 1);
	if (!o->data.data)
		return -ENOMEM;
	memcpy(o->data.data, value, len);
	o->data.len = len;
	o->has_data = true;
	return 0;
}

struct inet_value {
	socklen_t len; /* 0: there is none */
	_Alignas(8) uint8_t bytes[OPTION_MAX];
};

static int get_value(int fd, const struct option_row *row, struct inet_value *ret, struct err *err)
{
	int r = read_option(fd, row, ret->bytes, &ret->len);

	if (r == 0)
		return 0;
	ret->len = 0;
	return r == -ENOPROTOOPT ? 0
				 : err_set(err, r, "cannot read the socket option %s", row->name);
}

static int get_row(int fd, const struct inet_value *base, const struct option_row *row,
	Kist__InetOption ***list, size_t *n, struct err *err)
{
	struct inet_value now;
	int r;

	r = get_value(fd, row, &now, err);
	if (r < 0 || !now.len)
		return r;
	if (now.len == base->len && memcmp(now.bytes, base->bytes, now.len) == 0)
		return 0;
	return add_option(row, now.bytes, now.len, list, n) < 0 ? err_oom(err) : 0;
}

struct inet_defaults {
	struct inet_value values[ARRAY_SIZE(inet_rows)];
};

int inet_defaults_get(int fresh, const Kist__Inet *msg, struct inet_defaults **ret, struct err *err)
{
	autofree struct inet_defaults *d = calloc(1, sizeof(*d));
	size_t i;
	int r;

	if (!d)
		return err_oom(err);
	for (i = 0; i < ARRAY_SIZE(inet_rows); i++) {
		if (!level_fits(inet_rows[i].level, msg))
			continue;
		r = get_value(fresh, &inet_rows[i], &d->values[i], err);
		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(d);
	return 0;
}

static bool row_applies(const struct option_row *row, const Kist__Inet *msg)
{
	bool had_connection = inet_tcp_connected(msg) || msg->ended ||
			      msg->state == KIST__INET_STATE__INET_SYN_SENT;

	return level_fits(row->level, msg) && !((row->flags & NO_CONNECTION) && had_connection) &&
	       !((row->flags & NO_STREAM) && msg->type == SOCK_STREAM);
}

int inet_opts_get(int fd, const struct inet_defaults *defaults, Kist__Inet *msg, struct err *err)
{
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(inet_rows); i++) {
		if (!row_applies(&inet_rows[i], msg))
			continue;
		r = get_row(fd, &defaults->values[i], &inet_rows[i], &msg->options, &msg->n_options,
			err);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct option_row *find_row(
	const struct option_row *rows, size_t n, const Kist__InetOption *o)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(rows[i].name, o->name) == 0)
			return &rows[i];
	return NULL;
}

static int check_option(
	const struct option_row *rows, size_t n, const Kist__InetOption *o, struct err *err)
{
	const struct option_row *row = find_row(rows, n, o);

	if (!row)
		return err_setx(
			err, -ENOPROTOOPT, "the image has an unknown socket option '%s'", o->name);
	if (row->size == 0 ? !o->has_number || o->number != (int)o->number
			   : !o->has_data || (row->size == OPTION_TEXT ? o->data.len >= OPTION_MAX
								       : o->data.len != row->size))
		return err_setx(
			err, -EBADMSG, "the image has no valid value for the option %s", o->name);
	return 0;
}

int inet_opts_check(const Kist__Inet *msg, struct err *err)
{
	size_t i;
	int r;

	for (i = 0; i < msg->n_options; i++) {
		r = check_option(inet_rows, ARRAY_SIZE(inet_rows), msg->options[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_option(
	int fd, const struct option_row *row, const Kist__InetOption *o, struct err *err)
{
	int number = o->number;
	const void *value = row->size ? (const void *)o->data.data : &number;
	socklen_t len = row->size ? o->data.len : sizeof(number);

	if (setsockopt(fd, row->level, row->opt, value, len) == 0)
		return 0;
	err_set(err, -errno, "cannot set the socket option %s", row->name);
	if (row->opt == TCP_CONGESTION && row->level == SOL_TCP && errno == ENOENT)
		return err_hint(
			err, "load the kernel module tcp_%.*s", (int)len, (const char *)value);
	return err ? err->code : -errno;
}

int inet_opts_set(int fd, const Kist__Inet *msg, enum inet_when when, struct err *err)
{
	const struct option_row *row;
	size_t i;
	int r;

	for (i = 0; i < msg->n_options; i++) {
		row = find_row(inet_rows, ARRAY_SIZE(inet_rows), msg->options[i]);
		if (!row || !(when & ((row->flags & LATE ? INET_LATE : INET_EARLY) |
					     (row->flags & AGAIN ? INET_AGAIN : 0))))
			continue;
		r = set_option(fd, row, msg->options[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

int netlink_opts_get(int fd, Kist__Netlink *msg, struct err *err)
{
	autoclose int fresh = socket(AF_NETLINK, msg->type | SOCK_CLOEXEC, msg->protocol);
	struct inet_value base;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(netlink_rows); i++) {
		r = get_value(fresh, &netlink_rows[i], &base, err);
		if (r == 0)
			r = get_row(
				fd, &base, &netlink_rows[i], &msg->options, &msg->n_options, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int netlink_opts_check(const Kist__Netlink *msg, struct err *err)
{
	size_t i;
	int r;

	for (i = 0; i < msg->n_options; i++) {
		r = check_option(netlink_rows, ARRAY_SIZE(netlink_rows), msg->options[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

int netlink_opts_set(int fd, const Kist__Netlink *msg, struct err *err)
{
	const struct option_row *row;
	size_t i;
	int r;

	for (i = 0; i < msg->n_options; i++) {
		row = find_row(netlink_rows, ARRAY_SIZE(netlink_rows), msg->options[i]);
		r = row ? set_option(fd, row, msg->options[i], err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}
