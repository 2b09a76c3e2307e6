/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP connections of a dump, for the network lock: file_dump_task gathers them; the caller
 * locks them; then file_dump_finish reads queues and sequence numbers. TCP_REPAIR, tcp(7).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct file_dump;

struct inet_conn {
	int netns_fd;	    /* the socket's network namespace; borrowed */
	sa_family_t family; /* AF_INET also for an IPv4 connection of an IPv6 socket */
	uint16_t local_port, remote_port; /* host order */
	uint8_t local[16], remote[16];	  /* 4 bytes of them for AF_INET */
};

/* Gives the connections met so far; they stay the dump's. */
size_t inet_dump_connections(struct file_dump *d, const struct inet_conn **ret);
