// SPDX-License-Identifier: Apache-2.0
/*
 * A server to be checkpointed: tcp-server PORT [lazy]. Lines in, lines out: "count TEXT" is
 * answered by "N TEXT", N the lines seen so far; "send N" by N bytes that depend on their place.
 * With "lazy" it accepts its first connection only.
 */
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS_MAX 64

static unsigned long lines;

static int listen_on(int port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int s = socket(AF_INET6, SOCK_STREAM, 0), on = 1, off = 0;

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
		bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 16) < 0) {
		perror("listen");
		exit(1);
	}
	return s;
}

static bool put(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len) {
		n = send(fd, p, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static bool send_bytes(int fd, unsigned long n)
{
	unsigned char block[4096];
	unsigned long at = 0, i, k;

	while (at < n) {
		k = n - at < sizeof(block) ? n - at : sizeof(block);
		for (i = 0; i < k; i++)
			block[i] = ((at + i) * 2654435761ul) >> 24;
		if (!put(fd, block, k))
			return false;
		at += k;
	}
	return true;
}

static bool serve(int fd)
{
	char line[256] = "", answer[300];
	size_t n = 0;

	while (n + 1 < sizeof(line)) {
		if (read(fd, line + n, 1) != 1)
			return false;
		if (line[n++] == '\n')
			break;
	}
	lines++;
	if (strncmp(line, "send ", 5) == 0)
		return send_bytes(fd, strtoul(line + 5, NULL, 10));
	snprintf(answer, sizeof(answer), "%lu %s", lines, line);
	return put(fd, answer, strlen(answer));
}

int main(int argc, char **argv)
{
	struct pollfd p[CONNS_MAX] = {{.events = POLLIN}};
	bool lazy = argc > 2;
	int n = 1, i;

	if (argc < 2)
		return 2;
	p[0].fd = listen_on(atoi(argv[1]));
	for (;;) {
		p[0].events = (lazy && n > 1) || n == CONNS_MAX ? 0 : POLLIN;
		if (poll(p, n, -1) < 0)
			return 1;
		for (i = n - 1; i > 0; i--) {
			if (!p[i].revents || serve(p[i].fd))
				continue;
			close(p[i].fd);
			p[i] = p[--n];
		}
		if (p[0].revents & POLLIN)
			p[n++] = (struct pollfd){
				.fd = accept(p[0].fd, NULL, NULL), .events = POLLIN};
	}
}
