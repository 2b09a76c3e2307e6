/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `--net bridge`: a veth pair from the container's network namespace to the bridge kist0, an
 * address from a pool that is kept in a locked file, NAT and port publishing in nft's table
 * "kist" (rules carry the container's id as comment). rtnetlink(7), libmnl, libnftables.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct net_port {
	uint16_t host, container;
	int protocol;	  /* IPPROTO_TCP, IPPROTO_UDP */
	char host_ip[46]; /* "" for all */
};

struct net_attachment {				/* plain data: kept in the container's state file */
	char host_link[16], container_link[16]; /* interface names */
	char address[46], gateway[46];
	unsigned int prefix;
	char mac[18];
	bool was_parked; /* net_bridge_attach took a parked address: not kept */
};

/*
 * Connects the namespace @netns_fd for container @id: makes the bridge when it is the first, leases
 * an address (@want: this one, or NULL), makes the veth, routes and rules. On failure nothing is
 * left. @run_dir is the directory fd of kist's run-time state, for the lease file. Published ports
 * answer on the host's own addresses too, 127.0.0.1 included. Turns on net.ipv4.ip_forward, which
 * stays on. @netns_fd is the container's namespace: its lo is not touched. @guard (or NULL): nft
 * commands run in there before the link comes up, for a restore.
 */
int net_bridge_attach(int run_dir, const char *id, int netns_fd, const char *want,
	const struct net_port *ports, size_t n_ports, const char *guard, struct net_attachment *ret,
	struct err *err);
/* Undoes it; what is already gone is no error. The last one removes bridge and table. */
int net_bridge_detach(int run_dir, const char *id, struct err *err);

/*
 * The container is gone but lives on in an image: its link is removed, its address, ports and the
 * bridge are kept for it, so that peers do not get refused. Ends by net_bridge_attach (this @id, or
 * any that wants the address; when that fails it is parked again), by net_bridge_detach, or after a
 * day. -ENOENT without a lease.
 */
int net_bridge_park(int run_dir, const char *id, struct err *err);

/* Brings lo up in the caller's network namespace. */
int net_loopback_up(struct err *err);
