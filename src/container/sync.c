// SPDX-License-Identifier: Apache-2.0
/* See container-internal.h: one message is one packet, so nothing can be read half. */
#include <fcntl.h>

#include "base/io.h"
#include "base/util.h"
#include "container/container-internal.h"

int start_send(int sock, int type, pid_t pid, int fd)
{
	struct start_msg msg = {.type = type, .pid = pid};

	return fd_send(sock, &fd, fd >= 0, &msg, offsetof(struct start_msg, pid) + sizeof(msg.pid));
}

void start_send_err(int sock, const struct err *err)
{
	struct start_msg msg = {.type = START_ERR, .err = *err};

	(void)fd_send(sock, NULL, 0, &msg, sizeof(msg)); /* nobody else to tell */
}

int start_recv(int sock, struct start_msg *ret, int *ret_fd, struct err *err)
{
	int fds[1] = {-EBADF};
	autoclose int fd = -EBADF;
	size_t n_fds = 1;
	ssize_t n;

	*ret = (struct start_msg){0};
	n = fd_recv(sock, fds, &n_fds, ret, sizeof(*ret));
	if (n_fds)
		fd = fds[0];
	if (n < 0)
		return err_set(err, (int)n, "cannot hear from the starting process");
	if (n == 0)
		return -EPIPE;
	if (n < (ssize_t)sizeof(ret->type))
		return err_setx(err, -EPROTO, "the starting process sent a broken message");
	if (ret->type == START_ERR) {
		ret->err.text[ERR_TEXT_MAX - 1] = ret->err.hint[ERR_HINT_MAX - 1] = '\0';
		if (err)
			*err = ret->err;
		return ret->err.code < 0 ? ret->err.code : -EPROTO;
	}
	if (ret_fd)
		*ret_fd = TAKE_FD(fd);
	return ret->type;
}

int start_gate_make(struct start_gate *ret, struct err *err)
{
	return pipe2(ret->fds, O_CLOEXEC) < 0 ? err_set(err, -errno, "cannot make a pipe") : 0;
}

void start_gate_pass(struct start_gate *g, bool stage)
{
	char byte;

	(void)close(g->fds[1]); /* the new process waits for the end of the pipe */
	if (!stage)
		(void)io_read(g->fds[0], &byte, 1); /* nothing is ever written */
	(void)close(g->fds[0]);
}
