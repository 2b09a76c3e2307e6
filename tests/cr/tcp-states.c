// SPDX-License-Identifier: Apache-2.0
/*
 * TCP over IPv4, IPv6 and IPv4 through IPv6 sockets: closed in one direction and in both, more sent
 * than the peer takes, a hundred connections at once, sockets that are bound only, or were refused.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "cr.h"

#define MANY	 100
#define FLAVOURS 3

union addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static const char *const hosts[FLAVOURS] = {NULL, "::1", "::ffff:127.0.0.1"};

static socklen_t address(int flavour, int port, union addr *a)
{
	*a = (union addr){0};
	if (!hosts[flavour]) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		a->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(a->v4);
	}
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons(port);
	MUST(inet_pton(AF_INET6, hosts[flavour], &a->v6.sin6_addr) == 1);
	return sizeof(a->v6);
}

static int listener(int flavour)
{
	union addr a;
	socklen_t len = address(flavour, 0, &a);
	int s = socket(a.sa.sa_family, SOCK_STREAM, 0);

	MUST(s >= 0 && bind(s, &a.sa, len) == 0 && listen(s, MANY) == 0);
	return s;
}

struct pair {
	int a, b;
};

static struct pair connected(int server)
{
	union addr a;
	socklen_t len = sizeof(a);
	struct pair p;

	MUST(getsockname(server, &a.sa, &len) == 0);
	p.a = socket(a.sa.sa_family, SOCK_STREAM, 0);
	MUST(p.a >= 0 && connect(p.a, &a.sa, len) == 0);
	p.b = accept(server, NULL, NULL);
	MUST(p.b >= 0);
	return p;
}

static int state(int s)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	CHECK(getsockopt(s, SOL_TCP, TCP_INFO, &info, &len) == 0, "TCP_INFO: %m");
	return info.tcpi_state;
}

static void await(int s, int want)
{
	int i;

	for (i = 0; i < 2000 && state(s) != want; i++)
		usleep(1000);
	MUST(state(s) == want);
}

static void says(int from, const char *text)
{
	CHECK(send(from, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text), "send: %m");
}

static void hears(int to, const char *text)
{
	char got[64] = "";

	CHECK(recv(to, got, strlen(text), MSG_WAITALL) == (ssize_t)strlen(text) &&
			strcmp(got, text) == 0,
		"'%s', not '%s'", got, text);
}

static void ends(int s)
{
	char c;
	ssize_t n = recv(s, &c, 1, 0);

	CHECK(n == 0, "%zd (%m), not the end", n);
}

struct set { /* of one flavour */
	int server;
	struct pair open, half, both, stuffed;
	size_t stuffed_len;
};

static void stuff(struct set *s)
{
	static char block[8192];
	ssize_t n;

	MUST(fcntl(s->stuffed.a, F_SETFL, O_NONBLOCK) == 0);
	for (;;) {
		cr_fill(block, sizeof(block), s->stuffed_len);
		n = send(s->stuffed.a, block, sizeof(block), 0);
		if (n < (ssize_t)sizeof(block)) {
			s->stuffed_len += n > 0 ? n : 0;
			return;
		}
		s->stuffed_len += n;
	}
}

static void unstuff(const struct set *s)
{
	static char block[8192];
	size_t at, want;

	for (at = 0; at < s->stuffed_len; at += want) {
		want = s->stuffed_len - at < sizeof(block) ? s->stuffed_len - at : sizeof(block);
		CHECK(recv(s->stuffed.b, block, want, MSG_WAITALL) == (ssize_t)want, "recv: %m");
		CHECK(want < sizeof(block) || cr_filled(block, want, at), "differs at %zu", at);
	}
	says(s->stuffed.b, "thanks");
}

static void prepare(struct set *s, int flavour)
{
	s->server = listener(flavour);
	s->open = connected(s->server);
	s->half = connected(s->server);
	s->both = connected(s->server);
	s->stuffed = connected(s->server);
	says(s->half.a, "last words");
	MUST(shutdown(s->half.a, SHUT_WR) == 0);
	await(s->half.a, TCP_FIN_WAIT2);
	await(s->half.b, TCP_CLOSE_WAIT);
	says(s->both.b, "unread");
	MUST(shutdown(s->both.a, SHUT_WR) == 0);
	await(s->both.b, TCP_CLOSE_WAIT);
	MUST(shutdown(s->both.b, SHUT_WR) == 0);
	await(s->both.a, TCP_CLOSE);
	await(s->both.b, TCP_CLOSE);
	stuff(s);
}

static void examine(struct set *s)
{
	struct pair p;

	says(s->open.a, "ping");
	hears(s->open.b, "ping");
	says(s->open.b, "pong");
	hears(s->open.a, "pong");
	CHECK_EQ(state(s->half.a), TCP_FIN_WAIT2);
	CHECK_EQ(state(s->half.b), TCP_CLOSE_WAIT);
	hears(s->half.b, "last words");
	ends(s->half.b);
	says(s->half.b, "still here");
	hears(s->half.a, "still here");
	CHECK(shutdown(s->half.b, SHUT_WR) == 0, "shutdown: %m");
	ends(s->half.a);
	hears(s->both.a, "unread");
	ends(s->both.a);
	ends(s->both.b);
	CHECK(send(s->both.a, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE, "send: %m");
	unstuff(s);
	CHECK(fcntl(s->stuffed.a, F_SETFL, 0) == 0, "F_SETFL: %m");
	hears(s->stuffed.a, "thanks");
	p = connected(s->server);
	says(p.a, "new");
	hears(p.b, "new");
}

int main(int argc, char **argv)
{
	struct set sets[FLAVOURS] = {0};
	struct pair many[MANY];
	union addr bound, now;
	socklen_t len = sizeof(bound);
	char text[32];
	int fresh, only_bound, server, i;

	cr_init(argc, argv);
	for (i = 0; i < FLAVOURS; i++)
		prepare(&sets[i], i);
	server = listener(0);
	for (i = 0; i < MANY; i++) {
		many[i] = connected(server);
		snprintf(text, sizeof(text), "number %d", i);
		says(many[i].a, text);
	}
	close(server); /* connections outlive their listener */
	fresh = socket(AF_INET, SOCK_STREAM, 0);
	only_bound = socket(AF_INET, SOCK_STREAM, 0);
	address(0, 0, &bound);
	MUST(bind(only_bound, &bound.sa, sizeof(bound.v4)) == 0);
	MUST(getsockname(only_bound, &bound.sa, &len) == 0);
	cr_wait();
	for (i = 0; i < FLAVOURS; i++)
		examine(&sets[i]);
	for (i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "number %d", i);
		hears(many[i].b, text);
		says(many[i].b, text);
		hears(many[i].a, text);
	}
	CHECK(recv(fresh, text, 1, 0) < 0 && errno == ENOTCONN, "a new socket: %m");
	len = sizeof(now);
	CHECK(getsockname(only_bound, &now.sa, &len) == 0 && now.v4.sin_port == bound.v4.sin_port,
		"the port of a bound socket");
	CHECK(listen(only_bound, 1) == 0, "listen: %m");
	return cr_done();
}
