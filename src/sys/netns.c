// SPDX-License-Identifier: Apache-2.0
/* See netns.h. */
#include "sys/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/util.h"

int netns_enter(struct netns_visit *v, int fd, struct err *err)
{
	autoclose int home = -EBADF;

	v->home = -EBADF;
	if (fd < 0)
		return 0;
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0)
		return err_set(err, -errno, "cannot open '/proc/thread-self/ns/net'");
	if (setns(fd, CLONE_NEWNET) < 0)
		return err_set(err, -errno, "cannot enter the network namespace");
	v->home = TAKE_FD(home);
	return 0;
}

void netns_leave(struct netns_visit *v)
{
	autoclose int home = TAKE_FD(v->home);

	if (home < 0 || setns(home, CLONE_NEWNET) == 0)
		return;
	log_write(LOG_LEVEL_ERROR, "cannot go back to kist's own network namespace: %s",
		strerror(errno));
	abort();
}

int netns_new(struct err *err)
{
	static const char path[] = "/proc/thread-self/ns/net";
	struct netns_visit v = {.home = open(path, O_RDONLY | O_CLOEXEC)};
	int fd;

	if (v.home < 0)
		return err_set(err, -errno, "cannot open '%s'", path);
	if (unshare(CLONE_NEWNET) < 0) {
		fd = err_set(err, -errno, "cannot make a network namespace");
		(void)close(v.home); /* only a handle */
		return fd;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fd = err_set(err, -errno, "cannot open '%s'", path);
	netns_leave(&v);
	return fd;
}

int netns_socket(int fd, int domain, int type, int protocol, struct err *err)
{
	struct netns_visit v;
	int sock, r;

	r = netns_enter(&v, fd, err);
	if (r < 0)
		return r;
	sock = socket(domain, type | SOCK_CLOEXEC, protocol);
	if (sock < 0)
		sock = err_set(err, -errno, "cannot make a socket (family %d, type %d)", domain,
			type & 0xf);
	netns_leave(&v);
	return sock;
}
