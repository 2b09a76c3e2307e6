// SPDX-License-Identifier: Apache-2.0
/* TCP over loopback, both ends inside: queues, options, half closed, and a long transfer going on.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "cr.h"

#define TRANSFER (64ul << 20)

static struct sockaddr_in local(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int listener(void)
{
	struct sockaddr_in a = local(0);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	MUST(s >= 0 && setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	MUST(bind(s, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(s, 8) == 0);
	return s;
}

static void pair(int server, int ret[2])
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	MUST(getsockname(server, (struct sockaddr *)&a, &len) == 0);
	ret[0] = socket(AF_INET, SOCK_STREAM, 0);
	MUST(ret[0] >= 0 && connect(ret[0], (struct sockaddr *)&a, sizeof(a)) == 0);
	ret[1] = accept(server, NULL, NULL);
	MUST(ret[1] >= 0);
}

/* A child that sends a known stream, slowly enough to be caught at it. */
static pid_t sender(int s[2])
{
	static char block[65536];
	pid_t pid = cr_fork();
	size_t i, n;

	if (pid)
		return pid;
	close(s[1]);
	cr_child_ready();
	for (i = 0; i < TRANSFER; i += sizeof(block)) {
		cr_fill(block, sizeof(block), i);
		for (n = 0; n < sizeof(block);) {
			ssize_t r = send(s[0], block + n, sizeof(block) - n, 0);

			CHECK(r > 0, "send at %zu: %m", i + n);
			if (r <= 0)
				_exit(cr_done());
			n += r;
		}
	}
	_exit(cr_done());
}

static void receive(int s, size_t from, size_t to)
{
	static char block[65536];
	size_t i, n;

	for (i = from; i < to; i += sizeof(block)) {
		for (n = 0; n < sizeof(block);) {
			ssize_t r = recv(s, block + n, sizeof(block) - n, 0);

			CHECK(r > 0, "recv at %zu: %zd %m", i + n, r);
			if (r <= 0)
				return;
			n += r;
		}
		CHECK(cr_filled(block, sizeof(block), i), "the stream differs at %zu", i);
	}
}

static int option(int s, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	CHECK(getsockopt(s, level, name, &v, &len) == 0, "option %d: %m", name);
	return v;
}

static void takes(int s, const char *want)
{
	char got[64] = "";

	CHECK(recv(s, got, sizeof(got) - 1, 0) == (ssize_t)strlen(want) && strcmp(got, want) == 0,
		"'%s', not '%s'", got, want);
}

static void set_options(int s)
{
	int on = 1, idle = 77;

	MUST(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	MUST(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0);
	MUST(setsockopt(s, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)) == 0);
	MUST(fcntl(s, F_SETFL, O_NONBLOCK) == 0);
}

int main(int argc, char **argv)
{
	int server, queued[2], half[2], stream[2], idle[2];
	struct sockaddr_in a, b, c;
	socklen_t len = sizeof(a);
	pid_t pid;

	cr_init(argc, argv);
	server = listener();
	pair(server, queued);
	pair(server, half);
	pair(server, stream);
	pair(server, idle);
	MUST(send(queued[0], "to the server", 13, 0) == 13 &&
		send(queued[1], "to the client", 13, 0) == 13);
	MUST(send(half[0], "last", 4, 0) == 4 && shutdown(half[0], SHUT_WR) == 0);
	set_options(idle[0]);
	pid = sender(stream);
	close(stream[0]);
	receive(stream[1], 0, TRANSFER / 4);
	MUST(getsockname(idle[0], (struct sockaddr *)&a, &len) == 0);
	cr_wait();
	receive(stream[1], TRANSFER / 4, TRANSFER);
	cr_reap(pid);
	CHECK_EQ(recv(stream[1], &len, 1, 0), 0);
	takes(queued[1], "to the server");
	takes(queued[0], "to the client");
	takes(half[1], "last");
	CHECK_EQ(recv(half[1], &len, 1, 0), 0);
	CHECK(send(half[1], "still", 5, 0) == 5, "the open half: %m");
	takes(half[0], "still");
	CHECK_EQ(option(idle[0], IPPROTO_TCP, TCP_NODELAY), 1);
	CHECK_EQ(option(idle[0], SOL_SOCKET, SO_KEEPALIVE), 1);
	CHECK_EQ(option(idle[0], IPPROTO_TCP, TCP_KEEPIDLE), 77);
	CHECK(fcntl(idle[0], F_GETFL) & O_NONBLOCK, "O_NONBLOCK is lost");
	CHECK_EQ(option(server, SOL_SOCKET, SO_ACCEPTCONN), 1);
	CHECK_EQ(option(server, SOL_SOCKET, SO_REUSEADDR), 1);
	len = sizeof(b);
	CHECK(getsockname(idle[0], (struct sockaddr *)&b, &len) == 0 && b.sin_port == a.sin_port,
		"name");
	CHECK(getpeername(idle[1], (struct sockaddr *)&c, &len) == 0 && c.sin_port == a.sin_port,
		"peer");
	CHECK(send(idle[1], "hi", 2, 0) == 2, "send: %m");
	fcntl(idle[0], F_SETFL, 0);
	takes(idle[0], "hi");
	pair(server, queued); /* the listener listens */
	return cr_done();
}
