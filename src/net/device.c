// SPDX-License-Identifier: Apache-2.0
/* A network device moves into another namespace, where it has the addresses it had before. */
#include "net/device.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "base/util.h"
#include "net/netlink.h"

#define ADDRESSES_MAX 4096
#define DUMP_TRIES    8

/* Messages as the kernel gave them: they are sent back with another index. */
struct addresses {
	int index;
	struct nlmsghdr **msgs;
	size_t n, cap;
};

static void addresses_clear(struct addresses *a)
{
	while (a->n)
		free(a->msgs[--a->n]);
}

static void addresses_done(struct addresses *a)
{
	addresses_clear(a);
	free(a->msgs);
}

/* Addresses that somebody gave to the device, not those that it has by itself or by a lease. */
static int take_address(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct addresses *a = arg;
	struct nlmsghdr *copy;
	uint32_t flags;
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa))
		return -EBADMSG;
	flags = ifa->ifa_flags;
	mnl_attr_for_each(attr, nlh, sizeof(*ifa)) if (mnl_attr_get_type(attr) == IFA_FLAGS &&
						       mnl_attr_get_payload_len(attr) == 4) flags =
		mnl_attr_get_u32(attr);
	if ((int)ifa->ifa_index != a->index || ifa->ifa_scope != RT_SCOPE_UNIVERSE ||
		!(flags & IFA_F_PERMANENT))
		return 0;
	if (a->n == ADDRESSES_MAX)
		return -E2BIG;
	copy = malloc(nlh->nlmsg_len);
	if (!copy || array_reserve(&a->msgs, &a->cap, a->n + 1, sizeof(*a->msgs)) < 0) {
		free(copy);
		return -ENOMEM;
	}
	memcpy(copy, nlh, nlh->nlmsg_len);
	a->msgs[a->n++] = copy;
	return 0;
}

static int read_addresses(
	struct netlink *nl, const char *name, struct addresses *a, struct err *err)
{
	int r, tries = DUMP_TRIES;

	do {
		struct nlmsghdr *nlh = netlink_start(nl, RTM_GETADDR, NLM_F_DUMP);
		struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

		ifa->ifa_family = AF_UNSPEC;
		addresses_clear(a);
		r = netlink_query(nl, nlh, take_address, a);
	} while (r == -EAGAIN && --tries);
	return r < 0 ? netlink_err(nl, err, r, "cannot read the addresses of the device '%s'", name)
		     : 0;
}

static int add_address(struct netlink *nl, int index, const struct nlmsghdr *old)
{
	const struct ifaddrmsg *was = mnl_nlmsg_get_payload(old);
	struct nlmsghdr *nlh = netlink_start(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	const struct nlattr *a;

	*ifa = *was;
	ifa->ifa_index = (uint32_t)index;
	/* a label begins with the device's old name */
	mnl_attr_for_each(a, old, sizeof(*was)) if (mnl_attr_get_type(a) != IFA_LABEL) mnl_attr_put(
		nlh, mnl_attr_get_type(a), mnl_attr_get_payload_len(a), mnl_attr_get_payload(a));
	return netlink_run(nl, nlh);
}

static int send_away(struct netlink *nl, int index, int to_ns, const char *name,
	const char *new_name, struct err *err)
{
	struct nlmsghdr *nlh = netlink_start(nl, RTM_NEWLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	int r;

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = index;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, new_name);
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)to_ns);
	r = netlink_run(nl, nlh);
	return r < 0 ? netlink_err(nl, err, r, "cannot move the network device '%s'", name) : 0;
}

/* Looked for before: the kernel moves a device and only then finds that its new name is taken. */
static int check_free(int ns, const char *name, const char *new_name, struct err *err)
{
	autonetlink struct netlink *nl = NULL;
	int r = netlink_open(ns, NETLINK_ROUTE, &nl, err);

	if (r < 0)
		return r;
	r = link_find(nl, new_name, NULL);
	if (r >= 0)
		return err_setx(err, -EEXIST,
			"cannot move the network device '%s': there is a '%s' in the container",
			name, new_name);
	return r == -ENODEV ? 0 : netlink_err(nl, err, r, "cannot look for '%s'", new_name);
}

static int settle(int ns, const char *name, const struct addresses *a, struct err *err)
{
	autonetlink struct netlink *nl = NULL;
	int index, r = netlink_open(ns, NETLINK_ROUTE, &nl, err);
	size_t i;

	if (r < 0)
		return r;
	index = link_find(nl, name, NULL);
	if (index < 0)
		return netlink_err(nl, err, index, "cannot find the moved device '%s'", name);
	r = link_set_up(nl, index, true, err);
	for (i = 0; r == 0 && i < a->n; i++) {
		r = add_address(nl, index, a->msgs[i]);
		if (r < 0)
			netlink_err(nl, err, r, "cannot give '%s' its addresses back", name);
	}
	return r;
}

int net_device_move(int from_ns, int to_ns, const char *name, const char *new_name, struct err *err)
{
	autonetlink struct netlink *nl = NULL;
	struct addresses a = {0};
	int r = netlink_open(from_ns, NETLINK_ROUTE, &nl, err);

	if (r < 0)
		return r;
	a.index = link_find(nl, name, NULL);
	if (a.index < 0)
		return netlink_err(nl, err, a.index, "cannot find the network device '%s'", name);
	r = check_free(to_ns, name, new_name, err);
	if (r == 0)
		r = read_addresses(nl, name, &a, err);
	if (r == 0)
		r = send_away(nl, a.index, to_ns, name, new_name, err);
	if (r == 0)
		r = settle(to_ns, new_name, &a, err);
	addresses_done(&a);
	return r;
}
