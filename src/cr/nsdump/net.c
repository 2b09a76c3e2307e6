// SPDX-License-Identifier: Apache-2.0
/* The order in which a network namespace is read and made again; see net.h. */
#include "cr/nsdump/net.h"

#include "base/util.h"
#include "cr/nsdump/net-internal.h"
#include "sys/netns.h"

/* A dump that changed while it was read is read again: the tree stands still, others need not. */
#define DUMP_TRIES 8

void net_messages_done(struct net_messages *m)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		free(m->v[i].data);
	free(m->v);
	*m = (struct net_messages){0};
}

static int take_message(const struct nlmsghdr *nlh, void *arg)
{
	struct net_messages *m = arg;
	size_t len = mnl_nlmsg_get_payload_len(nlh);
	uint8_t *copy;

	if (array_reserve(&m->v, &m->cap, m->n + 1, sizeof(*m->v)) < 0)
		return -ENOMEM;
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, mnl_nlmsg_get_payload(nlh), len);
	m->v[m->n++] = (struct net_message){nlh->nlmsg_type, len, copy};
	return 0;
}

int net_messages_get(struct netlink *nl, uint16_t type, uint8_t family, size_t head_len,
	struct net_messages *ret, struct err *err)
{
	struct nlmsghdr *nlh;
	uint8_t *head;
	int r, tries;

	for (tries = 0; tries < DUMP_TRIES; tries++) {
		net_messages_done(ret);
		nlh = netlink_start(nl, type, NLM_F_DUMP);
		head = mnl_nlmsg_put_extra_header(nlh, head_len);
		head[0] = family;
		r = netlink_query(nl, nlh, take_message, ret);
		if (r != -EAGAIN)
			break;
	}
	return r < 0 ? netlink_err(nl, err, r, "cannot read the configuration of the network") : 0;
}

bool net_message_equal(const struct net_message *a, const struct net_message *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

int net_ns_dump(struct image_writer *w, int netns_fd, struct err *err)
{
	static int (*const steps[])(struct net_dump *, struct err *) = {
		net_links_dump, net_addrs_dump, net_routes_dump, net_nft_dump, net_sysctls_dump};
	autonetlink struct netlink *nl = NULL, *fresh_nl = NULL;
	autoclose int fresh = netns_new(err);
	struct net_dump d = {.w = w, .netns_fd = netns_fd, .fresh_fd = fresh};
	size_t i;
	int r;

	if (fresh < 0)
		return fresh;
	r = netlink_open(netns_fd, NETLINK_ROUTE, &nl, err);
	if (r == 0)
		r = netlink_open(fresh, NETLINK_ROUTE, &fresh_nl, err);
	d.nl = nl;
	d.fresh_nl = fresh_nl;
	for (i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
		r = steps[i](&d, err);
	return r;
}

int net_ns_check(const struct image *img, struct err *err)
{
	static int (*const checks[])(const struct image *, struct err *) = {
		net_links_check, net_addrs_check, net_routes_check, net_sysctls_check};
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < ARRAY_SIZE(checks); i++)
		r = checks[i](img, err);
	return r;
}

int net_index(const struct net_restore *r, uint32_t index)
{
	size_t i, n = image_count(r->img, RECORD_NET_LINK);

	if (!index)
		return 0;
	for (i = 0; i < n; i++)
		if (((const Kist__NetLink *)image_get(r->img, RECORD_NET_LINK, i))->index == index)
			return r->index[i] ? (int)r->index[i] : -ENODEV;
	return -ENODEV;
}

int net_ns_restore(const struct image *img, int procfd, struct err *err)
{
	/* Sysctls last: links and addresses must not start under the rules of forwarding. */
	static int (*const steps[])(struct net_restore *, struct err *) = {net_links_restore,
		net_addrs_restore, net_routes_restore, net_nft_restore, net_sysctls_restore};
	size_t i, n = image_count(img, RECORD_NET_LINK);
	autofree uint32_t *index = calloc(n + 1, sizeof(*index));
	autonetlink struct netlink *nl = NULL;
	struct net_restore r = {.img = img, .procfd = procfd, .index = index};
	int e;

	if (!n) /* the image has no network namespace */
		return 0;
	if (!index)
		return err_oom(err);
	e = netlink_open(-EBADF, NETLINK_ROUTE, &nl, err);
	r.nl = nl;
	for (i = 0; e == 0 && i < ARRAY_SIZE(steps); i++)
		e = steps[i](&r, err);
	return e < 0 ? err_wrap(err, "network") : 0;
}
