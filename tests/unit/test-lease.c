// SPDX-License-Identifier: Apache-2.0
/* The lease book, and the nft rules that follow from it: both pure. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/lease.h"
#include "net/publish.h"

static struct lease_book book_16(void)
{
	struct lease_book book = {.prefix = 16};

	assert_int_equal(inet_pton(AF_INET, "10.87.0.0", &book.subnet), 1);
	return book;
}

static void test_same_name_same_address(void **state)
{
	struct lease_book book = book_16();
	struct lease *a, *b;
	struct in_addr first;

	assert_int_equal(lease_add(&book, "web", NULL, NULL, 0, &a, NULL), 0);
	first = a->address;
	assert_int_equal(lease_add(&book, "db", NULL, NULL, 0, &b, NULL), 0);
	assert_int_not_equal(b->address.s_addr, first.s_addr);
	lease_remove(&book, lease_find(&book, "web"));
	assert_null(lease_find(&book, "web"));
	assert_int_equal(lease_add(&book, "web", NULL, NULL, 0, &a, NULL), 0);
	assert_int_equal(a->address.s_addr, first.s_addr);
	lease_book_done(&book);
}

static void test_pool_is_finite(void **state)
{
	struct lease_book book = {.prefix = 29};
	struct lease *l;
	char id[] = "c0";
	struct err err;

	assert_int_equal(inet_pton(AF_INET, "192.168.187.0", &book.subnet), 1);
	for (; id[1] < '4'; id[1]++) {
		assert_int_equal(lease_add(&book, id, NULL, NULL, 0, &l, NULL), 0);
		assert_in_range(lease_number(&book, l), 2, 6);
	}
	assert_int_equal(lease_add(&book, id, NULL, NULL, 0, &l, &err), 0);
	assert_int_equal(lease_add(&book, "more", NULL, NULL, 0, &l, &err), -EADDRNOTAVAIL);
	lease_book_done(&book);
}

static void test_wanted_address(void **state)
{
	static const char *const bad[] = {
		"10.88.0.2", "10.87.0.0", "10.87.0.1", "10.87.255.255", "x", "::1"};
	struct lease_book book = book_16();
	struct lease *l;
	struct err err;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(lease_add(&book, "a", bad[i], NULL, 0, &l, &err) < 0);
	assert_int_equal(lease_add(&book, "a", "10.87.3.4", NULL, 0, &l, &err), 0);
	assert_int_equal(lease_add(&book, "b", "10.87.3.4", NULL, 0, &l, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "'a'"));
	lease_find(&book, "a")->parked = 1795583839;
	assert_int_equal(lease_add(&book, "b", "10.87.3.4", NULL, 0, &l, &err), 0);
	assert_null(lease_find(&book, "a"));
	lease_book_done(&book);
}

static void test_ports_collide(void **state)
{
	static const struct net_port all = {.host = 80, .container = 8080, .protocol = IPPROTO_TCP};
	static const struct net_port udp = {.host = 80, .container = 8080, .protocol = IPPROTO_UDP};
	static const struct net_port one = {
		.host = 80, .container = 1, .protocol = IPPROTO_TCP, .host_ip = "127.0.0.1"};
	static const struct net_port two = {
		.host = 80, .container = 1, .protocol = IPPROTO_TCP, .host_ip = "10.0.0.1"};
	static const struct net_port v6 = {
		.host = 81, .container = 1, .protocol = IPPROTO_TCP, .host_ip = "::"};
	struct lease_book book = book_16();
	struct lease *l;

	assert_int_equal(lease_add(&book, "a", NULL, &one, 1, &l, NULL), 0);
	assert_int_equal(lease_add(&book, "b", NULL, &all, 1, &l, NULL), -EADDRINUSE);
	assert_null(lease_find(&book, "b"));
	assert_int_equal(lease_add(&book, "b", NULL, &udp, 1, &l, NULL), 0);
	assert_int_equal(lease_add(&book, "c", NULL, &two, 1, &l, NULL), 0);
	assert_int_equal(lease_add(&book, "d", NULL, &v6, 1, &l, NULL), -EAFNOSUPPORT);
	lease_book_done(&book);
}

static void test_ids(void **state)
{
	assert_int_equal(lease_check_id("a.b_c-1:2@x", NULL), 0);
	assert_int_equal(lease_check_id("", NULL), -EINVAL);
	assert_int_equal(lease_check_id("a\"; flush ruleset", NULL), -EINVAL);
	assert_int_equal(lease_check_id("a\nb", NULL), -EINVAL);
}

static void test_file_round_trip(void **state)
{
	static const struct net_port ports[] = {
		{.host = 80, .container = 8080, .protocol = IPPROTO_TCP},
		{.host = 53, .container = 53, .protocol = IPPROTO_UDP, .host_ip = "127.0.0.1"},
	};
	struct lease_book book = book_16(), back;
	char *text, *again;
	struct lease *l;

	assert_int_equal(lease_add(&book, "web", NULL, ports, 2, &l, NULL), 0);
	assert_int_equal(lease_add(&book, "db", "10.87.9.9", NULL, 0, &l, NULL), 0);
	l->parked = 1795583839;
	assert_int_equal(lease_book_print(&book, &text, NULL), 0);
	assert_int_equal(lease_book_parse(text, strlen(text), &back, NULL), 0);
	assert_int_equal(back.n, 2);
	assert_int_equal(lease_find(&back, "db")->parked, 1795583839);
	assert_int_equal(lease_find(&back, "web")->parked, 0);
	assert_string_equal(lease_find(&back, "web")->ports[1].host_ip, "127.0.0.1");
	assert_int_equal(lease_book_print(&back, &again, NULL), 0);
	assert_string_equal(text, again);
	free(again);
	free(text);
	lease_book_done(&book);
	lease_book_done(&back);
}

static void test_damaged_files(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{\"subnet\":\"10.87.0.0\",\"prefix\":0,\"leases\":[]}",
		"{\"subnet\":\"10.87.0.1\",\"prefix\":16,\"leases\":[]}",
		"{\"subnet\":\"10.87.0.0\",\"prefix\":16,\"leases\":[{}]}",
		"{\"subnet\":\"10.87.0.0\",\"prefix\":16,\"leases\":[{\"id\":\"a b\",\"address\":"
		"\"10.87.0.2\",\"parked\":0,\"ports\":[]}]}",
		"{\"subnet\":\"10.87.0.0\",\"prefix\":16,\"leases\":[{\"id\":\"a\",\"address\":"
		"\"10.88.0.2\",\"parked\":0,\"ports\":[]}]}",
		"{\"subnet\":\"10.87.0.0\",\"prefix\":16,\"leases\":[{\"id\":\"a\",\"address\":"
		"\"10.87.0.2\",\"parked\":0,\"ports\":[{\"host\":70000,\"container\":1,"
		"\"protocol\":6}]}]}",
	};
	struct lease_book book;
	struct err err;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err = (struct err){0};
		assert_int_equal(lease_book_parse(bad[i], strlen(bad[i]), &book, &err), -EINVAL);
		assert_true(err.text[0] != '\0');
	}
}

static void test_rules(void **state)
{
	static const struct net_port ports[] = {
		{.host = 80, .container = 8080, .protocol = IPPROTO_TCP},
		{.host = 53, .container = 54, .protocol = IPPROTO_UDP, .host_ip = "127.0.0.1"},
	};
	static const struct net_port other_port = {
		.host = 81, .container = 81, .protocol = IPPROTO_TCP};
	struct lease_book book = book_16();
	struct buf b = {0};
	char mark[PUBLISH_MARK_MAX], other[PUBLISH_MARK_MAX];
	struct lease *l;

	assert_int_equal(publish_rules(&book, &b, mark), 0);
	assert_string_equal(mark, "");
	assert_string_equal(buf_str(&b), "add table ip kist\ndelete table ip kist\n");
	assert_int_equal(lease_add(&book, "web", "10.87.0.2", ports, 2, &l, NULL), 0);
	buf_reset(&b);
	assert_int_equal(publish_rules(&book, &b, mark), 0);
	assert_non_null(strstr(buf_str(&b), mark));
	assert_non_null(strstr(buf_str(&b), "tcp . 80 comment \"web\" : 10.87.0.2 . 8080 }"));
	assert_non_null(
		strstr(buf_str(&b), "127.0.0.1 . udp . 53 comment \"web\" : 10.87.0.2 . 54 }"));
	assert_non_null(strstr(buf_str(&b), "masquerade"));
	/* Who publishes nothing changes nothing. */
	assert_int_equal(lease_add(&book, "job", NULL, NULL, 0, &l, NULL), 0);
	buf_reset(&b);
	assert_int_equal(publish_rules(&book, &b, other), 0);
	assert_string_equal(mark, other);
	assert_int_equal(lease_add(&book, "db", NULL, &other_port, 1, &l, NULL), 0);
	buf_reset(&b);
	assert_int_equal(publish_rules(&book, &b, other), 0);
	assert_string_not_equal(mark, other);
	buf_done(&b);
	lease_book_done(&book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_name_same_address),
		cmocka_unit_test(test_pool_is_finite),
		cmocka_unit_test(test_wanted_address),
		cmocka_unit_test(test_ports_collide),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_file_round_trip),
		cmocka_unit_test(test_damaged_files),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
