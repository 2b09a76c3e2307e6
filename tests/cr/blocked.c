// SPDX-License-Identifier: Apache-2.0
/* Calls without a time limit that block: they are not ended by the checkpoint, and then deliver. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "cr.h"

static int pipe_fds[2], sock[2], ev_poll, ev_epoll, full[2];
static pid_t child;
static pthread_barrier_t ready;

static ssize_t do_read(void)
{
	char c;

	return read(pipe_fds[0], &c, 1);
}

static ssize_t do_recv(void)
{
	char c;

	return recv(sock[0], &c, 1, 0);
}

static ssize_t do_write(void) /* a full pipe */
{
	char c[4096] = "";

	return write(full[1], c, sizeof(c)) == sizeof(c);
}

static ssize_t do_poll(void)
{
	struct pollfd p = {.fd = ev_poll, .events = POLLIN};

	return poll(&p, 1, -1);
}

static ssize_t do_epoll(void)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int ep = epoll_create1(EPOLL_CLOEXEC), r;

	epoll_ctl(ep, EPOLL_CTL_ADD, ev_epoll, &ev);
	r = epoll_wait(ep, &ev, 1, -1);
	close(ep);
	return r;
}

static ssize_t do_wait(void)
{
	int status = 0;

	return waitpid(child, &status, 0) == child && status == 9 << 8;
}

static ssize_t do_flock(void)
{
	FILE *f = fopen(cr_path("lock"), "w");
	int r = flock(fileno(f), LOCK_EX) == 0;

	fclose(f);
	return r;
}

static struct call {
	const char *name;
	ssize_t (*run)(void);
	pthread_t thread;
	ssize_t result;
	int error;
} calls[] = {{"read", do_read}, {"recv", do_recv}, {"write", do_write}, {"poll", do_poll},
	{"epoll_wait", do_epoll}, {"waitpid", do_wait}, {"flock", do_flock}};

static void *thread(void *arg)
{
	struct call *c = arg;

	pthread_barrier_wait(&ready);
	errno = 0;
	c->result = c->run();
	c->error = errno;
	return NULL;
}

int main(int argc, char **argv)
{
	size_t i, n = sizeof(calls) / sizeof(calls[0]);
	char block[4096] = "";
	FILE *lock;

	cr_init(argc, argv);
	MUST(pipe(pipe_fds) == 0 && pipe(full) == 0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sock) == 0);
	ev_poll = eventfd(0, 0);
	ev_epoll = eventfd(0, 0);
	lock = fopen(cr_path("lock"), "w");
	MUST(lock && flock(fileno(lock), LOCK_EX) == 0);
	for (i = 0; i < 16; i++)
		MUST(write(full[1], block, sizeof(block)) == sizeof(block));
	child = cr_fork();
	if (child == 0) {
		cr_child_ready();
		cr_wait_go();
		_exit(9);
	}
	pthread_barrier_init(&ready, NULL, n + 1);
	for (i = 0; i < n; i++)
		MUST(pthread_create(&calls[i].thread, NULL, thread, &calls[i]) == 0);
	pthread_barrier_wait(&ready);
	usleep(200000);
	cr_wait();
	MUST(write(pipe_fds[1], "x", 1) == 1 && write(sock[1], "x", 1) == 1);
	MUST(eventfd_write(ev_poll, 1) == 0 && eventfd_write(ev_epoll, 1) == 0);
	for (i = 0; i < 16; i++)
		MUST(read(full[0], block, sizeof(block)) == sizeof(block));
	flock(fileno(lock), LOCK_UN);
	for (i = 0; i < n; i++) {
		pthread_join(calls[i].thread, NULL);
		CHECK(calls[i].result == 1, "%s: %zd, %s", calls[i].name, calls[i].result,
			strerror(calls[i].error));
	}
	return cr_done();
}
