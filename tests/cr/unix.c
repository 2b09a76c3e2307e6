// SPDX-License-Identifier: Apache-2.0
/* Unix sockets of all three types: pairs with queued data and fds, listening, named, half closed.
 */
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cr.h"

static socklen_t address(struct sockaddr_un *a, const char *name, bool abstract)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	if (!abstract) {
		strncpy(a->sun_path, cr_path(name), sizeof(a->sun_path) - 1);
		return sizeof(*a);
	}
	snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "%s-%d", name, getpid());
	return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a->sun_path + 1);
}

static int bound(int type, const char *name, bool abstract)
{
	struct sockaddr_un a;
	socklen_t len = address(&a, name, abstract);
	int s = socket(AF_UNIX, type, 0);

	MUST(s >= 0 && bind(s, (struct sockaddr *)&a, len) == 0);
	return s;
}

static int try_connect(int type, const char *name, bool abstract)
{
	struct sockaddr_un a;
	socklen_t len = address(&a, name, abstract);
	int s = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);

	if (s >= 0 && connect(s, (struct sockaddr *)&a, len) == 0)
		return s;
	close(s);
	return -1;
}

static void send_fd(int s, int fd)
{
	union {
		struct cmsghdr c;
		char space[CMSG_SPACE(sizeof(int))];
	} ctl = {0};
	struct iovec iov = {"with fd", 7};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl)};

	ctl.c = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(&ctl.c), &fd, sizeof(fd));
	MUST(sendmsg(s, &m, 0) == 7);
}

static int take_fd(int s)
{
	union {
		struct cmsghdr c;
		char space[CMSG_SPACE(sizeof(int))];
	} ctl = {0};
	char text[64];
	struct iovec iov = {text, sizeof(text)};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl)};
	int fd = -1;

	CHECK(recvmsg(s, &m, MSG_DONTWAIT) == 7 && memcmp(text, "with fd", 7) == 0, "message: %m");
	if (ctl.c.cmsg_type == SCM_RIGHTS && m.msg_controllen)
		memcpy(&fd, CMSG_DATA(&ctl.c), sizeof(fd));
	CHECK(fd >= 0, "the passed fd is lost");
	return fd;
}

static void takes(int s, const char *want)
{
	char got[64] = "";
	ssize_t n = recv(s, got, sizeof(got) - 1, MSG_DONTWAIT);

	CHECK(n == (ssize_t)strlen(want) && strcmp(got, want) == 0, "'%s' (%zd), not '%s'", got, n,
		want);
}

static void names(int s, int listener, const char *name)
{
	struct sockaddr_un want, got;
	socklen_t len = sizeof(got);
	struct ucred peer = {0};
	int type, c;

	address(&want, name, false);
	CHECK(getsockname(listener, (struct sockaddr *)&got, &len) == 0 &&
			strcmp(got.sun_path, want.sun_path) == 0,
		"name of a listener: '%s'", got.sun_path);
	len = sizeof(type);
	CHECK(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &type, &len) == 0 && type == 1,
		"not listening any more");
	len = sizeof(peer);
	/* The pid may be the first process's, which makes all sockets again. */
	CHECK(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == getuid() &&
			peer.gid == getgid() && peer.pid > 0,
		"peer is %d, %u:%u", peer.pid, peer.uid, peer.gid);
	c = try_connect(SOCK_STREAM, name, false);
	CHECK(c >= 0, "cannot connect: %m");
	close(c);
}

int main(int argc, char **argv)
{
	int st[2], dg[2], sq[2], half[2], pass[2], p[2], listener, abstract, client, server, named,
		fd;
	int on = 1, size = 300000, old = 0;
	socklen_t len = sizeof(old);

	cr_init(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, st) == 0 &&
		socketpair(AF_UNIX, SOCK_DGRAM, 0, dg) == 0);
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sq) == 0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, half) == 0 &&
		socketpair(AF_UNIX, SOCK_STREAM, 0, pass) == 0);
	MUST(pipe(p) == 0);
	MUST(send(st[0], "to 1", 4, 0) == 4 && send(st[1], "to 0", 4, 0) == 4);
	MUST(send(dg[0], "first", 5, 0) == 5 && send(dg[0], "second", 6, 0) == 6);
	MUST(send(sq[0], "packet", 6, 0) == 6 && send(sq[0], "more", 4, 0) == 4);
	MUST(send(half[0], "bye", 3, 0) == 3 && shutdown(half[0], SHUT_WR) == 0);
	send_fd(pass[0], p[0]);
	close(p[0]); /* lives only in the queue */
	MUST(write(p[1], "in the pipe", 11) == 11);
	listener = bound(SOCK_STREAM, "listener", false);
	abstract = bound(SOCK_SEQPACKET, "cr-abstract", true);
	named = bound(SOCK_DGRAM, "named", false);
	MUST(listen(listener, 5) == 0 && listen(abstract, 5) == 0);
	client = try_connect(SOCK_STREAM, "listener", false);
	server = accept(listener, NULL, NULL);
	MUST(client >= 0 && server >= 0 && send(client, "hello", 5, 0) == 5);
	MUST(setsockopt(named, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	MUST(setsockopt(named, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0);
	MUST(getsockopt(named, SOL_SOCKET, SO_RCVBUF, &size, &len) == 0);
	cr_wait();
	takes(st[1], "to 1");
	takes(st[0], "to 0");
	takes(dg[1], "first");
	takes(dg[1], "second");
	takes(sq[1], "packet");
	takes(sq[1], "more");
	takes(half[1], "bye");
	CHECK_EQ(recv(half[1], &fd, 1, MSG_DONTWAIT), 0);
	CHECK(send(half[1], "x", 1, 0) == 1, "the open half: %m");
	CHECK(send(half[0], "x", 1, 0) < 0 && errno == EPIPE, "a closed half is open");
	fd = take_fd(pass[1]);
	takes(server, "hello");
	CHECK(send(server, "back", 4, 0) == 4, "answer: %m");
	takes(client, "back");
	names(client, listener, "listener");
	CHECK(try_connect(SOCK_SEQPACKET, "cr-abstract", true) >= 0, "abstract: %m");
	CHECK(try_connect(SOCK_DGRAM, "named", false) >= 0, "datagram: %m");
	CHECK(getsockopt(named, SOL_SOCKET, SO_PASSCRED, &on, &len) == 0 && on == 1, "SO_PASSCRED");
	CHECK(getsockopt(named, SOL_SOCKET, SO_RCVBUF, &old, &len) == 0 && old == size,
		"SO_RCVBUF");
	CHECK(fcntl(sq[1], F_GETFL) & O_NONBLOCK, "O_NONBLOCK");
	if (fd >= 0) {
		char got[16] = "";

		CHECK(read(fd, got, sizeof(got)) == 11 && strcmp(got, "in the pipe") == 0,
			"by the passed fd: '%s'", got);
	}
	return cr_done();
}
