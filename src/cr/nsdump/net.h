/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is inside a network namespace: links, addresses, routes, rules, permanent neighbours,
 * nftables rules, sysctls. Saved are differences from a new namespace of the same host. Not saved:
 * conntrack's entries, queueing disciplines, multicast routes, IPsec policies.
 */
#pragma once

#include "base/err.h"
#include "cr/image/image.h"

/* Refuses by name what cannot be made again. Reads only. */
int net_ns_dump(struct image_writer *w, int netns_fd, struct err *err);
/* Every record, and what they say of each other, before anything is made. */
int net_ns_check(const struct image *img, struct err *err);
/*
 * Makes the namespace of the caller (which has CAP_NET_ADMIN there) as it was: links that are there
 * by name (lo, the link to the bridge) are adapted, others made; addresses, routes, rules become
 * those of the image alone. @procfd: a /proc whose sys/net can be written. No connection lives yet.
 */
int net_ns_restore(const struct image *img, int procfd, struct err *err);
