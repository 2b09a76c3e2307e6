// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses. After a restore the namespace has those of the image and no others, but for IPv6's own
 * link-local ones, which every link that comes up gets.
 */
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#include "base/util.h"
#include "cr/nsdump/net-internal.h"

#define FOR_EVER UINT32_MAX

struct addr_text {
	char address[INET6_ADDRSTRLEN], peer[INET6_ADDRSTRLEN], broadcast[INET6_ADDRSTRLEN];
	char label[IFNAMSIZ];
};

static int family_of(const char *address)
{
	return strchr(address, ':') ? AF_INET6 : AF_INET;
}

static char *print(int family, const struct nlattr *a, char *text)
{
	size_t need = family == AF_INET6 ? 16 : 4;

	if (mnl_attr_get_payload_len(a) != need ||
		!inet_ntop(family, mnl_attr_get_payload(a), text, INET6_ADDRSTRLEN))
		return NULL;
	return text;
}

static void read_lifetimes(const struct nlattr *a, Kist__NetAddr *msg)
{
	const struct ifa_cacheinfo *ci = mnl_attr_get_payload(a);

	if (mnl_attr_get_payload_len(a) < sizeof(*ci) || ci->ifa_valid == FOR_EVER)
		return;
	msg->has_valid_s = msg->has_preferred_s = true;
	msg->valid_s = ci->ifa_valid;
	msg->preferred_s = ci->ifa_prefered;
}

/* @msg borrows from @text. false: of a family that is none of ours. */
static bool read_addr(const struct net_message *m, Kist__NetAddr *msg, struct addr_text *text)
{
	const struct ifaddrmsg *ifa = (const struct ifaddrmsg *)m->data;
	const struct nlattr *attr;
	char *local = NULL, *address = NULL;

	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return false;
	kist__net_addr__init(msg);
	msg->link = ifa->ifa_index;
	msg->prefix = ifa->ifa_prefixlen;
	msg->flags = ifa->ifa_flags;
	msg->scope = ifa->ifa_scope;
	mnl_attr_for_each_payload(
		(const void *)(m->data + MNL_ALIGN(sizeof(*ifa))), m->len - MNL_ALIGN(sizeof(*ifa)))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFA_LOCAL:
			local = print(ifa->ifa_family, attr, text->address);
			break;
		case IFA_ADDRESS:
			address = print(ifa->ifa_family, attr, text->peer);
			break;
		case IFA_BROADCAST:
			msg->broadcast = print(ifa->ifa_family, attr, text->broadcast);
			break;
		case IFA_LABEL:
			(void)snprintf(
				text->label, IFNAMSIZ, "%s", mnl_attr_get_str(attr)); /* fits */
			msg->label = text->label;
			break;
		case IFA_FLAGS:
			msg->flags = mnl_attr_get_u32(attr);
			break;
		case IFA_CACHEINFO:
			read_lifetimes(attr, msg);
			break;
		}
	}
	/* IPv6 says IFA_ADDRESS alone when there is no peer. */
	msg->address = local ? local : address;
	msg->peer = local && address && strcmp(local, address) != 0 ? address : NULL;
	return msg->address != NULL;
}

/* fe80::/10 by the kernel itself. */
static bool is_automatic(const Kist__NetAddr *a)
{
	return a->scope == RT_SCOPE_LINK && family_of(a->address) == AF_INET6 &&
	       strncmp(a->address, "fe80:", 5) == 0;
}

int net_addrs_dump(struct net_dump *d, struct err *err)
{
	automessages struct net_messages all = {0};
	struct addr_text text;
	Kist__NetAddr msg;
	size_t i;
	int r;

	r = net_messages_get(d->nl, RTM_GETADDR, AF_UNSPEC, sizeof(struct ifaddrmsg), &all, err);
	for (i = 0; r == 0 && i < all.n; i++)
		if (read_addr(&all.v[i], &msg, &text))
			r = image_put(d->w, RECORD_NET_ADDR, &msg.base, err);
	return r;
}

static const Kist__NetAddr *addr_at(const struct image *img, size_t i)
{
	return (const Kist__NetAddr *)image_get(img, RECORD_NET_ADDR, i);
}

static bool parses(int family, const char *text)
{
	uint8_t bytes[16];

	return !text || inet_pton(family, text, bytes) == 1;
}

int net_addrs_check(const struct image *img, struct err *err)
{
	size_t i, n = image_count(img, RECORD_NET_ADDR);
	const Kist__NetAddr *a;
	int family;

	for (i = 0; i < n; i++) {
		a = addr_at(img, i);
		family = family_of(a->address);
		if (!parses(family, a->address) || !parses(family, a->peer) ||
			!parses(family, a->broadcast) || a->prefix > 128 ||
			(a->label && strlen(a->label) >= IFNAMSIZ))
			return err_setx(err, -EBADMSG, "the image has an impossible address '%s'",
				a->address);
	}
	return 0;
}

static void put_addr(struct nlmsghdr *nlh, uint16_t type, int family, const char *text)
{
	uint8_t bytes[16];

	if (text && inet_pton(family, text, bytes) == 1)
		mnl_attr_put(nlh, type, family == AF_INET6 ? 16 : 4, bytes);
}

static int send_addr(struct net_restore *r, const Kist__NetAddr *a, uint16_t type, int index)
{
	struct nlmsghdr *nlh =
		netlink_start(r->nl, type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	int family = family_of(a->address);
	struct ifa_cacheinfo ci = {.ifa_prefered = a->preferred_s, .ifa_valid = a->valid_s};

	ifa->ifa_family = family;
	ifa->ifa_prefixlen = a->prefix;
	ifa->ifa_scope = a->scope;
	ifa->ifa_index = index;
	put_addr(nlh, IFA_LOCAL, family, a->address);
	put_addr(nlh, IFA_ADDRESS, family, a->peer ? a->peer : a->address);
	if (type == RTM_DELADDR)
		return netlink_run(r->nl, nlh);
	put_addr(nlh, IFA_BROADCAST, family, a->broadcast);
	if (a->label)
		mnl_attr_put_strz(nlh, IFA_LABEL, a->label);
	/*
	 * It was in use a moment ago: without NODAD, sockets could not be bound to it until
	 * duplicates have been looked for.
	 */
	mnl_attr_put_u32(nlh, IFA_FLAGS,
		(a->flags & (IFA_F_NOPREFIXROUTE | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR |
				    IFA_F_MCAUTOJOIN)) |
			(family == AF_INET6 ? IFA_F_NODAD : 0));
	if (a->has_valid_s)
		mnl_attr_put(nlh, IFA_CACHEINFO, sizeof(ci), &ci);
	return netlink_run(r->nl, nlh);
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* The address of the image that @now, of the namespace as it is, is; NULL: none. */
static const Kist__NetAddr *find_wanted(
	const struct net_restore *r, const Kist__NetAddr *now, size_t *ret_at)
{
	size_t i, n = image_count(r->img, RECORD_NET_ADDR);
	const Kist__NetAddr *a;

	for (i = 0; i < n; i++) {
		a = addr_at(r->img, i);
		if (net_index(r, a->link) == (int)now->link && a->prefix == now->prefix &&
			same_text(a->address, now->address) && same_text(a->peer, now->peer)) {
			*ret_at = i;
			return a;
		}
	}
	return NULL;
}

/*
 * What create (or a link that came up) gave: goes when the container did not have it, and is left
 * alone (@done) where it is as it was.
 */
static int sort_present(struct net_restore *r, bool *done, struct err *err)
{
	automessages struct net_messages all = {0};
	const Kist__NetAddr *a;
	struct addr_text text;
	Kist__NetAddr now;
	size_t i, at;
	int e;

	e = net_messages_get(r->nl, RTM_GETADDR, AF_UNSPEC, sizeof(struct ifaddrmsg), &all, err);
	for (i = 0; e == 0 && i < all.n; i++) {
		if (!read_addr(&all.v[i], &now, &text))
			continue;
		a = find_wanted(r, &now, &at);
		if (a) {
			done[at] = a->scope == now.scope && same_text(a->label, now.label) &&
				   same_text(a->broadcast, now.broadcast) &&
				   a->has_valid_s == now.has_valid_s;
			continue;
		}
		if (is_automatic(&now))
			continue;
		e = send_addr(r, &now, RTM_DELADDR, now.link);
		if (e == -EADDRNOTAVAIL)
			e = 0; /* a secondary address that went with its first */
		if (e < 0)
			return netlink_err(
				r->nl, err, e, "cannot remove the address %s", now.address);
	}
	return e;
}

int net_addrs_restore(struct net_restore *r, struct err *err)
{
	size_t i, n = image_count(r->img, RECORD_NET_ADDR);
	autofree bool *done = calloc(n + 1, sizeof(*done));
	const Kist__NetAddr *a;
	int index, e;

	if (!done)
		return err_oom(err);
	e = sort_present(r, done, err);
	for (i = 0; e == 0 && i < n; i++) {
		a = addr_at(r->img, i);
		index = net_index(r, a->link);
		if (index < 0)
			return err_setx(err, -EBADMSG, "the image lacks the link of address %s",
				a->address);
		e = done[i] ? 0 : send_addr(r, a, RTM_NEWADDR, index);
		if (e == -EEXIST)
			e = 0;
		if (e < 0)
			return netlink_err(r->nl, err, e, "cannot add the address %s", a->address);
	}
	return e;
}
