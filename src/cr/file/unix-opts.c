// SPDX-License-Identifier: Apache-2.0
/* Options of unix sockets: saved where they differ from those of a new socket. */
#include "base/util.h"
#include "cr/file/unix.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#define OPTION_MAX 16 /* bytes of the longest value */

static const struct {
	const char *name;
	int number;
} options[] = {
	{"SO_BROADCAST", SO_BROADCAST},
	{"SO_KEEPALIVE", SO_KEEPALIVE},
	{"SO_LINGER", SO_LINGER},
	{"SO_PASSCRED", SO_PASSCRED},
	{"SO_PASSPIDFD", SO_PASSPIDFD},
	{"SO_PASSSEC", SO_PASSSEC},
	{"SO_PEEK_OFF", SO_PEEK_OFF},
	{"SO_PRIORITY", SO_PRIORITY},
	{"SO_RCVLOWAT", SO_RCVLOWAT},
	{"SO_RCVTIMEO", SO_RCVTIMEO},
	{"SO_SNDTIMEO", SO_SNDTIMEO},
	{"SO_TIMESTAMP", SO_TIMESTAMP},
	{"SO_TIMESTAMPNS", SO_TIMESTAMPNS},
};

static int add_option(Kist__Unix *msg, size_t *cap, const char *name, const void *data, size_t len)
{
	Kist__UnixOption *o;

	if (array_reserve(&msg->options, cap, msg->n_options + 1, sizeof(*msg->options)) < 0)
		return -ENOMEM;
	o = malloc(sizeof(*o));
	if (!o)
		return -ENOMEM;
	*o = (Kist__UnixOption)KIST__UNIX_OPTION__INIT;
	msg->options[msg->n_options++] = o; /* freed with the message, also half made */
	o->name = strdup(name);
	o->data.data = malloc(len);
	if (!o->name || !o->data.data)
		return -ENOMEM;
	memcpy(o->data.data, data, len);
	o->data.len = len;
	return 0;
}

static int get_buffers(int fd, int fresh, Kist__Unix *msg)
{
	int have, want;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &have, &len) < 0 ||
		getsockopt(fresh, SOL_SOCKET, SO_SNDBUF, &want, &len) < 0)
		return -errno;
	msg->has_send_buffer = have != want;
	msg->send_buffer = have;
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &have, &len) < 0 ||
		getsockopt(fresh, SOL_SOCKET, SO_RCVBUF, &want, &len) < 0)
		return -errno;
	msg->has_receive_buffer = have != want;
	msg->receive_buffer = have;
	return 0;
}

int unix_opts_get(int fd, Kist__Unix *msg, struct err *err)
{
	autoclose int fresh = socket(AF_UNIX, (int)msg->type | SOCK_CLOEXEC, 0);
	char have[OPTION_MAX], want[OPTION_MAX];
	socklen_t n, n2;
	size_t i, cap = 0;
	int r;

	if (fresh < 0)
		return err_set(err, -errno, "cannot make a unix socket of type %u", msg->type);
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		n = n2 = OPTION_MAX;
		if (getsockopt(fd, SOL_SOCKET, options[i].number, have, &n) < 0 ||
			getsockopt(fresh, SOL_SOCKET, options[i].number, want, &n2) < 0)
			continue; /* the kernel or the type does not have it */
		if (n == n2 && memcmp(have, want, n) == 0)
			continue;
		r = add_option(msg, &cap, options[i].name, have, n);
		if (r < 0)
			return err_oom(err);
	}
	r = get_buffers(fd, fresh, msg);
	return r < 0 ? err_set(err, r, "cannot read the buffers of a unix socket") : 0;
}

static int number_of(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++)
		if (strcmp(options[i].name, name) == 0)
			return options[i].number;
	return -1;
}

int unix_opts_check(const Kist__Unix *msg, struct err *err)
{
	size_t i;

	for (i = 0; i < msg->n_options; i++)
		if (number_of(msg->options[i]->name) < 0 || msg->options[i]->data.len > OPTION_MAX)
			return err_setx(err, -EINVAL, "image: unix socket option '%.40s'",
				msg->options[i]->name);
	if (msg->send_buffer > INT32_MAX || msg->receive_buffer > INT32_MAX)
		return err_setx(err, -EINVAL, "image: unix socket buffer size");
	return 0;
}

/* The kernel doubles what it is given. Without privilege the sysctl bounds it. */
static int set_buffer(int fd, int force, int plain, uint32_t size)
{
	int half = (int)(size / 2);

	if (setsockopt(fd, SOL_SOCKET, force, &half, sizeof(half)) == 0)
		return 0;
	return setsockopt(fd, SOL_SOCKET, plain, &half, sizeof(half)) < 0 ? -errno : 0;
}

int unix_opts_set(int fd, const Kist__Unix *msg, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < msg->n_options; i++) {
		const Kist__UnixOption *o = msg->options[i];

		if (setsockopt(fd, SOL_SOCKET, number_of(o->name), o->data.data, o->data.len) < 0)
			return err_set(err, -errno, "cannot set %s of a unix socket", o->name);
	}
	if (msg->has_send_buffer)
		r = set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, msg->send_buffer);
	if (r == 0 && msg->has_receive_buffer)
		r = set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, msg->receive_buffer);
	return r < 0 ? err_set(err, r, "cannot set the buffers of a unix socket") : 0;
}

int unix_buffer_grow(int fd, size_t bytes)
{
	int size;
	socklen_t len = sizeof(size);

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len) < 0)
		return -errno;
	/* each message also costs its bookkeeping */
	if ((size_t)size / 2 > bytes)
		return 0;
	return set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, MIN(bytes * 4 + (1 << 16), INT32_MAX));
}
