// SPDX-License-Identifier: Apache-2.0
/*
 * A seccomp filter whose calls somebody else decides. From the moment it is loaded any call of its
 * thread may wait for the agent, the one that sends the agent its fd included. So another thread
 * sends it, which is not held by the filter; until it has, the loading thread makes no call at all:
 * the two speak by a word in memory. execve(2) or the end of the helper leaves one thread.
 */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/util.h"
#include "security/security.h"

#define STACK_SIZE (64 * 1024)
#define WAITING	   (-1000000) /* no fd and no -errno */

struct helper {
	int sock;
	const char *state;
	atomic_int fd;	   /* from the loader: the notify fd, or -errno */
	atomic_int result; /* to it */
};

int listener_connect(const char *path, struct err *err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	autoclose int at = open(path, O_PATH | O_CLOEXEC);

	if (at < 0)
		return err_set(err, -errno, "cannot open the seccomp listener '%s'", path);
	/* by an fd, for a path may be longer than an address can be */
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d", at);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return err_set(err, -errno, "cannot connect to the seccomp listener '%s'", path);
	return TAKE_FD(fd);
}

static int send_fd(int sock, const char *state, int fd)
{
	union {
		struct cmsghdr h;
		char buf[CMSG_SPACE(sizeof(int))];
	} u = {0};
	size_t done = 0, len = strlen(state);

	while (done < len) {
		struct iovec iov = {(char *)state + done, len - done};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n;

		if (done == 0) {
			m.msg_control = u.buf;
			m.msg_controllen = sizeof(u.buf);
			u.h.cmsg_level = SOL_SOCKET;
			u.h.cmsg_type = SCM_RIGHTS;
			u.h.cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(&u.h), &fd, sizeof(fd));
		}
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	/* all of it: the agent reads up to the end, and others have this socket too */
	return shutdown(sock, SHUT_WR) < 0 ? -errno : 0;
}

static int help(void *arg)
{
	struct helper *h = arg;
	const struct timespec pause = {.tv_nsec = 100000};
	int fd, r;

	while ((fd = atomic_load(&h->fd)) == WAITING)
		(void)nanosleep(&pause, NULL); /* the loader cannot wake us: that were a call */
	r = fd < 0 ? 0 : send_fd(h->sock, h->state, fd);
	if (fd >= 0)
		(void)close(fd); /* the agent's now; without one, waiting calls fail with ENOSYS */
	atomic_store(&h->result, r);
	return 0;
}

int listener_load(const struct seccomp_prog *p, int sock, const char *state, struct err *err)
{
	struct seccomp_prog prog = *p;
	struct helper h = {.sock = sock, .state = state};
	void *stack;
	int fd = -EBADF, r;

	if (!(p->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return seccomp_prog_load(p, &fd, err);
	atomic_store(&h.fd, WAITING);
	atomic_store(&h.result, WAITING);
	/* a single thread is what exec leaves anyway, and the helper must stay out */
	prog.flags &= ~(unsigned int)SECCOMP_FILTER_FLAG_TSYNC;
	stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED)
		return err_oom(err);
	if (clone(help, (char *)stack + STACK_SIZE,
		    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			    CLONE_SYSVSEM,
		    &h) < 0)
		return err_set(err, -errno, "cannot make a thread for the seccomp listener");
	r = seccomp_prog_load(&prog, &fd, err);
	atomic_store(&h.fd, r < 0 ? r : fd);
	while (atomic_load(&h.result) == WAITING)
		; /* some 100 us; see above */
	if (r < 0)
		return r;
	r = atomic_load(&h.result);
	return r < 0 ? err_set(err, r, "cannot send the seccomp listener to its agent") : 0;
}
