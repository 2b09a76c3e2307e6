// SPDX-License-Identifier: Apache-2.0
/* Options and filters of network sockets that are new, bound, listening, or of other protocols. */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "cr.h"

static const struct number {
	int family, type, level, opt, value;
} numbers[] = {
	{AF_INET, SOCK_STREAM, SOL_SOCKET, SO_REUSEADDR, 1},
	{AF_INET, SOCK_STREAM, SOL_SOCKET, SO_REUSEPORT, 1},
	{AF_INET, SOCK_STREAM, SOL_SOCKET, SO_KEEPALIVE, 1},
	{AF_INET, SOCK_STREAM, SOL_SOCKET, SO_MARK, 99},
	{AF_INET, SOCK_STREAM, SOL_SOCKET, SO_PRIORITY, 5},
	{AF_INET, SOCK_STREAM, SOL_TCP, TCP_NODELAY, 1},
	{AF_INET, SOCK_STREAM, SOL_TCP, TCP_CORK, 1},
	{AF_INET, SOCK_STREAM, SOL_TCP, TCP_KEEPIDLE, 33},
	{AF_INET, SOCK_STREAM, SOL_TCP, TCP_KEEPINTVL, 4},
	{AF_INET, SOCK_STREAM, SOL_TCP, TCP_KEEPCNT, 3},
	{AF_INET, SOCK_STREAM, SOL_TCP, TCP_SYNCNT, 2},
	{AF_INET, SOCK_STREAM, SOL_TCP, TCP_USER_TIMEOUT, 12345},
	{AF_INET, SOCK_STREAM, SOL_TCP, TCP_MAXSEG, 1000},
	{AF_INET, SOCK_STREAM, SOL_IP, IP_TTL, 11},
	{AF_INET, SOCK_STREAM, SOL_IP, IP_FREEBIND, 1},
	{AF_INET, SOCK_STREAM, SOL_IP, IP_TRANSPARENT, 1},
	{AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_BROADCAST, 1},
	{AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_TIMESTAMPNS, 1},
	{AF_INET, SOCK_DGRAM, SOL_IP, IP_PKTINFO, 1},
	{AF_INET, SOCK_DGRAM, SOL_IP, IP_RECVERR, 1},
	{AF_INET, SOCK_DGRAM, SOL_IP, IP_RECVTOS, 1},
	{AF_INET, SOCK_DGRAM, SOL_IP, IP_MULTICAST_TTL, 7},
	{AF_INET, SOCK_DGRAM, SOL_IP, IP_MULTICAST_LOOP, 0},
	{AF_INET, SOCK_DGRAM, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO},
	{AF_INET, SOCK_DGRAM, SOL_UDP, UDP_SEGMENT, 1200},
	{AF_INET6, SOCK_STREAM, SOL_IPV6, IPV6_V6ONLY, 1},
	{AF_INET6, SOCK_STREAM, SOL_IPV6, IPV6_TCLASS, 0x20},
	{AF_INET6, SOCK_STREAM, SOL_IPV6, IPV6_UNICAST_HOPS, 9},
	{AF_INET6, SOCK_DGRAM, SOL_IPV6, IPV6_RECVPKTINFO, 1},
	{AF_INET6, SOCK_DGRAM, SOL_IPV6, IPV6_RECVHOPLIMIT, 1},
	{AF_INET6, SOCK_DGRAM, SOL_IPV6, IPV6_MULTICAST_HOPS, 3},
	{AF_INET6, SOCK_DGRAM, SOL_IPV6, IPV6_DONTFRAG, 1},
};
#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static int number(int s, int level, int opt)
{
	int v = -1;
	socklen_t len = sizeof(v);

	CHECK(getsockopt(s, level, opt, &v, &len) == 0, "option %d of level %d: %m", opt, level);
	return v;
}

/* Lets datagrams of at least 16 bytes (with their header) pass. */
static const struct sock_filter long_only[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 16, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 0xffff),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sock_fprog prog = {.len = 4, .filter = (struct sock_filter *)long_only};
	struct linger lingers = {.l_onoff = 1, .l_linger = 17}, l = {0};
	struct timeval tv = {.tv_sec = 3, .tv_usec = 500000}, t = {0};
	struct icmp_filter icmp = {.data = 0xfffffffe}, i = {0};
	int sockets[NUMBERS], values[NUMBERS], filtered, sender, listener, raw, size = 200000;
	socklen_t len = sizeof(a);
	char name[32] = "", got[64];
	size_t k;

	cr_init(argc, argv);
	for (k = 0; k < NUMBERS; k++) {
		sockets[k] = socket(numbers[k].family, numbers[k].type, 0);
		MUST(sockets[k] >= 0);
		/* Some want CAP_NET_ADMIN, which a container does not have. */
		MUST(setsockopt(sockets[k], numbers[k].level, numbers[k].opt, &numbers[k].value,
			     sizeof(int)) == 0 ||
			errno == EPERM);
		values[k] = number(sockets[k], numbers[k].level, numbers[k].opt);
	}
	filtered = socket(AF_INET, SOCK_DGRAM, 0);
	sender = socket(AF_INET, SOCK_DGRAM, 0);
	MUST(bind(filtered, (struct sockaddr *)&a, sizeof(a)) == 0);
	MUST(setsockopt(filtered, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) == 0);
	MUST(setsockopt(filtered, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0);
	MUST(setsockopt(filtered, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0);
	MUST(getsockname(filtered, (struct sockaddr *)&a, &len) == 0);
	MUST(connect(sender, (struct sockaddr *)&a, sizeof(a)) == 0);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	MUST(setsockopt(listener, SOL_SOCKET, SO_LINGER, &lingers, sizeof(lingers)) == 0);
	MUST(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	MUST(listen(listener, 23) == 0);
	raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	if (raw >= 0)
		MUST(setsockopt(raw, SOL_RAW, ICMP_FILTER, &icmp, sizeof(icmp)) == 0);
	size = number(filtered, SOL_SOCKET, SO_RCVBUF);
	cr_wait();
	for (k = 0; k < NUMBERS; k++)
		CHECK(number(sockets[k], numbers[k].level, numbers[k].opt) == values[k],
			"option %d of level %d", numbers[k].opt, numbers[k].level);
	CHECK(send(sender, "short", 5, 0) == 5 && send(sender, "long enough", 11, 0) == 11,
		"send: %m");
	CHECK_EQ(recv(filtered, got, sizeof(got), 0), 11);
	len = sizeof(name);
	CHECK(getsockopt(filtered, SOL_SOCKET, SO_BINDTODEVICE, name, &len) == 0 &&
			strcmp(name, "lo") == 0,
		"bound to '%s'", name);
	CHECK_EQ(number(filtered, SOL_SOCKET, SO_RCVBUF), size);
	len = sizeof(l);
	CHECK(getsockopt(listener, SOL_SOCKET, SO_LINGER, &l, &len) == 0 && l.l_linger == 17,
		"SO_LINGER");
	len = sizeof(t);
	CHECK(getsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &t, &len) == 0 && t.tv_sec == 3,
		"SO_RCVTIMEO");
	CHECK_EQ(number(listener, SOL_SOCKET, SO_ACCEPTCONN), 1);
	len = sizeof(i);
	CHECK(raw < 0 || (getsockopt(raw, SOL_RAW, ICMP_FILTER, &i, &len) == 0 &&
				 i.data == icmp.data),
		"ICMP_FILTER");
	return cr_done();
}
