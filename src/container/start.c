// SPDX-License-Identifier: Apache-2.0
/*
 * The start of a created container: by the process that has made it, over the socket that it has
 * with the first process anyway; or by any later one (params->later), over a socket in the
 * container's directory on which the first process listens.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/util.h"
#include "container/dirs.h"
#include "container/making.h"

#define START_SOCKET "start"

/* The directory by its fd: its path may be longer than an address can be. */
static socklen_t address(int dir_fd, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/" START_SOCKET, dir_fd);
	return sizeof(*ret);
}

int container_listen(struct container *c, struct err *err)
{
	struct sockaddr_un a;
	socklen_t len = address(c->dir_fd, &a);
	int fd;

	if (!c->params->later)
		return 0;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	c->making->listen = fd < 0 ? -EBADF : fd;
	(void)unlinkat(c->dir_fd, START_SOCKET, 0); /* of the life before, if at all */
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 1) < 0)
		return err_set(err, -errno, "cannot prepare the start of container '%s'", c->name);
	return 0;
}

int container_wait_start(struct container_making *m, struct err *err)
{
	struct start_msg msg;
	int fd, r;

	/* As long as we wait, nobody inside may look at what we hold, or at our program. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot become undumpable");
	(void)close(TAKE_FD(m->sync[1])); /* who made us is done */
	for (;;) {
		fd = accept4(m->listen, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
			return err_set(err, -errno, "cannot wait for the start");
		if (fd < 0)
			continue;
		r = start_recv(fd, &msg, NULL, NULL);
		if (r == START_GO)
			break;
		(void)close(fd); /* killed before it said so */
	}
	m->sync[1] = fd;
	(void)close(TAKE_FD(m->listen)); /* there is one start */
	return 0;
}

static int wait_exec(struct container *c, int sock, struct err *err)
{
	return process_wait_exec(c->params->spec->process.args[0], sock, err);
}

static int open_sock(struct container *c, int *ret, struct err *err)
{
	struct sockaddr_un a;
	socklen_t len = address(c->dir_fd, &a);
	autoclose int fd = -EBADF;

	if (c->making) {
		*ret = TAKE_FD(c->making->sync[0]);
		return 0;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, len) < 0)
		return err_set(
			err, -errno, "cannot reach the first process of container '%s'", c->name);
	*ret = TAKE_FD(fd);
	return 0;
}

static int go(struct container *c, struct err *err)
{
	autoclose int sock = -EBADF;
	int r;

	c->status = CONTAINER_RUNNING;
	c->started = time(NULL);
	r = container_save(c, err);
	if (r == 0)
		r = fault("start", "go", err);
	if (r == 0)
		r = open_sock(c, &sock, err);
	if (r < 0)
		return r;
	r = start_send(sock, START_GO, 0, -EBADF);
	if (r < 0)
		return err_set(err, r, "cannot reach the container's first process");
	r = wait_exec(c, sock, err);
	if (r == 0 && c->params->later)
		(void)unlinkat(c->dir_fd, START_SOCKET, 0); /* nobody listens any more */
	return r;
}

int container_start(struct container *c, struct err *err)
{
	const struct container_making *m = c->making;
	int r;

	if ((m ? m->payload != NULL : !c->params || !c->params->later) ||
		c->status != CONTAINER_CREATED)
		return err_setx(err, -EINVAL,
			"container '%s' does not wait for its start: it is %s", c->name,
			container_status_name(c->status));
	if (!c->params->spec->has_process)
		r = err_setx(err, -EINVAL,
			"container '%s' cannot be started: its config.json has no 'process'",
			c->name);
	else
		r = go(c, err);
	if (r == 0 && container_hooks(c, SPEC_HOOK_POSTSTART, "running", err) < 0)
		r = -ECANCELED; /* such a container is to be deleted */
	if (r < 0) {
		if (m)
			container_undo(c);
		else if (c->params->spec->has_process &&
			 c->pidfd >= 0) /* it is not to run half-started; its state stays */
			(void)container_kill(c, SIGKILL, NULL);
		return r;
	}
	container_unlock(c);
	return 0;
}
