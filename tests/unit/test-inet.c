// SPDX-License-Identifier: Apache-2.0
/* Options, datagrams and listeners: the rest of the inet kind. Skipped without root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "inet-pair.h"

static int get_opt(int fd, int level, int opt)
{
	int v = -1;
	socklen_t len = sizeof(v);

	assert_int_equal(getsockopt(fd, level, opt, &v, &len), 0);
	return v;
}

static void test_options(void **state)
{
	static const struct {
		int level, opt, value;
	} opts[] = {
		{SOL_SOCKET, SO_KEEPALIVE, 1}, {SOL_SOCKET, SO_REUSEADDR, 1},
		{SOL_SOCKET, SO_MARK, 77}, {SOL_SOCKET, SO_RCVLOWAT, 3},
		{SOL_SOCKET, SO_OOBINLINE, 1}, {SOL_TCP, TCP_NODELAY, 1},
		{SOL_TCP, TCP_KEEPIDLE, 33}, {SOL_TCP, TCP_KEEPINTVL, 7}, {SOL_TCP, TCP_KEEPCNT, 4},
		{SOL_TCP, TCP_USER_TIMEOUT, 4711}, {SOL_IP, IP_TOS, 0x10}, {SOL_IP, IP_TTL, 33},
		{SOL_SOCKET, SO_PRIORITY, 4}, /* IP_TOS sets it too */
	};
	struct pair p = connect_pair('4');
	struct linger l = {.l_onoff = 1, .l_linger = 5}, m;
	int size = 300000, snd;
	socklen_t len = sizeof(m);
	size_t i;

	for (i = 0; i < sizeof(opts) / sizeof(opts[0]); i++)
		assert_int_equal(
			setsockopt(p.ours, opts[i].level, opts[i].opt, &opts[i].value, 4), 0);
	assert_int_equal(setsockopt(p.ours, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	assert_int_equal(setsockopt(p.ours, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)), 0);
	snd = get_opt(p.ours, SOL_SOCKET, SO_SNDBUF);
	cycle(&p);
	for (i = 0; i < sizeof(opts) / sizeof(opts[0]); i++)
		assert_int_equal(get_opt(p.ours, opts[i].level, opts[i].opt), opts[i].value);
	assert_int_equal(getsockopt(p.ours, SOL_SOCKET, SO_LINGER, &m, &len), 0);
	assert_int_equal(m.l_linger, 5);
	assert_int_equal(get_opt(p.ours, SOL_SOCKET, SO_SNDBUF), snd);
	close_pair(&p);
}

static void test_option_names_are_checked(void **state)
{
	Kist__InetOption o = KIST__INET_OPTION__INIT, *list[] = {&o};
	Kist__Inet msg = KIST__INET__INIT;

	msg.n_options = 1;
	msg.options = list;
	o.name = (char *)"SO_KEEPALIVE";
	assert_int_equal(inet_opts_check(&msg, &err), -EBADMSG);
	o.has_number = true;
	o.number = 1ll << 40;
	assert_int_equal(inet_opts_check(&msg, &err), -EBADMSG);
	o.number = 1;
	assert_int_equal(inet_opts_check(&msg, &err), 0);
	o.name = (char *)"SO_ATTACH_BPF";
	assert_int_equal(inet_opts_check(&msg, &err), -ENOPROTOOPT);
}

static void udp_queue(int family)
{
	union inet_addr a = {0}, from;
	int s = socket(family, SOCK_DGRAM, 0), c[2], i;
	socklen_t len = sizeof(a);
	uint16_t ports[2];
	uint8_t *bytes;
	char buf[64];
	size_t n;

	a.sa.sa_family = family;
	assert_int_equal(bind(s, &a.sa, inet_addr_len(&a)), 0);
	assert_int_equal(getsockname(s, &a.sa, &len), 0);
	if (family == AF_INET)
		a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		a.v6.sin6_addr = in6addr_loopback;
	for (i = 0; i < 2; i++) {
		c[i] = socket(family, SOCK_DGRAM, 0);
		assert_int_equal(connect(c[i], &a.sa, inet_addr_len(&a)), 0);
		len = sizeof(from);
		assert_int_equal(getsockname(c[i], &from.sa, &len), 0);
		ports[i] = inet_addr_port(&from);
	}
	for (i = 0; i < 6; i++) {
		snprintf(buf, sizeof(buf), "datagram %d", i);
		assert_true(send(c[i % 2], buf, strlen(buf) + 1, 0) > 0);
	}
	bytes = dump(s, family, SOCK_DGRAM, IPPROTO_UDP, &n);
	s = restore_here(bytes, n, 0);
	free(bytes);
	set_timeouts(s);
	for (i = 0; i < 6; i++) {
		char want[64];

		snprintf(want, sizeof(want), "datagram %d", i);
		len = sizeof(from);
		assert_true(recvfrom(s, buf, sizeof(buf), 0, &from.sa, &len) > 0);
		assert_string_equal(buf, want);
		assert_int_equal(inet_addr_port(&from), ports[i % 2]);
	}
	assert_int_equal(recv(s, buf, sizeof(buf), MSG_DONTWAIT), -1);
	close(s);
	close(c[0]);
	close(c[1]);
}

static void test_udp_queue(void **state)
{
	udp_queue(AF_INET);
	udp_queue(AF_INET6);
}

static void test_waiting_connections_are_named(void **state)
{
	union inet_addr a = {.v4 = {.sin_family = AF_INET}};
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
	Kist__Inet msg = KIST__INET__INIT;
	socklen_t len = sizeof(a);

	assert_int_equal(bind(l, &a.sa, sizeof(a.v4)), 0);
	assert_int_equal(listen(l, 7), 0);
	assert_int_equal(getsockname(l, &a.sa, &len), 0);
	OK(inet_tcp_probe(l, &msg, &err));
	assert_int_equal(msg.backlog, 7);
	assert_int_equal(connect(c, &a.sa, sizeof(a.v4)), 0);
	assert_int_equal(inet_tcp_probe(l, &msg, &err), -EAGAIN);
	assert_non_null(strstr(err.text, "1 connections"));
	close(l);
	close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_option_names_are_checked),
		cmocka_unit_test(test_udp_queue),
		cmocka_unit_test(test_waiting_connections_are_named),
	};

	if (geteuid() != 0)
		return 77;
	alarm(120);
	return cmocka_run_group_tests(tests, setup, NULL);
}
