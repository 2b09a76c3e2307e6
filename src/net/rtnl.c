// SPDX-License-Identifier: Apache-2.0
/* The requests of rtnetlink(7) that netlink.h offers. */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>

#include "base/util.h"
#include "net/netlink.h"

static struct ifinfomsg *put_ifinfo(struct nlmsghdr *nlh, int index)
{
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = index;
	return ifi;
}

struct found_link {
	int index;
	char kind[IFNAMSIZ];
};

static int take_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct found_link *found = arg;
	const struct nlattr *a, *b;

	if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi))
		return -EBADMSG;
	found->index = ifi->ifi_index;
	mnl_attr_for_each(a, nlh, sizeof(*ifi))
	{
		if (mnl_attr_get_type(a) != IFLA_LINKINFO)
			continue;
		mnl_attr_for_each_nested(b, a) if (mnl_attr_get_type(b) == IFLA_INFO_KIND)
			snprintf(found->kind, sizeof(found->kind), "%.*s",
				(int)mnl_attr_get_payload_len(b), mnl_attr_get_str(b));
	}
	return 0;
}

int link_find(struct netlink *nl, const char *name, char *ret_kind)
{
	struct nlmsghdr *nlh = netlink_start(nl, RTM_GETLINK, 0);
	struct found_link found = {0};
	int r;

	put_ifinfo(nlh, 0);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	r = netlink_query(nl, nlh, take_link, &found);
	if (r < 0)
		return r;
	if (ret_kind)
		memcpy(ret_kind, found.kind, sizeof(found.kind));
	return found.index;
}

int link_add_bridge(struct netlink *nl, const char *name, const uint8_t mac[6], struct err *err)
{
	struct nlmsghdr *nlh = netlink_start(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *info;
	int r;

	put_ifinfo(nlh, 0);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put(nlh, IFLA_ADDRESS, 6, mac);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
	mnl_attr_nest_end(nlh, info);
	r = netlink_run(nl, nlh);
	if (r == -EOPNOTSUPP) {
		netlink_err(nl, err, r, "cannot make the bridge '%s'", name);
		return err_hint(err, "the kernel lacks CONFIG_BRIDGE: try 'modprobe bridge'");
	}
	return r < 0 ? netlink_err(nl, err, r, "cannot make the bridge '%s'", name) : 0;
}

int link_add_veth(struct netlink *nl, const char *name, const char *peer, const uint8_t mac[6],
	int peer_ns, struct err *err)
{
	struct nlmsghdr *nlh = netlink_start(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *info, *data, *p;
	int r;

	put_ifinfo(nlh, 0);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	p = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	put_ifinfo(nlh, 0);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, peer);
	mnl_attr_put(nlh, IFLA_ADDRESS, 6, mac);
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, peer_ns);
	mnl_attr_nest_end(nlh, p);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	r = netlink_run(nl, nlh);
	if (r < 0)
		return netlink_err(nl, err, r, "cannot make the link '%s' to the container", name);
	return 0;
}

int link_set_up(struct netlink *nl, int index, bool up, struct err *err)
{
	struct nlmsghdr *nlh = netlink_start(nl, RTM_NEWLINK, 0);
	struct ifinfomsg *ifi = put_ifinfo(nlh, index);
	int r;

	ifi->ifi_change = IFF_UP;
	ifi->ifi_flags = up ? IFF_UP : 0;
	r = netlink_run(nl, nlh);
	return r < 0 ? netlink_err(
			       nl, err, r, "cannot set interface %d %s", index, up ? "up" : "down")
		     : 0;
}

int link_set_master(struct netlink *nl, int index, int master, struct err *err)
{
	struct nlmsghdr *nlh = netlink_start(nl, RTM_NEWLINK, 0);
	int r;

	put_ifinfo(nlh, index);
	mnl_attr_put_u32(nlh, IFLA_MASTER, master);
	r = netlink_run(nl, nlh);
	if (r < 0)
		return netlink_err(nl, err, r, "cannot add interface %d to a bridge", index);
	return 0;
}

int link_set_hairpin(struct netlink *nl, int index, struct err *err)
{
	struct nlmsghdr *nlh = netlink_start(nl, RTM_NEWLINK, 0);
	struct nlattr *info, *data;
	int r;

	put_ifinfo(nlh, index);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_SLAVE_KIND, "bridge");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_SLAVE_DATA);
	mnl_attr_put_u8(nlh, IFLA_BRPORT_MODE, 1);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	r = netlink_run(nl, nlh);
	if (r < 0)
		return netlink_err(nl, err, r, "cannot set interface %d to hairpin mode", index);
	return 0;
}

int link_delete(struct netlink *nl, const char *name, struct err *err)
{
	struct nlmsghdr *nlh = netlink_start(nl, RTM_DELLINK, 0);
	int r;

	put_ifinfo(nlh, 0);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	r = netlink_run(nl, nlh);
	if (r < 0 && r != -ENODEV)
		return netlink_err(nl, err, r, "cannot remove the interface '%s'", name);
	return r;
}

int addr_add4(
	struct netlink *nl, int index, struct in_addr addr, unsigned int prefix, struct err *err)
{
	struct nlmsghdr *nlh = netlink_start(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	uint32_t host = prefix ? ~0u >> prefix : ~0u;
	int r;

	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = prefix;
	ifa->ifa_index = index;
	mnl_attr_put_u32(nlh, IFA_LOCAL, addr.s_addr);
	mnl_attr_put_u32(nlh, IFA_ADDRESS, addr.s_addr);
	if (prefix < 31)
		mnl_attr_put_u32(nlh, IFA_BROADCAST, addr.s_addr | htonl(host));
	r = netlink_run(nl, nlh);
	return r < 0 ? netlink_err(nl, err, r, "cannot add an address to interface %d", index) : 0;
}

int route_add_default4(struct netlink *nl, struct in_addr gateway, int index, struct err *err)
{
	struct nlmsghdr *nlh = netlink_start(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	int r;

	rtm->rtm_family = AF_INET;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_scope = RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(nlh, RTA_GATEWAY, gateway.s_addr);
	mnl_attr_put_u32(nlh, RTA_OIF, index);
	r = netlink_run(nl, nlh);
	return r < 0 ? netlink_err(nl, err, r, "cannot add the default route") : 0;
}

struct overlap {
	uint32_t net; /* host order */
	unsigned int prefix;
	int found;
};

static int take_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct overlap *o = arg;
	const struct nlattr *a;
	unsigned int shorter;
	uint32_t mask, dst = 0;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm))
		return -EBADMSG;
	if (rtm->rtm_family != AF_INET || rtm->rtm_dst_len == 0)
		return 0;
	mnl_attr_for_each(a, nlh, sizeof(*rtm)) if (mnl_attr_get_type(a) == RTA_DST &&
						    mnl_attr_get_payload_len(a) == 4) dst =
		ntohl(mnl_attr_get_u32(a));
	shorter = MIN(o->prefix, rtm->rtm_dst_len);
	mask = shorter ? ~0u << (32 - shorter) : 0;
	if ((dst & mask) == (o->net & mask))
		o->found = 1;
	return 0;
}

int route_overlaps4(struct netlink *nl, struct in_addr net, unsigned int prefix, struct err *err)
{
	struct overlap o = {.net = ntohl(net.s_addr), .prefix = prefix};
	struct nlmsghdr *nlh;
	struct rtmsg *rtm;
	int r, tries = 8;

	do {
		nlh = netlink_start(nl, RTM_GETROUTE, NLM_F_DUMP);
		rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
		rtm->rtm_family = AF_INET;
		r = netlink_query(nl, nlh, take_route, &o);
	} while (r == -EAGAIN && --tries);
	return r < 0 ? netlink_err(nl, err, r, "cannot list the routes") : o.found;
}
