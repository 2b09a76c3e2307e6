// SPDX-License-Identifier: Apache-2.0
/* epoll: targets with their data, edge and one-shot modes, one inside another, a dup, a closed
 * number. */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "cr.h"

static void add(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = {.events = events, .data.u64 = data};

	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0);
}

/* Waits at most 100 ms for one event; its data, 0: none. */
static uint64_t next(int ep, uint32_t *events)
{
	struct epoll_event ev = {0};

	if (epoll_wait(ep, &ev, 1, 100) != 1)
		return 0;
	if (events)
		*events = ev.events;
	return ev.data.u64;
}

int main(int argc, char **argv)
{
	int ep, outer, level, edge, once, pipe_fds[2], sv[2], numbered, i;
	uint32_t events = 0;
	struct epoll_event ev;

	cr_init(argc, argv);
	ep = epoll_create1(EPOLL_CLOEXEC);
	outer = epoll_create1(0);
	level = eventfd(0, EFD_NONBLOCK);
	edge = eventfd(0, EFD_NONBLOCK);
	once = eventfd(0, EFD_NONBLOCK);
	MUST(ep >= 0 && outer >= 0 && level >= 0 && edge >= 0 && once >= 0 && pipe(pipe_fds) == 0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0);
	add(ep, level, EPOLLIN, 0x1111222233334444);
	add(ep, edge, EPOLLIN | EPOLLET, 2);
	add(ep, once, EPOLLIN | EPOLLONESHOT, 3);
	add(ep, pipe_fds[0], EPOLLIN | EPOLLRDHUP, 4);
	add(ep, sv[0], EPOLLIN, 5);
	/* added under a number that is closed since; the description lives on in a dup */
	numbered = eventfd(0, EFD_NONBLOCK);
	add(ep, numbered, EPOLLIN, 6);
	i = dup2(numbered, 600);
	MUST(i == 600 && close(numbered) == 0);
	add(outer, ep, EPOLLIN, 7);
	MUST(eventfd_write(once, 1) == 0 && next(ep, NULL) == 3); /* used up */
	cr_wait();
	CHECK_EQ(next(outer, NULL), 0);
	CHECK_EQ(next(ep, NULL), 0);
	eventfd_write(level, 1);
	CHECK(next(outer, NULL) == 7, "the outer one does not see it");
	CHECK(next(ep, &events) == 0x1111222233334444 && events == EPOLLIN, "level");
	CHECK(next(ep, NULL) == 0x1111222233334444, "level, still");
	MUST(read(level, &(uint64_t){0}, 8) == 8);
	eventfd_write(edge, 1);
	CHECK_EQ(next(ep, NULL), 2);
	CHECK_EQ(next(ep, NULL), 0); /* the same edge */
	MUST(write(pipe_fds[1], "x", 1) == 1);
	CHECK_EQ(next(ep, NULL), 4);
	MUST(read(pipe_fds[0], &i, 1) == 1);
	close(sv[1]);
	CHECK(next(ep, &events) == 5 && (events & EPOLLHUP), "hang-up");
	CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, sv[0], NULL) == 0, "delete: %m");
	eventfd_write(600, 1);
	CHECK_EQ(next(ep, NULL), 6);
	MUST(read(600, &(uint64_t){0}, 8) == 8);
	ev = (struct epoll_event){.events = EPOLLIN, .data.u64 = 33};
	CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, once, &ev) == 0, "modify: %m");
	CHECK_EQ(next(ep, NULL), 33);
	return cr_done();
}
