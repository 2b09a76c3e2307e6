// SPDX-License-Identifier: Apache-2.0
/* See nft.h. */
#include "net/nft.h"

#include <nftables/libnftables.h>

#include "base/util.h"
#include "sys/netns.h"

static void nft_ctx_free_p(struct nft_ctx **ctx)
{
	if (*ctx)
		nft_ctx_free(*ctx);
}
#define autonft __attribute__((cleanup(nft_ctx_free_p)))

static int run_here(const char *commands, enum nft_format format, struct buf *out, struct err *err)
{
	/* Opens its netlink socket at once: the reason for being in the namespace by now. */
	autonft struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	const char *said;
	int code;

	if (!ctx)
		return err_oom(err);
	if (nft_ctx_buffer_output(ctx) || nft_ctx_buffer_error(ctx))
		return err_oom(err);
	if (format == NFT_JSON)
		nft_ctx_output_set_flags(ctx, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL);
	errno = 0;
	if (nft_run_cmd_from_buffer(ctx, commands) != 0) {
		code = errno ? -errno : -EINVAL;
		said = nft_ctx_get_error_buffer(ctx);
		return err_setx(err, code, "nft refused a rule: %.*s",
			(int)strcspn(said ? said : "", "\n"), said ? said : "");
	}
	if (out && buf_adds(out, nft_ctx_get_output_buffer(ctx)) < 0)
		return err_oom(err);
	return 0;
}

int nft_run(int netns_fd, const char *commands, enum nft_format format, struct buf *out,
	struct err *err)
{
	struct netns_visit v;
	int r;

	r = netns_enter(&v, netns_fd, err);
	if (r < 0)
		return r;
	r = run_here(commands, format, out, err);
	netns_leave(&v);
	return r;
}
