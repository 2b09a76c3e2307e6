/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network lock: while a tree is being dumped, and until it is restored, packets of its TCP
 * connections are dropped, so that nobody answers for sockets that are not there. An nft table of
 * its own (its name goes into the image) with the connections' addresses, in each network namespace
 * concerned; nothing else is touched. Its elements end by themselves after a day: an image that is
 * never restored leaves no rule for ever. See docs/decisions.md.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "cr/file/inet.h"
#include "cr/image/image.h"

/* ---- dump ---- */
struct net_lock;
/*
 * Locks the connections, each in its own namespace, and notes the table in the image. Nothing is
 * left on failure. *ret is NULL without connections.
 */
int net_lock_dump(struct image_writer *w, const struct inet_conn *conns, size_t n,
	struct net_lock **ret, struct err *err);
/* The tree is about to be killed: the lock stays when it is freed. */
void net_lock_keep(struct net_lock *lock);
/* Unlocks, unless kept. NULL is fine. */
void net_lock_free(struct net_lock *lock);

/*
 * Before a dump is tried again: new connections to these ports are held up (their first packets are
 * dropped, and come again after a second), while the program accepts those that wait already. Ends
 * by itself after ten seconds. May be called again with more; *hold is NULL at first.
 */
struct net_hold;
int net_hold_ports(
	struct net_hold **hold, const struct inet_port *ports, size_t n, struct err *err);
/* NULL is fine. */
void net_hold_free(struct net_hold *hold);

/* ---- restore ---- */
/*
 * Locks the image's connections in the namespace @netns_fd (-EBADF: ours), unless they are locked
 * there since the dump. *ret_made: it was done here, and a failed restore has to undo it.
 */
int net_lock_restore(const struct image *img, int netns_fd, bool *ret_made, struct err *err);
/* When all connections are there: lets packets through. Also takes the guard away. */
int net_lock_release(const struct image *img, int netns_fd, struct err *err);
/*
 * For a new namespace: commands that drop every TCP packet, to be run in it before its first link
 * comes up (net_bridge_attach), when the image has connections; else NULL.
 */
const char *net_lock_guard(const struct image *img);

/* The commands that make the table @name for these connections; pure. Returns 0 or -ENOMEM. */
int net_lock_rules(const char *name, const struct inet_conn *conns, size_t n, struct buf *b);
