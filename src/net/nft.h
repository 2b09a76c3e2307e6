/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of nft(8), run by libnftables(3), without the program. One call is one transaction. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum nft_format { NFT_TEXT, NFT_JSON };

/*
 * Runs @commands in the network namespace @netns_fd (-EBADF: ours), whole or not at all. What they
 * print is appended to @out (may be NULL), as text or JSON; @commands may be of either form. On a
 * refusal the error carries nft's own words. Works in a short-lived child, which it waits for.
 */
int nft_run(int netns_fd, const char *commands, enum nft_format format, struct buf *out,
	struct err *err);
