// SPDX-License-Identifier: Apache-2.0
/*
 * nftables rules made inside. They are saved as the text that nft itself lists, and loaded once
 * into a scratch namespace, so that a rule which libnftables lists but cannot read back is refused
 * at the dump and not at the restore.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/nsdump/net-internal.h"
#include "net/nft.h"
#include "sys/netns.h"

static void json_decref_p(json_t **j)
{
	json_decref(*j);
}
#define autojson __attribute__((cleanup(json_decref_p)))

/* Tables of kist's own are not the container's. */
static bool is_ours(const char *name)
{
	return strncmp(name, "kist-", 5) == 0;
}

static int list_table(struct net_dump *d, const char *family, const char *name, struct buf *rules,
	struct err *err)
{
	autobuf struct buf command = {0};

	if (buf_addf(&command, "list table %s %s", family, name) < 0)
		return err_oom(err);
	return nft_run(d->netns_fd, buf_str(&command), NFT_TEXT, rules, err);
}

static int list_all(struct net_dump *d, struct buf *rules, struct err *err)
{
	autobuf struct buf text = {0};
	autojson json_t *root = NULL;
	json_t *list, *item, *table;
	const char *family, *name;
	size_t i;
	int r;

	r = nft_run(d->netns_fd, "list tables", NFT_JSON, &text, err);
	if (r < 0)
		return r;
	root = json_loadb(buf_str(&text), text.len, 0, NULL);
	list = root ? json_object_get(root, "nftables") : NULL;
	if (text.len && !json_is_array(list))
		return err_setx(err, -EPROTO, "cannot understand nft's list of tables");
	json_array_foreach(list, i, item)
	{
		table = json_object_get(item, "table");
		if (!table ||
			json_unpack(table, "{s:s, s:s}", "family", &family, "name", &name) < 0)
			continue;
		if (is_ours(name))
			continue;
		r = list_table(d, family, name, rules, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* iptables of the older kind has no interface but its own program. */
static int refuse_legacy(struct net_dump *d, struct err *err)
{
	static const char *const files[] = {"ip_tables_names", "ip6_tables_names"};
	autobuf struct buf text = {0};
	struct netns_visit v;
	char path[64];
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		(void)snprintf(path, sizeof(path), "/proc/thread-self/net/%s", files[i]); /* fits */
		buf_reset(&text);
		r = netns_enter(&v, d->netns_fd, err);
		if (r < 0)
			return r;
		r = file_read_at(AT_FDCWD, path, &text, 65536);
		netns_leave(&v);
		if (r == 0 && text.len) {
			err_setx(err, -EOPNOTSUPP,
				"the network has rules of legacy iptables, which cannot be saved");
			return err_hint(err, "use iptables-nft in the container");
		}
	}
	return 0;
}

int net_nft_dump(struct net_dump *d, struct err *err)
{
	autobuf struct buf rules = {0};
	Kist__NetNft msg = KIST__NET_NFT__INIT;
	int r;

	r = refuse_legacy(d, err);
	if (r == 0)
		r = list_all(d, &rules, err);
	if (r < 0 || !rules.len)
		return r;
	r = nft_run(d->fresh_fd, buf_str(&rules), NFT_TEXT, NULL, err);
	if (r < 0)
		return err_wrap(err, "the network's nftables rules cannot be loaded again");
	msg.rules = rules.data;
	return image_put(d->w, RECORD_NET_NFT, &msg.base, err);
}

int net_nft_restore(struct net_restore *r, struct err *err)
{
	size_t i, n = image_count(r->img, RECORD_NET_NFT);
	int e = 0;

	for (i = 0; e == 0 && i < n; i++)
		e = nft_run(-EBADF,
			((const Kist__NetNft *)image_get(r->img, RECORD_NET_NFT, i))->rules,
			NFT_TEXT, NULL, err);
	return e;
}
