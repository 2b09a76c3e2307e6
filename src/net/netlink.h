/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests over netlink(7): one at a time, answered before the call returns. The kernel's own
 * explanation (NETLINK_EXT_ACK) becomes part of the error. Below that, the few requests of
 * rtnetlink(7) that kist makes: links, addresses, routes.
 */
#pragma once

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define NETLINK_MSG_MAX 32768

struct netlink {
	int fd;
	uint32_t seq;
	char why[128];		   /* the kernel's words for the last refusal, or "" */
	char msg[NETLINK_MSG_MAX]; /* the request that is being built */
};

/* Opens a socket of @protocol (NETLINK_ROUTE, …) inside the namespace @netns_fd (-EBADF: ours). */
int netlink_open(int netns_fd, int protocol, struct netlink **ret, struct err *err);
void netlink_free(struct netlink *nl);

static inline void netlink_free_p(struct netlink **nl)
{
	netlink_free(*nl);
}
#define autonetlink __attribute__((cleanup(netlink_free_p)))

/* Starts a request in nl->msg; the caller appends with mnl_attr_put…, at most NETLINK_MSG_MAX. */
struct nlmsghdr *netlink_start(struct netlink *nl, uint16_t type, uint16_t flags);
/* Sends it and waits for the acknowledgement. Returns 0 or the kernel's -errno (see nl->why). */
int netlink_run(struct netlink *nl, struct nlmsghdr *req);
/*
 * Sends it and calls @each for every message of the answer (of a dump, or a single one). A
 * negative result of @each ends it and is returned; a dump that changed under us is -EAGAIN.
 */
typedef int (*netlink_each)(const struct nlmsghdr *nlh, void *arg);
int netlink_query(struct netlink *nl, struct nlmsghdr *req, netlink_each each, void *arg);
/* As err_set with the kernel's words after it. */
int netlink_err(struct netlink *nl, struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The index of the link @name, or -ENODEV. @ret_kind (IFNAMSIZ bytes, may be NULL): "veth", "". */
int link_find(struct netlink *nl, const char *name, char *ret_kind);
int link_add_bridge(struct netlink *nl, const char *name, const uint8_t mac[6], struct err *err);
/* A veth pair: @name here, @peer with @mac in the namespace @peer_ns. */
int link_add_veth(struct netlink *nl, const char *name, const char *peer, const uint8_t mac[6],
	int peer_ns, struct err *err);
int link_set_up(struct netlink *nl, int index, bool up, struct err *err);
int link_set_master(struct netlink *nl, int index, int master, struct err *err);
/* A bridge's port may get its own frames back (IFLA_BRPORT_MODE). */
int link_set_hairpin(struct netlink *nl, int index, struct err *err);
/* -ENODEV (no error text) when it is not there. */
int link_delete(struct netlink *nl, const char *name, struct err *err);
int addr_add4(
	struct netlink *nl, int index, struct in_addr addr, unsigned int prefix, struct err *err);
int route_add_default4(struct netlink *nl, struct in_addr gateway, int index, struct err *err);
/* 1 when a route (default ones aside) or address here lies in, or holds, @net/@prefix; else 0. */
int route_overlaps4(struct netlink *nl, struct in_addr net, unsigned int prefix, struct err *err);
