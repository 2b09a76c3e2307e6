/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the inet kind: options, addresses, TCP's repair mode, spoofed packets, queues. All
 * work on a socket fd and the record's message (whose fields are malloc'ed), so that tests can use
 * them without tasks and images. Stays inside cr/file.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/err.h"
#include "cr/file/inet.h"
#include "cr/image/inet.pb-c.h"

union inet_addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* ---- inet-addr.c ---- */
/* Text of the message from a kernel address and back. @fd: a socket of the same namespace. */
int inet_addr_get(int fd, const union inet_addr *a, Kist__InetAddress **ret, struct err *err);
int inet_addr_set(
	int fd, int family, const Kist__InetAddress *msg, union inet_addr *ret, struct err *err);
socklen_t inet_addr_len(const union inet_addr *a);
bool inet_addr_any(const union inet_addr *a); /* 0.0.0.0 or :: */
uint16_t inet_addr_port(const union inet_addr *a);
/* "1.2.3.4:80", "[::1]:80" into @text, for messages. */
#define INET_ADDR_TEXT 64
const char *inet_addr_text(const Kist__InetAddress *a, char text[INET_ADDR_TEXT]);

/* ---- inet-conn.c ---- */
/* The text of an address without IPv6's mapping, and its family. -EBADMSG. */
int inet_conn_address(const Kist__InetAddress *a, int *family, char ret[INET6_ADDRSTRLEN]);
int inet_conn_fill(const Kist__Inet *msg, struct inet_conn *ret);

/* ---- inet-diag.c ---- */
/* Where the socket with this inode is connecting to (TCP, SYN_SENT); -EAGAIN when it is not. */
int inet_diag_peer(int netns_fd, int family, ino_t ino, union inet_addr *ret, struct err *err);

/* ---- inet-opts.c ---- */
/* The options of a new socket of a kind, to compare with. The caller frees it (free). */
struct inet_defaults;
int inet_defaults_get(
	int fresh, const Kist__Inet *msg, struct inet_defaults **ret, struct err *err);
/* What differs from a new socket of the same kind, as options of the message. */
int inet_opts_get(int fd, const struct inet_defaults *defaults, Kist__Inet *msg, struct err *err);
/* Names must be known, values of the right size. */
int inet_opts_check(const Kist__Inet *msg, struct err *err);
enum inet_when {
	INET_EARLY = 1, /* before bind */
	INET_LATE = 2,	/* when queues are filled */
	INET_AGAIN = 4, /* what leaving repair mode resets */
};
int inet_opts_set(int fd, const Kist__Inet *msg, enum inet_when when, struct err *err);
/* The same for one list of options of a netlink socket. */
int netlink_opts_get(int fd, Kist__Netlink *msg, struct err *err);
int netlink_opts_check(const Kist__Netlink *msg, struct err *err);
int netlink_opts_set(int fd, const Kist__Netlink *msg, struct err *err);
/* Buffer sizes, past the limits of sysctl, and the lock that says whether they adapt. */
int inet_buffers_get(int fd, Kist__Inet *msg, struct err *err);
int inet_buffers_grow(int fd, size_t send, size_t receive, struct err *err);
int inet_buffers_set(int fd, const Kist__Inet *msg, struct err *err);

/* ---- inet-tcp-dump.c ---- */
/* State, backlog and kind of end; reads only. Refuses what cannot be saved. */
int inet_tcp_probe(int fd, Kist__Inet *msg, struct err *err);
/* Is there a connection that has to be locked and repaired? */
bool inet_tcp_connected(const Kist__Inet *msg);
/* Reads the socket in repair mode, and leaves that mode without a packet. */
int inet_tcp_dump(int fd, Kist__Inet *msg, struct err *err);
/* What is left to read in a socket whose connection has ended (msg->ended); reads only. */
int inet_tcp_dump_ended(int fd, Kist__Inet *msg, struct err *err);
/* Into repair mode for good: its end will say nothing to the peer. */
void inet_tcp_silence(int fd);

/* ---- inet-tcp-restore.c ---- */
int inet_tcp_check(const Kist__Inet *msg, struct err *err);
/* @fd is new: makes it the connection of @msg, still in repair mode. */
int inet_tcp_restore(int fd, const Kist__Inet *msg, struct err *err);
/* Goes live: leaves repair mode, queues what was never sent. */
int inet_tcp_wake(int fd, const Kist__Inet *msg, struct err *err);
/* A closed socket whose reads give what was left, then end of file. */
int inet_tcp_restore_ended(int fd, const Kist__Inet *msg, struct err *err);

/* ---- inet-packet.c ---- */
struct inet_packet { /* from the peer to a socket of ours */
	union inet_addr from, to;
	int protocol; /* TCP or UDP */
	uint32_t seq, ack;
	uint16_t window;
	bool fin, rst;
	const void *data; /* of UDP */
	size_t len;
};
#define INET_PACKET_MAX 65535
/* Bytes of the IP packet, checksums included, into @buf (INET_PACKET_MAX); -EMSGSIZE. Pure. */
ssize_t inet_packet_build(const struct inet_packet *p, uint8_t *buf);
/* Sends it over loopback; raw(7), CAP_NET_RAW. */
int inet_packet_send(const struct inet_packet *p, struct err *err);

/* ---- inet-udp.c ---- */
/* Copies the receive queue without taking from it. */
int inet_udp_queue_get(int fd, Kist__Inet *msg, struct err *err);
/* Sends each datagram again, from its first sender's address. */
int inet_udp_queue_set(int fd, const Kist__Inet *msg, struct err *err);

/* ---- inet-restore.c, for the row in inet.c ---- */
struct file_restore;
int inet_restore_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err);
int inet_restore_open(struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err);
int inet_restore_live(struct file_restore *r, const ProtobufCMessage *m, struct err *err);
