/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP connections of a dump or an image, for the network lock. Dump: file_dump_task gathers
 * them; the caller locks them; then file_dump_finish reads queues and sequence numbers.
 */
#pragma once

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* SO_MARK of the packets that kist itself sends to restored sockets: the lock passes them. */
#define INET_MARK      0x6b697374u
#define INET_MARK_TEXT "0x6b697374"

struct file_dump;
struct image;

struct inet_conn {
	int netns_fd; /* the socket's network namespace, borrowed; -EBADF in an image */
	int family;   /* AF_INET also for an IPv4 connection of an IPv6 socket */
	char local[INET6_ADDRSTRLEN], remote[INET6_ADDRSTRLEN];
	uint16_t local_port, remote_port;
};

/* Gives the connections met so far; they stay the dump's. */
size_t inet_dump_connections(struct file_dump *d, const struct inet_conn **ret);
struct inet_port {    /* a listening one, with connections that wait to be accepted */
	int netns_fd; /* borrowed */
	uint16_t port;
};
/* Those that made file_dump_task fail with -EAGAIN; they stay the dump's. */
size_t inet_dump_waiting(struct file_dump *d, const struct inet_port **ret);
/* Those of an image. The caller frees *ret. */
int inet_image_connections(
	const struct image *img, struct inet_conn **ret, size_t *ret_n, struct err *err);
