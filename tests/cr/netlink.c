// SPDX-License-Identifier: Apache-2.0
/* netlink sockets: one that hears of addresses, one with a chosen port, one in the middle of talk.
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "cr.h"

static int open_route(uint32_t port, uint32_t groups)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups};
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	MUST(s >= 0 && bind(s, (struct sockaddr *)&a, sizeof(a)) == 0);
	return s;
}

static struct sockaddr_nl name_of(int s)
{
	struct sockaddr_nl a = {0};
	socklen_t len = sizeof(a);

	CHECK(getsockname(s, (struct sockaddr *)&a, &len) == 0, "getsockname: %m");
	return a;
}

/* Asks for lo, and hears of it. */
static void asks(int s)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg ifi;
	} req = {.head = {.nlmsg_len = sizeof(req),
			 .nlmsg_type = RTM_GETLINK,
			 .nlmsg_flags = NLM_F_REQUEST,
			 .nlmsg_seq = 4},
		.ifi.ifi_index = 1};
	_Alignas(struct nlmsghdr) char answer[8192];
	const struct nlmsghdr *h = (const struct nlmsghdr *)answer;
	ssize_t n;

	CHECK(send(s, &req, sizeof(req), 0) == sizeof(req), "send: %m");
	n = recv(s, answer, sizeof(answer), 0);
	CHECK(n > (ssize_t)sizeof(*h) && h->nlmsg_type == RTM_NEWLINK && h->nlmsg_seq == 4,
		"the answer is %zd bytes, type %d", n, h->nlmsg_type);
}

int main(int argc, char **argv)
{
	int hears, chosen, plain, one = 1, v = 0, group = RTNLGRP_IPV6_ROUTE;
	uint32_t groups[8] = {0}, port;
	socklen_t len = sizeof(groups);
	struct sockaddr_nl a;

	cr_init(argc, argv);
	hears = open_route(0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR);
	MUST(setsockopt(hears, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0);
	chosen = open_route((uint32_t)getpid() + 0x40000000u, 0);
	MUST(setsockopt(chosen, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one)) == 0);
	plain = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);
	MUST(plain >= 0);
	asks(chosen);
	port = name_of(hears).nl_pid;
	cr_wait();
	a = name_of(hears);
	CHECK_EQ(a.nl_pid, port);
	CHECK_EQ(a.nl_groups, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_ROUTE);
	CHECK(getsockopt(hears, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &len) == 0 &&
			groups[(group - 1) / 32] & 1u << (group - 1) % 32,
		"a group that was joined later is lost");
	CHECK_EQ(name_of(chosen).nl_pid, (uint32_t)getpid() + 0x40000000u);
	len = sizeof(v);
	CHECK(getsockopt(chosen, SOL_NETLINK, NETLINK_EXT_ACK, &v, &len) == 0 && v == 1,
		"NETLINK_EXT_ACK is %d", v);
	asks(chosen);
	asks(plain);
	return cr_done();
}
