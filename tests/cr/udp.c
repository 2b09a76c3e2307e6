// SPDX-License-Identifier: Apache-2.0
/* UDP over loopback: bound, connected, both versions of IP, options, and datagrams in the queue. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "cr.h"

static int bound(int family, struct sockaddr_storage *ret, socklen_t *len)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr *a = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	int s = socket(family, SOCK_DGRAM, 0);

	*len = family == AF_INET ? sizeof(v4) : sizeof(v6);
	if (s < 0 || bind(s, a, *len) < 0)
		return -1;
	MUST(getsockname(s, (struct sockaddr *)ret, len) == 0);
	return s;
}

static void talk(int from, int to, const char *text)
{
	char got[64] = "";

	CHECK(send(from, text, strlen(text), 0) == (ssize_t)strlen(text), "send: %m");
	CHECK(recv(to, got, sizeof(got) - 1, MSG_DONTWAIT) > 0 && strcmp(got, text) == 0,
		"got '%s', not '%s'", got, text);
}

int main(int argc, char **argv)
{
	struct sockaddr_storage a, b, now;
	socklen_t alen, blen, len = sizeof(now);
	char got[64] = "";
	int s, c, s6, c6 = -1, on = 1;

	cr_init(argc, argv);
	s = bound(AF_INET, &a, &alen);
	c = bound(AF_INET, &b, &blen);
	MUST(s >= 0 && c >= 0 && connect(c, (struct sockaddr *)&a, alen) == 0);
	MUST(setsockopt(s, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) == 0);
	MUST(send(c, "queued", 6, 0) == 6 && send(c, "", 0, 0) == 0 && send(c, "third", 5, 0) == 5);
	s6 = bound(AF_INET6, &now, &len);
	if (s6 >= 0) {
		c6 = socket(AF_INET6, SOCK_DGRAM, 0);
		MUST(connect(c6, (struct sockaddr *)&now, len) == 0);
	}
	cr_wait();
	len = sizeof(now);
	CHECK(getsockname(s, (struct sockaddr *)&now, &len) == 0 && memcmp(&now, &a, alen) == 0,
		"name");
	len = sizeof(now);
	CHECK(getpeername(c, (struct sockaddr *)&now, &len) == 0 && memcmp(&now, &a, alen) == 0,
		"peer");
	len = sizeof(now);
	CHECK(recvfrom(s, got, sizeof(got), MSG_DONTWAIT, (struct sockaddr *)&now, &len) == 6 &&
			memcmp(got, "queued", 6) == 0,
		"a queued datagram: %m");
	CHECK(memcmp(&now, &b, blen) == 0, "who sent it");
	CHECK_EQ(recv(s, got, sizeof(got), MSG_DONTWAIT), 0);
	CHECK_EQ(recv(s, got, sizeof(got), MSG_DONTWAIT), 5);
	talk(c, s, "new");
	if (s6 >= 0)
		talk(c6, s6, "six");
	len = sizeof(on);
	CHECK(getsockopt(s, SOL_SOCKET, SO_BROADCAST, &on, &len) == 0 && on == 1, "SO_BROADCAST");
	return cr_done();
}
