// SPDX-License-Identifier: Apache-2.0
/* Socket buffers: sizes past the sysctl limits, and whether the kernel may adapt them; socket(7).
 */
#include <limits.h>

#include "base/util.h"
#include "cr/file/inet-internal.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

static int get_u32(int fd, int opt, uint32_t *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(fd, SOL_SOCKET, opt, ret, &len) < 0 ? -errno : 0;
}

int inet_buffers_get(int fd, Kist__Inet *msg, struct err *err)
{
	int r;

	if ((r = get_u32(fd, SO_SNDBUF, &msg->send_buffer)) < 0 ||
		(r = get_u32(fd, SO_RCVBUF, &msg->receive_buffer)) < 0)
		return err_set(err, r, "cannot read the sizes of a socket's buffers");
	msg->has_send_buffer = msg->has_receive_buffer = true;
	/* Since Linux 5.14; without it the sizes are restored and stay. */
	msg->has_buffer_lock = get_u32(fd, SO_BUF_LOCK, &msg->buffer_lock) == 0;
	return 0;
}

/* @want as getsockopt(2) gives it: the kernel doubles what it is given. */
static int set_size(int fd, int force, int plain, uint64_t want, struct err *err)
{
	int half = MIN(want, (uint64_t)INT_MAX) / 2;

	if (setsockopt(fd, SOL_SOCKET, force, &half, sizeof(half)) == 0)
		return 0;
	/* FORCE wants CAP_NET_ADMIN of the host: in a user namespace the limits count. */
	if (errno == EPERM && setsockopt(fd, SOL_SOCKET, plain, &half, sizeof(half)) == 0)
		return 0;
	return err_set(err, -errno, "cannot set the size of a socket's buffer");
}

int inet_buffers_grow(int fd, size_t send, size_t receive, struct err *err)
{
	/* Queued bytes are charged with their overhead. */
	int r = set_size(fd, SO_SNDBUFFORCE, SO_SNDBUF, 8 * (uint64_t)send + 65536, err);

	if (r < 0)
		return r;
	return set_size(fd, SO_RCVBUFFORCE, SO_RCVBUF, 8 * (uint64_t)receive + 65536, err);
}

int inet_buffers_set(int fd, const Kist__Inet *msg, struct err *err)
{
	int lock = msg->buffer_lock, r;

	if (!msg->has_send_buffer || !msg->has_receive_buffer)
		return 0;
	r = set_size(fd, SO_SNDBUFFORCE, SO_SNDBUF, msg->send_buffer, err);
	if (r < 0)
		return r;
	r = set_size(fd, SO_RCVBUFFORCE, SO_RCVBUF, msg->receive_buffer, err);
	if (r < 0)
		return r;
	if (msg->has_buffer_lock &&
		setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &lock, sizeof(lock)) < 0 &&
		errno != ENOPROTOOPT)
		return err_set(err, -errno, "cannot set SO_BUF_LOCK");
	return 0;
}
