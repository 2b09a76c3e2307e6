/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of net.h, a file each. Stays inside cr/nsdump. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cr/image/netns.pb-c.h"
#include "cr/nsdump/net.h"
#include "net/netlink.h"

struct net_dump {
	struct image_writer *w;
	struct netlink *nl, *fresh_nl; /* in the namespace, and in a new one to compare with */
	int netns_fd, fresh_fd;
};

struct net_restore {
	const struct image *img;
	struct netlink *nl;
	int procfd;
	uint32_t *index; /* of the link of each RECORD_NET_LINK, now; 0: not there */
};

/* The link that had @index at the dump, as it is now; 0 for 0; -ENODEV. */
int net_index(const struct net_restore *r, uint32_t index);

/* The messages of a dump request, copied: payloads one after another. */
struct net_messages {
	struct net_message {
		uint16_t type;
		size_t len;
		uint8_t *data;
	} * v;
	size_t n, cap;
};
void net_messages_done(struct net_messages *m);
#define automessages __attribute__((cleanup(net_messages_done)))
/* @head_len: of the zeroed header struct in the request, whose first byte is @family. */
int net_messages_get(struct netlink *nl, uint16_t type, uint8_t family, size_t head_len,
	struct net_messages *ret, struct err *err);
bool net_message_equal(const struct net_message *a, const struct net_message *b);

/* net-link.c */
int net_links_dump(struct net_dump *d, struct err *err);
int net_links_check(const struct image *img, struct err *err);
int net_links_restore(struct net_restore *r, struct err *err);
/* net-addr.c */
int net_addrs_dump(struct net_dump *d, struct err *err);
int net_addrs_check(const struct image *img, struct err *err);
int net_addrs_restore(struct net_restore *r, struct err *err);
/* net-route.c: routes, rules, neighbours */
int net_routes_dump(struct net_dump *d, struct err *err);
int net_routes_check(const struct image *img, struct err *err);
int net_routes_restore(struct net_restore *r, struct err *err);
/* net-nft.c */
int net_nft_dump(struct net_dump *d, struct err *err);
int net_nft_restore(struct net_restore *r, struct err *err);
/* net-sysctl.c */
int net_sysctls_dump(struct net_dump *d, struct err *err);
int net_sysctls_check(const struct image *img, struct err *err);
int net_sysctls_restore(struct net_restore *r, struct err *err);
