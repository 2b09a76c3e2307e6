// SPDX-License-Identifier: Apache-2.0
/* Links. What can be made again is a table of kinds with the attributes that are settings. */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>

#include "base/util.h"
#include "cr/nsdump/net-internal.h"

static const struct link_kind {
	const char *name;
	uint64_t settings; /* bits of the IFLA_INFO_DATA attributes that are given at creation */
	bool on_lower;	   /* needs IFLA_LINK */
	uint64_t rare;	   /* of the settings: left out when 0, for kernels built without them */
} link_kinds[] = {
	{"bridge",
		1ull << IFLA_BR_FORWARD_DELAY | 1ull << IFLA_BR_HELLO_TIME |
			1ull << IFLA_BR_MAX_AGE | 1ull << IFLA_BR_AGEING_TIME |
			1ull << IFLA_BR_STP_STATE | 1ull << IFLA_BR_PRIORITY |
			1ull << IFLA_BR_VLAN_FILTERING | 1ull << IFLA_BR_VLAN_PROTOCOL |
			1ull << IFLA_BR_GROUP_FWD_MASK | 1ull << IFLA_BR_MCAST_SNOOPING |
			1ull << IFLA_BR_VLAN_DEFAULT_PVID,
		.rare = 1ull << IFLA_BR_VLAN_FILTERING},
	{"dummy", 0},
	{"ipvlan", 1ull << IFLA_IPVLAN_MODE | 1ull << IFLA_IPVLAN_FLAGS, true},
	{"macvlan", 1ull << IFLA_MACVLAN_MODE | 1ull << IFLA_MACVLAN_FLAGS, true},
	{"veth", 0},
	{"vlan", 1ull << IFLA_VLAN_ID | 1ull << IFLA_VLAN_FLAGS | 1ull << IFLA_VLAN_PROTOCOL, true},
	{"vrf", 1ull << IFLA_VRF_TABLE},
};

static const struct link_kind *find_kind(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(link_kinds); i++)
		if (strcmp(link_kinds[i].name, name) == 0)
			return &link_kinds[i];
	return NULL;
}

/* ---- dump ---- */

static void read_info(const struct nlattr *info, Kist__NetLink *l, char kind[IFNAMSIZ])
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, info)
	{
		if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
			(void)snprintf(
				kind, IFNAMSIZ, "%s", mnl_attr_get_str(a)); /* cut: unknown */
		if (mnl_attr_get_type(a) == IFLA_INFO_DATA) {
			l->has_data = true;
			l->data.data = mnl_attr_get_payload(a);
			l->data.len = mnl_attr_get_payload_len(a);
		}
	}
}

struct link_text { /* storage of a message's strings */
	char name[IFNAMSIZ], kind[IFNAMSIZ];
};

/* @l borrows from @m and @text. */
static void read_link(const struct net_message *m, Kist__NetLink *l, struct link_text *text)
{
	const struct ifinfomsg *ifi = (const struct ifinfomsg *)m->data;
	const struct nlattr *attr;

	kist__net_link__init(l);
	*text = (struct link_text){0};
	l->index = ifi->ifi_index;
	l->up = ifi->ifi_flags & IFF_UP;
	l->name = text->name;
	l->kind = text->kind;
	mnl_attr_for_each_payload(
		(const void *)(m->data + MNL_ALIGN(sizeof(*ifi))), m->len - MNL_ALIGN(sizeof(*ifi)))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			(void)snprintf(
				text->name, IFNAMSIZ, "%s", mnl_attr_get_str(attr)); /* fits */
			break;
		case IFLA_MTU:
			l->mtu = mnl_attr_get_u32(attr);
			break;
		case IFLA_ADDRESS:
			l->has_address = true;
			l->address.data = mnl_attr_get_payload(attr);
			l->address.len = mnl_attr_get_payload_len(attr);
			break;
		case IFLA_MASTER:
			l->has_master = true;
			l->master = mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK:
			l->has_lower = mnl_attr_get_u32(attr) != 0;
			l->lower = mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK_NETNSID:
			l->outside = true;
			break;
		case IFLA_IFALIAS:
			l->alias = (char *)mnl_attr_get_str(attr);
			break;
		case IFLA_TXQLEN:
			l->has_queue_length = true;
			l->queue_length = mnl_attr_get_u32(attr);
			break;
		case IFLA_LINKINFO:
			read_info(attr, l, text->kind);
			break;
		}
	}
}

/* Does every new namespace have a link of this name and kind (lo, tunl0, …)? */
static bool is_fresh(const struct net_messages *fresh, const Kist__NetLink *l)
{
	struct link_text text;
	Kist__NetLink other;
	size_t i;

	for (i = 0; i < fresh->n; i++) {
		read_link(&fresh->v[i], &other, &text);
		if (strcmp(text.name, l->name) == 0 && strcmp(text.kind, l->kind) == 0)
			return true;
	}
	return false;
}

static int check_saveable(const Kist__NetLink *l, struct err *err)
{
	const struct link_kind *kind = find_kind(l->kind);

	if (l->fresh || (kind && strcmp(kind->name, "veth") == 0))
		return 0;
	if (!kind) {
		err_setx(err, -EOPNOTSUPP, "the network link '%s' (%s) cannot be saved", l->name,
			l->kind[0] ? l->kind : "a device");
		return err_hint(err, "remove it in the container before the checkpoint");
	}
	if (kind->on_lower && l->outside) {
		err_setx(err, -EOPNOTSUPP,
			"the network link '%s' (%s) lies on a device outside its namespace",
			l->name, l->kind);
		return err_hint(err, "remove it in the container before the checkpoint");
	}
	return 0;
}

int net_links_dump(struct net_dump *d, struct err *err)
{
	automessages struct net_messages all = {0}, fresh = {0};
	struct link_text text;
	Kist__NetLink l;
	size_t i;
	int r;

	r = net_messages_get(d->nl, RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg), &all, err);
	if (r == 0)
		r = net_messages_get(
			d->fresh_nl, RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg), &fresh, err);
	for (i = 0; r == 0 && i < all.n; i++) {
		read_link(&all.v[i], &l, &text);
		l.fresh = is_fresh(&fresh, &l);
		r = check_saveable(&l, err);
		if (r == 0)
			r = image_put(d->w, RECORD_NET_LINK, &l.base, err);
	}
	return r;
}

/* ---- restore ---- */

static const Kist__NetLink *link_at(const struct image *img, size_t i)
{
	return (const Kist__NetLink *)image_get(img, RECORD_NET_LINK, i);
}

int net_links_check(const struct image *img, struct err *err)
{
	size_t i, n = image_count(img, RECORD_NET_LINK);
	const Kist__NetLink *l;

	for (i = 0; i < n; i++) {
		l = link_at(img, i);
		if (!l->name[0] || strlen(l->name) >= IFNAMSIZ || strchr(l->name, '/') ||
			strlen(l->kind) >= IFNAMSIZ || l->address.len > 32 || l->data.len > 4096 ||
			(l->alias && strlen(l->alias) > 255))
			return err_setx(err, -EBADMSG, "the image has an impossible network link");
	}
	return 0;
}

static struct ifinfomsg *put_ifinfo(struct nlmsghdr *nlh)
{
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	return ifi;
}

static bool is_zero(const struct nlattr *a)
{
	const uint8_t *p = mnl_attr_get_payload(a);
	size_t i, n = mnl_attr_get_payload_len(a);

	for (i = 0; i < n && !p[i]; i++)
		;
	return i == n;
}

/* The settings among what the kernel had told; its counters and timers are left out. */
static void put_settings(struct nlmsghdr *nlh, const struct link_kind *kind, const Kist__NetLink *l)
{
	struct nlattr *data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	const struct nlattr *attr;

	mnl_attr_for_each_payload((const void *)(l->data.data), l->data.len)
	{
		uint16_t type = mnl_attr_get_type(attr);

		if (type >= 64 || !(kind->settings & 1ull << type))
			continue;
		if (kind->rare & 1ull << type && is_zero(attr))
			continue;
		mnl_attr_put(nlh, type, mnl_attr_get_payload_len(attr), mnl_attr_get_payload(attr));
	}
	mnl_attr_nest_end(nlh, data);
}

static void put_veth_peer(struct nlmsghdr *nlh, const Kist__NetLink *peer, bool same_index)
{
	struct nlattr *data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	struct nlattr *p = mnl_attr_nest_start(nlh, VETH_INFO_PEER);

	put_ifinfo(nlh)->ifi_index = same_index ? peer->index : 0;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, peer->name);
	mnl_attr_nest_end(nlh, p);
	mnl_attr_nest_end(nlh, data);
}

static const Kist__NetLink *find_link(const struct image *img, uint32_t index)
{
	size_t i, n = image_count(img, RECORD_NET_LINK);

	for (i = 0; i < n; i++)
		if (link_at(img, i)->index == index)
			return link_at(img, i);
	return NULL;
}

static int send_link(struct net_restore *r, const Kist__NetLink *l, const Kist__NetLink *peer,
	int lower, bool same_index)
{
	struct nlmsghdr *nlh = netlink_start(r->nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	const struct link_kind *kind = find_kind(l->kind);
	struct nlattr *info;

	put_ifinfo(nlh)->ifi_index = same_index ? l->index : 0;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, l->name);
	if (lower)
		mnl_attr_put_u32(nlh, IFLA_LINK, lower);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, l->kind);
	if (peer)
		put_veth_peer(nlh, peer, same_index);
	else if (kind->settings)
		put_settings(nlh, kind, l);
	mnl_attr_nest_end(nlh, info);
	return netlink_run(r->nl, nlh);
}

/* 0, or 1: what it lies on is not there yet. */
static int make_link(struct net_restore *r, const Kist__NetLink *l, struct err *err)
{
	const struct link_kind *kind = find_kind(l->kind);
	bool veth = kind && strcmp(kind->name, "veth") == 0;
	const Kist__NetLink *peer = veth ? find_link(r->img, l->lower) : NULL;
	int lower = 0, e;

	if (!kind || (veth && (l->outside || !peer))) {
		err_setx(err, -ENODEV, "the link '%s' to the outside is not there", l->name);
		return err_hint(err, "restore with the network that the container had (--net)");
	}
	if (kind->on_lower) {
		lower = net_index(r, l->lower);
		if (lower < 0)
			return 1;
	}
	/* Programs may know a link by its index; where another has it by now, any will do. */
	e = send_link(r, l, peer, lower, true);
	if (e == -EEXIST || e == -EBUSY)
		e = send_link(r, l, peer, lower, false);
	return e < 0 ? netlink_err(r->nl, err, e, "cannot make the link '%s'", l->name) : 0;
}

/* Finds or makes the links of one round. *ret_left: how many wait for others. */
static int make_round(struct net_restore *r, size_t *ret_left, struct err *err)
{
	size_t i, n = image_count(r->img, RECORD_NET_LINK);
	const Kist__NetLink *l;
	int index, e;

	*ret_left = 0;
	for (i = 0; i < n; i++) {
		l = link_at(r->img, i);
		if (r->index[i])
			continue;
		index = link_find(r->nl, l->name, NULL);
		if (index == -ENODEV) {
			e = make_link(r, l, err);
			if (e < 0)
				return e;
			*ret_left += e;
			index = e ? 0 : link_find(r->nl, l->name, NULL);
		}
		if (index < 0)
			return netlink_err(
				r->nl, err, index, "cannot look up the link '%s'", l->name);
		r->index[i] = index;
	}
	return 0;
}

/* Everything that a link has besides its kind. @up: the second time, when masters are joined. */
static int adapt_link(
	struct net_restore *r, const Kist__NetLink *l, int index, bool up, struct err *err)
{
	struct nlmsghdr *nlh = netlink_start(r->nl, RTM_NEWLINK, 0);
	struct ifinfomsg *ifi = put_ifinfo(nlh);
	int master, e;

	ifi->ifi_index = index;
	if (up) {
		ifi->ifi_change = IFF_UP;
		ifi->ifi_flags = l->up ? IFF_UP : 0;
	} else {
		mnl_attr_put_u32(nlh, IFLA_MTU, l->mtu);
		if (l->has_queue_length)
			mnl_attr_put_u32(nlh, IFLA_TXQLEN, l->queue_length);
		if (l->alias)
			mnl_attr_put_str(nlh, IFLA_IFALIAS, l->alias);
		if (l->address.len && find_kind(l->kind))
			mnl_attr_put(nlh, IFLA_ADDRESS, l->address.len, l->address.data);
		if (l->master) {
			master = net_index(r, l->master);
			if (master < 0)
				return err_setx(err, -EBADMSG,
					"the image lacks the link that '%s' "
					"belongs to",
					l->name);
			mnl_attr_put_u32(nlh, IFLA_MASTER, master);
		}
	}
	e = netlink_run(r->nl, nlh);
	return e < 0 ? netlink_err(r->nl, err, e, "cannot set up the link '%s'", l->name) : 0;
}

/* What a link has already is not written again: some devices refuse even that while they are up. */
static bool is_adapted(struct net_restore *r, const Kist__NetLink *l, int index)
{
	automessages struct net_messages all = {0};
	struct link_text text;
	Kist__NetLink now;
	size_t i;

	if (net_messages_get(r->nl, RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg), &all, NULL) <
		0)
		return false;
	for (i = 0; i < all.n; i++) {
		read_link(&all.v[i], &now, &text);
		if ((int)now.index == index)
			return now.mtu == l->mtu && !l->master && !l->alias &&
			       now.queue_length == l->queue_length &&
			       now.address.len == l->address.len &&
			       (!now.address.len || memcmp(now.address.data, l->address.data,
							    now.address.len) == 0);
	}
	return false;
}

int net_links_restore(struct net_restore *r, struct err *err)
{
	size_t i, n = image_count(r->img, RECORD_NET_LINK), left = n, before;
	const Kist__NetLink *l;
	int e;

	do {
		before = left;
		e = make_round(r, &left, err);
		if (e < 0)
			return e;
	} while (left && left < before);
	if (left)
		return err_setx(err, -EBADMSG, "the image has links that lie on each other");
	for (i = 0; i < n; i++) {
		l = link_at(r->img, i);
		if (!is_adapted(r, l, r->index[i]) &&
			(e = adapt_link(r, l, r->index[i], false, err)) < 0)
			return e;
	}
	for (i = 0; i < n; i++) {
		e = adapt_link(r, link_at(r->img, i), r->index[i], true, err);
		if (e < 0)
			return e;
	}
	return 0;
}
