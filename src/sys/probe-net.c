// SPDX-License-Identifier: Apache-2.0
/* Attempts at network and resource features; links are tried in a namespace that ends at once. */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "sys/probe-internal.h"

int probe_tcp_repair(void)
{
	autoclose int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (s < 0)
		return -errno;
	return setsockopt(s, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0 ? -errno : 0;
}

/* One netlink request whose answer is data, or an error message: its code. */
static int ask(int protocol, struct nlmsghdr *msg)
{
	autoclose int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	union {
		struct nlmsghdr head;
		char bytes[8192];
	} answer;
	const struct timeval limit = {.tv_sec = 2};
	ssize_t n;

	if (s < 0)
		return -errno;
	if (setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
		send(s, msg, msg->nlmsg_len, 0) < 0)
		return -errno;
	n = recv(s, &answer, sizeof(answer), 0);
	if (n < 0)
		return -errno;
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) ||
		answer.head.nlmsg_type != NLMSG_ERROR)
		return 0;
	return ((struct nlmsgerr *)NLMSG_DATA(&answer.head))->error;
}

int probe_sock_diag(void)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req req;
	} msg = {
		.head = {.nlmsg_len = sizeof(msg),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.req = {.sdiag_family = AF_UNIX, .udiag_states = ~0u},
	};

	return ask(NETLINK_SOCK_DIAG, &msg.head);
}

int probe_nft(void)
{
	struct {
		struct nlmsghdr head;
		struct nfgenmsg gen;
	} msg = {
		.head = {.nlmsg_len = sizeof(msg),
			.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN,
			.nlmsg_flags = NLM_F_REQUEST},
	};

	return ask(NETLINK_NETFILTER, &msg.head);
}

/* Makes a link of this kind in a new network namespace. */
static int make_link(const char *kind)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info;
		struct rtattr linkinfo, kind;
		char name[8];
	} msg = {
		.head = {.nlmsg_len = sizeof(msg),
			.nlmsg_type = RTM_NEWLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
		.linkinfo = {.rta_len = sizeof(msg) - offsetof(typeof(msg), linkinfo),
			.rta_type = IFLA_LINKINFO},
		.kind = {.rta_len = RTA_LENGTH(strlen(kind)), .rta_type = IFLA_INFO_KIND},
	};

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	memcpy(msg.name, kind, strlen(kind));
	return ask(NETLINK_ROUTE, &msg.head);
}

static int make_veth(void)
{
	return make_link("veth");
}

int probe_veth(void)
{
	return probe_in_child(make_veth);
}

static int make_bridge(void)
{
	return make_link("bridge");
}

int probe_bridge(void)
{
	return probe_in_child(make_bridge);
}

int probe_cgroup_bpf(void)
{
	static const char license[] = "Dual MIT/GPL";
	const struct bpf_insn allow[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uintptr_t)allow,
		.insn_cnt = ARRAY_SIZE(allow),
		.license = (uintptr_t)license,
	};
	autoclose int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	return fd < 0 ? -errno : 0;
}

int probe_psi(void)
{
	autoclose int fd = open("/proc/pressure/memory", O_RDONLY | O_CLOEXEC);
	char c;

	return fd < 0 || read(fd, &c, 1) < 0 ? -errno : 0; /* EOPNOTSUPP: switched off at boot */
}
