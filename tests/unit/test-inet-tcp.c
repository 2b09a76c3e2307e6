// SPDX-License-Identifier: Apache-2.0
/*
 * TCP without tasks and images: a connection is read, packed, closed, made again from the bytes in
 * another process, and must go on where it stood. In a network namespace of its own; a rule stands
 * for the network lock. Skipped without root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "inet-pair.h"

/* Three times in a row, with data on the way in both directions. */
static void established(char kind)
{
	struct pair p = connect_pair(kind);
	uint32_t back = 0, back_checked = 0;
	int i;

	for (i = 0; i < 3; i++) {
		write_pattern(p.ours, &p.written, 3000);
		write_pattern(p.peer, &back, 5000);
		cycle(&p);
		check_pattern(p.ours, &back_checked, 5000);
		check_pattern(p.peer, &p.checked, 3000);
		write_pattern(p.ours, &p.written, 100000);
		check_pattern(p.peer, &p.checked, 100000);
		write_pattern(p.peer, &back, 100000);
		check_pattern(p.ours, &back_checked, 100000);
	}
	close_pair(&p);
}

static void test_established(void **state)
{
	established('4');
	established('6');
	established('m');
}

/* More than the peer's window: what was never sent must still be sent, in order. */
static void test_unsent(void **state)
{
	struct pair p = connect_pair('4');
	uint8_t buf[8192];
	size_t i;
	int out = 0;

	fcntl(p.ours, F_SETFL, O_NONBLOCK);
	for (;;) {
		for (i = 0; i < sizeof(buf); i++)
			buf[i] = pattern(p.written + i);
		ssize_t n = send(p.ours, buf, sizeof(buf), 0);
		if (n < 0)
			break;
		p.written += n;
	}
	assert_int_equal(ioctl(p.ours, SIOCOUTQNSD, &out), 0);
	assert_true(out > 100000);
	cycle(&p);
	check_pattern(p.peer, &p.checked, p.written);
	write_pattern(p.ours, &p.written, 1000);
	check_pattern(p.peer, &p.checked, 1000);
	close_pair(&p);
}

/* Sent, and lost on the way: unacknowledged bytes are sent again. */
static void test_unacknowledged(void **state)
{
	struct pair p = connect_pair('4');

	lock_net(1);
	write_pattern(p.ours, &p.written, 20000);
	cycle(&p);
	check_pattern(p.peer, &p.checked, 20000);
	close_pair(&p);
}

static void test_fin_wait(void **state)
{
	struct pair p = connect_pair('4');
	uint32_t back = 0, checked = 0;

	lock_net(1);
	write_pattern(p.ours, &p.written, 1000);
	shutdown(p.ours, SHUT_WR);
	assert_int_equal(tcp_state(p.ours), TCP_FIN_WAIT1);
	cycle(&p);
	check_pattern(p.peer, &p.checked, 1000);
	assert_int_equal(recv(p.peer, &back, 1, 0), 0);
	await_tcp_state(p.ours, TCP_FIN_WAIT2);
	cycle(&p);
	assert_int_equal(tcp_state(p.ours), TCP_FIN_WAIT2);
	write_pattern(p.peer, &back, 50000);
	check_pattern(p.ours, &checked, 50000);
	close(p.peer);
	assert_int_equal(recv(p.ours, &back, 1, 0), 0);
	close(p.ours);
}

static void test_fin_unsent(void **state)
{
	struct pair p = connect_pair('6');
	uint8_t buf[8192];
	size_t i;

	fcntl(p.ours, F_SETFL, O_NONBLOCK);
	for (;;) {
		for (i = 0; i < sizeof(buf); i++)
			buf[i] = pattern(p.written + i);
		ssize_t n = send(p.ours, buf, sizeof(buf), 0);
		if (n < 0)
			break;
		p.written += n;
	}
	shutdown(p.ours, SHUT_WR);
	cycle(&p);
	check_pattern(p.peer, &p.checked, p.written);
	assert_int_equal(recv(p.peer, buf, 1, 0), 0);
	close_pair(&p);
}

static void close_wait(char kind)
{
	struct pair p = connect_pair(kind);
	uint32_t back = 0, checked = 0;
	char c;

	write_pattern(p.peer, &back, 4000);
	shutdown(p.peer, SHUT_WR);
	await_tcp_state(p.ours, TCP_CLOSE_WAIT);
	cycle(&p);
	assert_int_equal(tcp_state(p.ours), TCP_CLOSE_WAIT);
	check_pattern(p.ours, &checked, 4000);
	assert_int_equal(recv(p.ours, &c, 1, 0), 0);
	write_pattern(p.ours, &p.written, 50000);
	check_pattern(p.peer, &p.checked, 50000);
	close(p.ours);
	assert_int_equal(recv(p.peer, &c, 1, 0), 0);
	close(p.peer);
}

static void test_close_wait(void **state)
{
	close_wait('4');
	close_wait('6');
	close_wait('m');
}

static void test_last_ack(void **state)
{
	struct pair p = connect_pair('4');
	char c;

	shutdown(p.peer, SHUT_WR);
	await_tcp_state(p.ours, TCP_CLOSE_WAIT);
	lock_net(1);
	write_pattern(p.ours, &p.written, 2000);
	shutdown(p.ours, SHUT_WR);
	assert_int_equal(tcp_state(p.ours), TCP_LAST_ACK);
	cycle(&p);
	check_pattern(p.peer, &p.checked, 2000);
	assert_int_equal(recv(p.peer, &c, 1, 0), 0);
	await_tcp_state(p.ours, TCP_CLOSE);
	close_pair(&p);
}

/* Both FINs cross, and ours is lost. */
static void test_closing(void **state)
{
	static const char one_way[] = "table inet lock {\n"
				      "\tchain i {\n"
				      "\t\ttype filter hook input priority 0;\n"
				      "\t\ttcp sport %u drop\n"
				      "\t}\n"
				      "}\n";
	struct pair p = connect_pair('4');
	union inet_addr a;
	socklen_t len = sizeof(a);
	char rules[256], c;

	assert_int_equal(getsockname(p.ours, &a.sa, &len), 0);
	snprintf(rules, sizeof(rules), one_way, inet_addr_port(&a));
	OK(nft_run(-EBADF, rules, NFT_TEXT, NULL, &err));
	write_pattern(p.ours, &p.written, 2000);
	shutdown(p.ours, SHUT_WR);
	shutdown(p.peer, SHUT_WR);
	await_tcp_state(p.ours, TCP_CLOSING);
	cycle(&p);
	check_pattern(p.peer, &p.checked, 2000);
	assert_int_equal(recv(p.peer, &c, 1, 0), 0);
	close_pair(&p);
}

static void ended(char kind)
{
	struct pair p = connect_pair(kind);
	uint32_t back = 0, checked = 0;
	char c;

	write_pattern(p.peer, &back, 3000);
	shutdown(p.ours, SHUT_WR);
	assert_int_equal(recv(p.peer, &c, 1, 0), 0);
	shutdown(p.peer, SHUT_WR);
	await_tcp_state(p.ours, TCP_CLOSE);
	cycle(&p);
	check_pattern(p.ours, &checked, 3000);
	assert_int_equal(recv(p.ours, &c, 1, 0), 0);
	assert_int_equal(send(p.ours, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	close_pair(&p);
}

static void test_ended(void **state)
{
	ended('4');
	ended('6');
}

static void test_both_ends(void **state)
{
	struct pair p = connect_pair('4');
	uint32_t back = 0, checked = 0;
	uint8_t *a, *b;
	size_t alen, blen;
	Kist__Inet *ma, *mb;

	lock_net(1);
	write_pattern(p.ours, &p.written, 3000);
	write_pattern(p.peer, &back, 3000);
	a = dump(p.ours, AF_INET, SOCK_STREAM, IPPROTO_TCP, &alen);
	b = dump(p.peer, AF_INET, SOCK_STREAM, IPPROTO_TCP, &blen);
	p.ours = restore_here(a, alen, 0);
	p.peer = restore_here(b, blen, 0);
	lock_net(0);
	ma = kist__inet__unpack(NULL, alen, a);
	mb = kist__inet__unpack(NULL, blen, b);
	OK(inet_tcp_wake(p.ours, ma, &err));
	OK(inet_tcp_wake(p.peer, mb, &err));
	kist__inet__free_unpacked(ma, NULL);
	kist__inet__free_unpacked(mb, NULL);
	free(a);
	free(b);
	check_pattern(p.ours, &checked, 3000);
	check_pattern(p.peer, &p.checked, 3000);
	write_pattern(p.ours, &p.written, 100000);
	check_pattern(p.peer, &p.checked, 100000);
	close_pair(&p);
}

/* Random amounts in both directions, read or left lying, and many turns. */
static void test_stress(void **state)
{
	enum { PAIRS = 8, TURNS = 12 };
	uint32_t back[PAIRS] = {0}, back_checked[PAIRS] = {0};
	struct pair p[PAIRS];
	int i, turn;

	srandom(4711);
	for (i = 0; i < PAIRS; i++)
		p[i] = connect_pair("46m"[i % 3]);
	for (turn = 0; turn < TURNS; turn++) {
		for (i = 0; i < PAIRS; i++) {
			write_pattern(p[i].ours, &p[i].written, random() % 20000);
			write_pattern(p[i].peer, &back[i], random() % 20000);
			if (random() % 2)
				check_pattern(p[i].peer, &p[i].checked,
					(p[i].written - p[i].checked) / 2);
			if (random() % 2)
				check_pattern(
					p[i].ours, &back_checked[i], back[i] - back_checked[i]);
			if (random() % 2)
				cycle(&p[i]);
			if (p[i].written - p[i].checked > 100000)
				check_pattern(
					p[i].peer, &p[i].checked, p[i].written - p[i].checked);
			if (back[i] - back_checked[i] > 100000)
				check_pattern(
					p[i].ours, &back_checked[i], back[i] - back_checked[i]);
		}
	}
	for (i = 0; i < PAIRS; i++) {
		check_pattern(p[i].peer, &p[i].checked, p[i].written - p[i].checked);
		check_pattern(p[i].ours, &back_checked[i], back[i] - back_checked[i]);
		close_pair(&p[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_established),
		cmocka_unit_test(test_unsent),
		cmocka_unit_test(test_unacknowledged),
		cmocka_unit_test(test_fin_wait),
		cmocka_unit_test(test_fin_unsent),
		cmocka_unit_test(test_close_wait),
		cmocka_unit_test(test_last_ack),
		cmocka_unit_test(test_closing),
		cmocka_unit_test(test_ended),
		cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_stress),
	};

	if (geteuid() != 0)
		return 77;
	alarm(120);
	return cmocka_run_group_tests(tests, setup, NULL);
}
