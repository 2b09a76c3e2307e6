/* SPDX-License-Identifier: Apache-2.0 */
/* The nft table "kist", as a pure function of the lease book. Stays inside src/net. */
#pragma once

#include "base/buf.h"
#include "net/lease.h"

#define NET_BRIDGE "kist0"
#define NET_TABLE  "kist"

/* What the commands begin with; only for a table that is there. */
#define PUBLISH_REPLACE "add table ip " NET_TABLE "\ndelete table ip " NET_TABLE "\n"
/* The name of an empty chain that tells by a checksum what else is in the table. */
#define PUBLISH_MARK_MAX 32

/*
 * Appends the commands that replace the table by the one for @book (in one transaction), or remove
 * it when the book has no lease; @mark (PUBLISH_MARK_MAX bytes) is the chain that the table then
 * has, "" without a lease. Returns 0 or -ENOMEM.
 */
int publish_rules(const struct lease_book *book, struct buf *b, char *mark);
