// SPDX-License-Identifier: Apache-2.0
/*
 * Routes of all tables, routing rules, permanent neighbours: kept as the kernel's own messages, in
 * which only the indexes of links are changed. Routes that come and go with addresses and links
 * (RTPROT_KERNEL) are left to them.
 */
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "base/util.h"
#include "cr/nsdump/net-internal.h"

static const uint8_t families[] = {AF_INET, AF_INET6};

static int put_message(
	struct net_dump *d, enum record_type type, const struct net_message *m, struct err *err)
{
	Kist__NetMessage msg = KIST__NET_MESSAGE__INIT;

	msg.family = m->data[0]; /* the first byte of every one of these headers */
	msg.message = (ProtobufCBinaryData){m->len, m->data};
	return image_put(d->w, type, &msg.base, err);
}

/* ---- dump ---- */

static bool is_own_route(const struct net_message *m)
{
	const struct rtmsg *rtm = (const struct rtmsg *)m->data;

	return rtm->rtm_protocol != RTPROT_KERNEL && !(rtm->rtm_flags & RTM_F_CLONED) &&
	       rtm->rtm_type != RTN_MULTICAST && rtm->rtm_type != RTN_LOCAL;
}

static const struct nlattr *find_attr(const uint8_t *data, size_t len, size_t head, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each_payload((const void *)(data + MNL_ALIGN(head)), len - MNL_ALIGN(head))
	{
		if (mnl_attr_get_type(attr) == type)
			return attr;
	}
	return NULL;
}

static int dump_routes(struct net_dump *d, uint8_t family, struct err *err)
{
	automessages struct net_messages all = {0};
	size_t i;
	int r;

	r = net_messages_get(d->nl, RTM_GETROUTE, family, sizeof(struct rtmsg), &all, err);
	for (i = 0; r == 0 && i < all.n; i++) {
		if (!is_own_route(&all.v[i]))
			continue;
		if (find_attr(all.v[i].data, all.v[i].len, sizeof(struct rtmsg), RTA_NH_ID))
			return err_setx(err, -EOPNOTSUPP,
				"routes by nexthop objects ('ip nexthop') cannot be saved");
		r = put_message(d, RECORD_NET_ROUTE, &all.v[i], err);
	}
	return r;
}

/* Rules are saved all or, where they are those of a new namespace, not at all. */
static int dump_rules(struct net_dump *d, uint8_t family, struct err *err)
{
	automessages struct net_messages all = {0}, fresh = {0};
	bool same;
	size_t i;
	int r;

	r = net_messages_get(d->nl, RTM_GETRULE, family, sizeof(struct fib_rule_hdr), &all, err);
	if (r == 0)
		r = net_messages_get(
			d->fresh_nl, RTM_GETRULE, family, sizeof(struct fib_rule_hdr), &fresh, err);
	if (r < 0)
		return r;
	same = all.n == fresh.n;
	for (i = 0; same && i < all.n; i++)
		same = net_message_equal(&all.v[i], &fresh.v[i]);
	for (i = 0; r == 0 && !same && i < all.n; i++)
		r = put_message(d, RECORD_NET_RULE, &all.v[i], err);
	return r;
}

static int dump_neighbours(struct net_dump *d, struct err *err)
{
	automessages struct net_messages all = {0};
	const struct ndmsg *nd;
	size_t i;
	int r;

	r = net_messages_get(d->nl, RTM_GETNEIGH, AF_UNSPEC, sizeof(struct ndmsg), &all, err);
	for (i = 0; r == 0 && i < all.n; i++) {
		nd = (const struct ndmsg *)all.v[i].data;
		if (nd->ndm_state & NUD_PERMANENT &&
			(nd->ndm_family == AF_INET || nd->ndm_family == AF_INET6))
			r = put_message(d, RECORD_NET_NEIGH, &all.v[i], err);
	}
	return r;
}

int net_routes_dump(struct net_dump *d, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < ARRAY_SIZE(families); i++) {
		r = dump_routes(d, families[i], err);
		if (r == 0)
			r = dump_rules(d, families[i], err);
	}
	return r == 0 ? dump_neighbours(d, err) : r;
}

/* ---- restore ---- */

static const struct {
	enum record_type record;
	size_t head;
} kinds[] = {
	{RECORD_NET_ROUTE, sizeof(struct rtmsg)},
	{RECORD_NET_RULE, sizeof(struct fib_rule_hdr)},
	{RECORD_NET_NEIGH, sizeof(struct ndmsg)},
};

static const Kist__NetMessage *message_at(const struct image *img, enum record_type type, size_t i)
{
	return (const Kist__NetMessage *)image_get(img, type, i);
}

int net_routes_check(const struct image *img, struct err *err)
{
	const Kist__NetMessage *m;
	size_t i, k;

	for (k = 0; k < ARRAY_SIZE(kinds); k++)
		for (i = 0; i < image_count(img, kinds[k].record); i++) {
			m = message_at(img, kinds[k].record, i);
			if (m->message.len < MNL_ALIGN(kinds[k].head) ||
				m->message.len > NETLINK_MSG_MAX / 2 ||
				m->message.data[0] != m->family)
				return err_setx(err, -EBADMSG,
					"the image has an impossible network configuration");
		}
	return 0;
}

/* The next hops of a route over several links. They are copied, and changed in the copy. */
static int put_multipath(struct net_restore *r, struct nlmsghdr *nlh, const struct nlattr *attr)
{
	size_t len = mnl_attr_get_payload_len(attr), at = 0;
	autofree uint8_t *copy = malloc(len + 1);
	struct rtnexthop *hop;
	int index;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, mnl_attr_get_payload(attr), len);
	while (len - at >= sizeof(*hop)) {
		hop = (struct rtnexthop *)(copy + at);
		if (hop->rtnh_len < sizeof(*hop) || RTNH_ALIGN(hop->rtnh_len) > len - at)
			break;
		index = net_index(r, hop->rtnh_ifindex);
		if (index < 0)
			return index;
		hop->rtnh_ifindex = index;
		at += RTNH_ALIGN(hop->rtnh_len);
	}
	mnl_attr_put(nlh, RTA_MULTIPATH, len, copy);
	return 0;
}

/* Attributes of a route that the kernel only tells. */
static bool is_told_only(uint16_t type)
{
	return type == RTA_CACHEINFO || type == RTA_MFC_STATS || type == RTA_UID;
}

/* @mapped: links of the image, to be translated; else links as they are now. */
static int send_route(
	struct net_restore *r, const uint8_t *data, size_t len, uint16_t type, bool mapped)
{
	struct nlmsghdr *nlh =
		netlink_start(r->nl, type, type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_APPEND : 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	const struct nlattr *attr;
	int index, e = 0;

	memcpy(rtm, data, sizeof(*rtm));
	/* Dead, linkdown and the like are not for us to say. */
	rtm->rtm_flags &= RTNH_F_ONLINK | RTNH_F_PERVASIVE;
	mnl_attr_for_each_payload(
		(const void *)(data + MNL_ALIGN(sizeof(*rtm))), len - MNL_ALIGN(sizeof(*rtm)))
	{
		uint16_t t = mnl_attr_get_type(attr);

		if (is_told_only(t))
			continue;
		if (mapped && (t == RTA_OIF || t == RTA_IIF) &&
			mnl_attr_get_payload_len(attr) == 4) {
			index = net_index(r, mnl_attr_get_u32(attr));
			if (index < 0)
				return index;
			mnl_attr_put_u32(nlh, t, index);
		} else if (mapped && t == RTA_MULTIPATH) {
			e = put_multipath(r, nlh, attr);
			if (e < 0)
				return e;
		} else {
			mnl_attr_put(nlh, attr->nla_type, mnl_attr_get_payload_len(attr),
				mnl_attr_get_payload(attr));
		}
	}
	return netlink_run(r->nl, nlh);
}

static int flush_routes(struct net_restore *r, uint8_t family, struct err *err)
{
	automessages struct net_messages all = {0};
	size_t i;
	int e;

	e = net_messages_get(r->nl, RTM_GETROUTE, family, sizeof(struct rtmsg), &all, err);
	for (i = 0; e == 0 && i < all.n; i++) {
		if (!is_own_route(&all.v[i]))
			continue;
		e = send_route(r, all.v[i].data, all.v[i].len, RTM_DELROUTE, false);
		if (e == -ESRCH)
			e = 0; /* it went with another */
		if (e < 0)
			return netlink_err(r->nl, err, e, "cannot remove a route");
	}
	return e;
}

/* A gateway must be reachable when its route is added, so what fails for that is tried again. */
static int add_routes(struct net_restore *r, struct err *err)
{
	size_t i, n = image_count(r->img, RECORD_NET_ROUTE), left = n, before;
	autofree bool *done = calloc(n + 1, sizeof(*done));
	const Kist__NetMessage *m;
	int e = 0, last = 0;

	if (!done)
		return err_oom(err);
	do {
		before = left;
		for (i = 0; i < n; i++) {
			if (done[i])
				continue;
			m = message_at(r->img, RECORD_NET_ROUTE, i);
			e = send_route(r, m->message.data, m->message.len, RTM_NEWROUTE, true);
			done[i] = e == 0 || e == -EEXIST;
			left -= done[i];
			if (!done[i])
				last = e;
		}
	} while (left && left < before);
	return left ? netlink_err(r->nl, err, last, "cannot add %zu of %zu routes", left, n) : 0;
}

/* Rules have no link indexes: names. */
static int send_rule(struct net_restore *r, const uint8_t *data, size_t len, uint16_t type)
{
	struct nlmsghdr *nlh =
		netlink_start(r->nl, type, type == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0);

	memcpy(mnl_nlmsg_put_extra_header(nlh, len), data, len);
	return netlink_run(r->nl, nlh);
}

static int restore_rules(struct net_restore *r, uint8_t family, struct err *err)
{
	size_t i, n = image_count(r->img, RECORD_NET_RULE), mine = 0;
	automessages struct net_messages old = {0};
	const Kist__NetMessage *m;
	int e;

	for (i = 0; i < n; i++)
		mine += message_at(r->img, RECORD_NET_RULE, i)->family == family;
	if (!mine)
		return 0;
	e = net_messages_get(r->nl, RTM_GETRULE, family, sizeof(struct fib_rule_hdr), &old, err);
	for (i = 0; e == 0 && i < old.n; i++) {
		e = send_rule(r, old.v[i].data, old.v[i].len, RTM_DELRULE);
		if (e < 0)
			return netlink_err(r->nl, err, e, "cannot remove a routing rule");
	}
	for (i = 0; e == 0 && i < n; i++) {
		m = message_at(r->img, RECORD_NET_RULE, i);
		if (m->family != family)
			continue;
		e = send_rule(r, m->message.data, m->message.len, RTM_NEWRULE);
		if (e < 0)
			return netlink_err(r->nl, err, e, "cannot add a routing rule");
	}
	return e;
}

static int restore_neighbours(struct net_restore *r, struct err *err)
{
	size_t i, n = image_count(r->img, RECORD_NET_NEIGH);
	const Kist__NetMessage *m;
	const struct nlattr *attr;
	struct nlmsghdr *nlh;
	struct ndmsg *nd;
	int index, e;

	for (i = 0; i < n; i++) {
		m = message_at(r->img, RECORD_NET_NEIGH, i);
		nlh = netlink_start(r->nl, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
		nd = mnl_nlmsg_put_extra_header(nlh, sizeof(*nd));
		memcpy(nd, m->message.data, sizeof(*nd));
		index = net_index(r, nd->ndm_ifindex);
		if (index < 0)
			return err_setx(err, -EBADMSG, "the image lacks the link of a neighbour");
		nd->ndm_ifindex = index;
		mnl_attr_for_each_payload((const void *)(m->message.data + MNL_ALIGN(sizeof(*nd))),
			m->message.len - MNL_ALIGN(sizeof(*nd)))
		{
			if (mnl_attr_get_type(attr) == NDA_DST ||
				mnl_attr_get_type(attr) == NDA_LLADDR)
				mnl_attr_put(nlh, attr->nla_type, mnl_attr_get_payload_len(attr),
					mnl_attr_get_payload(attr));
		}
		e = netlink_run(r->nl, nlh);
		if (e < 0)
			return netlink_err(r->nl, err, e, "cannot add a neighbour");
	}
	return 0;
}

int net_routes_restore(struct net_restore *r, struct err *err)
{
	size_t i;
	int e = 0;

	for (i = 0; e == 0 && i < ARRAY_SIZE(families); i++)
		e = flush_routes(r, families[i], err);
	if (e == 0)
		e = add_routes(r, err);
	for (i = 0; e == 0 && i < ARRAY_SIZE(families); i++)
		e = restore_rules(r, families[i], err);
	return e == 0 ? restore_neighbours(r, err) : e;
}
