/* SPDX-License-Identifier: Apache-2.0 */
/* The nft table "kist", as a pure function of the lease book. Stays inside src/net. */
#pragma once

#include "base/buf.h"
#include "net/lease.h"

#define NET_BRIDGE "kist0"
#define NET_TABLE  "kist"

/*
 * Appends the commands that replace the table by the one for @book (in one transaction), or remove
 * it when the book has no lease. Returns 0 or -ENOMEM.
 */
int publish_rules(const struct lease_book *book, struct buf *b);
