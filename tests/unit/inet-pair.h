/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs of connected sockets, and the way of one of them into bytes and back, for test-inet*.c. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "cr/file/inet-internal.h"
#include "net/bridge.h"
#include "net/nft.h"

#define LOCK                                       \
	"add table inet lock\n"                    \
	"delete table inet lock\n"                 \
	"table inet lock {\n"                      \
	"\tchain i {\n"                            \
	"\t\ttype filter hook input priority 0;\n" \
	"\t\tmeta mark 0x6b697374 accept\n"        \
	"\t\tmeta l4proto tcp drop\n"              \
	"\t}\n"                                    \
	"}\n"
#define UNLOCK "add table inet lock\ndelete table inet lock\n"

static struct err err;

#define OK(call)                                                            \
	do {                                                                \
		err = (struct err){0};                                      \
		if ((call) < 0)                                             \
			fail_msg("%s: %s [%s]", #call, err.text, err.hint); \
	} while (0)

static inline void lock_net(int on)
{
	OK(nft_run(-EBADF, on ? LOCK : UNLOCK, NFT_TEXT, NULL, &err));
}

struct pair {
	int ours, peer;
	int family;
	uint32_t written, checked; /* bytes of the pattern, ours -> peer */
};

/* The byte at a position of the stream: a shift or a hole anywhere is seen. */
static inline uint8_t pattern(uint32_t at)
{
	return (at * 2654435761u) >> 24;
}

static inline void write_pattern(int fd, uint32_t *at, size_t len)
{
	uint8_t buf[4096];
	size_t i, n;

	while (len) {
		n = len < sizeof(buf) ? len : sizeof(buf);
		for (i = 0; i < n; i++)
			buf[i] = pattern(*at + i);
		assert_int_equal(send(fd, buf, n, MSG_NOSIGNAL), n);
		*at += n;
		len -= n;
	}
}

static inline void check_pattern(int fd, uint32_t *at, size_t len)
{
	uint8_t buf[4096];
	ssize_t i, n;

	while (len) {
		n = recv(fd, buf, len < sizeof(buf) ? len : sizeof(buf), 0);
		if (n <= 0)
			fail_msg("%zu bytes are missing: %s", len, n ? strerror(errno) : "end");
		for (i = 0; i < n; i++)
			assert_int_equal(buf[i], pattern(*at + i));
		*at += n;
		len -= n;
	}
}

static inline void set_timeouts(int fd)
{
	struct timeval tv = {.tv_sec = 10};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
}

/* "4": IPv4, "6": IPv6, "m": IPv4 through IPv6 sockets on our side. */
static inline struct pair connect_pair(char kind)
{
	union inet_addr a = {0};
	socklen_t len = sizeof(a);
	struct pair p = {.family = kind == '4' ? AF_INET : AF_INET6};
	int l = socket(p.family, SOCK_STREAM, 0), one = 1;

	lock_net(0);
	a.sa.sa_family = p.family;
	if (kind == '4')
		a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		assert_int_equal(inet_pton(AF_INET6, kind == '6' ? "::1" : "::ffff:127.0.0.1",
					 &a.v6.sin6_addr),
			1);
	assert_int_equal(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(l, &a.sa, inet_addr_len(&a)), 0);
	assert_int_equal(listen(l, 4), 0);
	assert_int_equal(getsockname(l, &a.sa, &len), 0);
	p.peer = socket(p.family, SOCK_STREAM, 0);
	assert_int_equal(connect(p.peer, &a.sa, inet_addr_len(&a)), 0);
	p.ours = accept(l, NULL, NULL);
	assert_true(p.ours >= 0);
	close(l);
	set_timeouts(p.peer);
	set_timeouts(p.ours);
	return p;
}

static inline uint8_t *pack(Kist__Inet *msg, size_t *len)
{
	uint8_t *bytes = malloc(kist__inet__get_packed_size(msg));

	assert_non_null(bytes);
	*len = kist__inet__pack(msg, bytes);
	kist__inet__free_unpacked(msg, NULL);
	return bytes;
}

/* Reads the socket whole and closes it. The result is the packed record. */
static inline uint8_t *dump(int fd, int family, int type, int protocol, size_t *len)
{
	Kist__Inet *msg = malloc(sizeof(*msg));
	union inet_addr a = {0};
	socklen_t alen = sizeof(a);
	int fresh = socket(family, type, protocol);
	struct inet_defaults *defaults;

	kist__inet__init(msg);
	msg->desc = malloc(sizeof(*msg->desc));
	kist__file_desc__init(msg->desc);
	msg->family = family;
	msg->type = type;
	msg->protocol = protocol;
	msg->state = KIST__INET_STATE__INET_CLOSED;
	if (protocol == IPPROTO_TCP)
		OK(inet_tcp_probe(fd, msg, &err));
	assert_int_equal(getsockname(fd, &a.sa, &alen), 0);
	OK(inet_addr_get(fd, &a, &msg->local, &err));
	alen = sizeof(a);
	if (getpeername(fd, &a.sa, &alen) == 0)
		OK(inet_addr_get(fd, &a, &msg->remote, &err));
	OK(inet_defaults_get(fresh, msg, &defaults, &err));
	OK(inet_opts_get(fd, defaults, msg, &err));
	free(defaults);
	OK(inet_buffers_get(fd, msg, &err));
	if (inet_tcp_connected(msg)) {
		OK(inet_tcp_dump(fd, msg, &err));
		inet_tcp_silence(fd);
	} else if (msg->ended) {
		OK(inet_tcp_dump_ended(fd, msg, &err));
	}
	if (protocol == IPPROTO_UDP)
		OK(inet_udp_queue_get(fd, msg, &err));
	close(fresh);
	close(fd);
	return pack(msg, len);
}

/* In a child, to have nothing of the dumping process; the socket comes back through @sock. */
static inline int restore_here(const uint8_t *bytes, size_t len, int wake)
{
	Kist__Inet *msg = kist__inet__unpack(NULL, len, bytes);
	int fd;

	assert_non_null(msg);
	OK(inet_opts_check(msg, &err));
	fd = socket(msg->family, msg->type, msg->protocol);
	assert_true(fd >= 0);
	OK(inet_opts_set(fd, msg, INET_EARLY, &err));
	if (inet_tcp_connected(msg)) {
		OK(inet_tcp_check(msg, &err));
		OK(inet_tcp_restore(fd, msg, &err));
		OK(inet_opts_set(fd, msg, INET_LATE, &err));
		if (wake) {
			lock_net(0);
			OK(inet_tcp_wake(fd, msg, &err));
			OK(inet_opts_set(fd, msg, INET_AGAIN, &err));
		}
	} else if (msg->ended) {
		OK(inet_tcp_restore_ended(fd, msg, &err));
	} else {
		union inet_addr a;

		OK(inet_addr_set(fd, msg->family, msg->local, &a, &err));
		assert_int_equal(bind(fd, &a.sa, inet_addr_len(&a)), 0);
		OK(inet_udp_queue_set(fd, msg, &err));
	}
	OK(inet_buffers_set(fd, msg, &err));
	kist__inet__free_unpacked(msg, NULL);
	return fd;
}

static inline int restore(const uint8_t *bytes, size_t len)
{
	int sp[2], fd = -1, status;
	size_t n = 1;
	char c;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sp), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		fd = restore_here(bytes, len, 1);
		_exit(fd_send(sp[0], &fd, 1, "x", 1) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(fd_recv(sp[1], &fd, &n, &c, 1), 1);
	assert_int_equal(n, 1);
	close(sp[0]);
	close(sp[1]);
	return fd;
}

static inline void cycle(struct pair *p)
{
	uint8_t *bytes;
	size_t len;

	lock_net(1);
	bytes = dump(p->ours, p->family, SOCK_STREAM, IPPROTO_TCP, &len);
	p->ours = restore(bytes, len);
	free(bytes);
}

static inline uint8_t tcp_state(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	assert_int_equal(getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_state;
}

static inline void await_tcp_state(int fd, uint8_t state)
{
	int i;

	for (i = 0; i < 5000 && tcp_state(fd) != state; i++)
		usleep(1000);
	assert_int_equal(tcp_state(fd), state);
}

static inline void close_pair(struct pair *p)
{
	close(p->ours);
	close(p->peer);
}

static inline int setup(void **state)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	OK(net_loopback_up(&err));
	return 0;
}
