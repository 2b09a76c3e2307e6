// SPDX-License-Identifier: Apache-2.0
/* The interface that every network namespace has, and that starts down. */
#include "base/util.h"
#include "net/bridge.h"
#include "net/netlink.h"

int net_loopback_up(struct err *err)
{
	autonetlink struct netlink *nl = NULL;
	int r;

	r = netlink_open(-EBADF, NETLINK_ROUTE, &nl, err);
	if (r < 0)
		return r;
	return link_set_up(nl, 1, true, err); /* lo is 1 in every namespace */
}
