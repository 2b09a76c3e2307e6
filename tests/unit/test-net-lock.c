// SPDX-License-Identifier: Apache-2.0
/* The network lock's rules, connections out of records, packets in a peer's name: all pure. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cr/file/inet-internal.h"
#include "cr/nsdump/net-lock.h"

static void test_rules(void **state)
{
	static const struct inet_conn conns[] = {
		{.family = AF_INET,
			.local = "10.0.0.1",
			.remote = "10.0.0.2",
			.local_port = 80,
			.remote_port = 4000},
		{.family = AF_INET6,
			.local = "fd00::1",
			.remote = "fd00::2",
			.local_port = 81,
			.remote_port = 4001},
		{.family = AF_INET,
			.local = "10.0.0.1",
			.remote = "10.0.0.3",
			.local_port = 80,
			.remote_port = 4002},
	};
	struct buf b = {0};

	assert_int_equal(net_lock_rules("kist-lock-1", conns, 3, &b), 0);
	assert_non_null(strstr(b.data, "table inet kist-lock-1 {\n"));
	assert_non_null(strstr(b.data, "10.0.0.1 . 80 . 10.0.0.2 . 4000,\n"));
	assert_non_null(strstr(b.data, "10.0.0.1 . 80 . 10.0.0.3 . 4002 }\n"));
	assert_non_null(strstr(b.data, "fd00::1 . 81 . fd00::2 . 4001 }\n"));
	buf_reset(&b);
	assert_int_equal(net_lock_rules("kist-lock-1", conns, 1, &b), 0);
	assert_null(strstr(b.data, "fd00")); /* and an empty set has no elements */
	assert_null(strstr(b.data, "elements = {\n\t\t\t }"));
	buf_done(&b);
}

static struct inet_conn conn_of(const char *local, const char *remote, int *r)
{
	Kist__InetAddress l = KIST__INET_ADDRESS__INIT, p = KIST__INET_ADDRESS__INIT;
	Kist__Inet msg = KIST__INET__INIT;
	struct inet_conn c = {0};

	l.address = (char *)local;
	l.port = 80;
	p.address = (char *)remote;
	p.port = 4000;
	msg.local = &l;
	msg.remote = &p;
	*r = inet_conn_fill(&msg, &c);
	return c;
}

static void test_connections(void **state)
{
	static const char *const bad[] = {
		"", "1.2.3", "1.2.3.4; flush ruleset", "::1", "fe80::1%x"};
	struct inet_conn c;
	size_t i;
	int r;

	c = conn_of("::ffff:10.0.0.1", "::ffff:10.0.0.2", &r);
	assert_int_equal(r, 0);
	assert_int_equal(c.family, AF_INET);
	assert_string_equal(c.local, "10.0.0.1");
	assert_string_equal(c.remote, "10.0.0.2");
	c = conn_of("2001:DB8:0:0::1", "2001:db8::2", &r);
	assert_int_equal(r, 0);
	assert_string_equal(c.local, "2001:db8::1");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		c = conn_of("10.0.0.1", bad[i], &r);
		assert_int_equal(r, -EBADMSG);
	}
}

static uint16_t sum(const uint8_t *p, size_t len, uint32_t s)
{
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		s += p[i] << 8 | p[i + 1];
	if (len & 1)
		s += p[len - 1] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static void test_packet(void **state)
{
	struct inet_packet p = {
		.protocol = IPPROTO_TCP, .seq = 7, .ack = 9, .window = 100, .fin = true};
	uint8_t buf[INET_PACKET_MAX];
	struct iphdr ip;
	struct tcphdr tcp;

	p.from.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(4000)};
	p.to.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(80)};
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.2", &p.from.v6.sin6_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.1", &p.to.v6.sin6_addr), 1);
	assert_int_equal(inet_packet_build(&p, buf), 40); /* mapped: IPv4 */
	memcpy(&ip, buf, sizeof(ip));
	memcpy(&tcp, buf + 20, sizeof(tcp));
	assert_int_equal(ntohl(ip.saddr), 0x0a000002);
	assert_int_equal(ntohs(tcp.source), 4000);
	assert_int_equal(ntohl(tcp.seq), 7);
	assert_true(tcp.fin && tcp.ack && !tcp.rst && !tcp.syn);
	/* A header with its checksum adds up to all ones. */
	assert_int_equal(sum(buf, 20, 0), 0xffff);
	assert_int_equal(sum(buf + 20, 20, sum(buf + 12, 8, 0) + IPPROTO_TCP + 20), 0xffff);
	assert_int_equal(inet_pton(AF_INET6, "fd00::1", &p.to.v6.sin6_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "fd00::2", &p.from.v6.sin6_addr), 1);
	assert_int_equal(inet_packet_build(&p, buf), 60);
	assert_int_equal(sum(buf + 40, 20, sum(buf + 8, 32, 0) + IPPROTO_TCP + 20), 0xffff);
}

static void test_datagram(void **state)
{
	struct inet_packet p = {.protocol = IPPROTO_UDP, .data = "odd", .len = 3};
	uint8_t buf[INET_PACKET_MAX];

	p.from.v4 = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(0x7f000001)};
	p.to = p.from;
	assert_int_equal(inet_packet_build(&p, buf), 31);
	assert_memory_equal(buf + 28, "odd", 3);
	assert_int_equal(sum(buf + 20, 11, sum(buf + 12, 8, 0) + IPPROTO_UDP + 11), 0xffff);
	p.len = INET_PACKET_MAX;
	assert_int_equal(inet_packet_build(&p, buf), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_packet),
		cmocka_unit_test(test_datagram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
