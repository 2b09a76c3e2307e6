// SPDX-License-Identifier: Apache-2.0
/*
 * The receive queue of a unix socket. Dump walks it by MSG_PEEK with SO_PEEK_OFF, which takes
 * nothing; passed fds come along as duplicates. Restore sends the messages again.
 */
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/util.h"
#include "cr/file/unix.h"

#define MESSAGE_MAX (64u << 20) /* the largest that a message may be */
#define FDS_MAX	    253		/* SCM_MAX_FD */

/* ---- dump ---- */

struct peek {
	int fd;
	bool stream;
	uint8_t *data;
	size_t size;
	ssize_t len;
	int fds[FDS_MAX];
	size_t n_fds;
	struct ucred creds;
	bool has_creds;
	struct unix_addr from;
};

static void close_fds(struct peek *p)
{
	while (p->n_fds > 0)
		(void)close(p->fds[--p->n_fds]); /* duplicates */
}

static void take_control(struct peek *p, struct msghdr *msg)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS) {
			p->n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(p->fds, CMSG_DATA(c), p->n_fds * sizeof(int));
		} else if (c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&p->creds, CMSG_DATA(c), sizeof(p->creds));
			p->has_creds = true;
		}
	}
}

/* What lies at the peek offset: 1, or 0 at the end, or -errno. */
static int peek_at(struct peek *p, int offset, size_t size)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(FDS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred)) +
			   512];
	} ctl;
	struct iovec iov = {.iov_base = p->data, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl),
		.msg_name = &p->from.un,
		.msg_namelen = sizeof(p->from.un)};

	p->has_creds = false;
	p->n_fds = 0;
	if (setsockopt(p->fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) < 0)
		return -errno;
	p->len = recvmsg(p->fd, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (p->len < 0)
		return errno == EAGAIN ? 0 : -errno;
	take_control(p, &msg);
	p->from.len = msg.msg_namelen;
	if (msg.msg_flags & (MSG_CTRUNC | (p->stream ? 0 : MSG_TRUNC))) {
		close_fds(p);
		return -EMSGSIZE;
	}
	return p->len > 0 || p->n_fds || !p->stream;
}

/*
 * A stream read ends behind the buffer that carries fds; where in it that buffer begins, reads of
 * one byte tell. Leaves in @p what lies before it, without fds, when that is anything.
 */
static int split_stream(struct peek *p, int offset)
{
	size_t low = 0, high = p->len - 1, mid;
	int r;

	close_fds(p);
	while (low < high) {
		mid = (low + high) / 2;
		r = peek_at(p, offset + (int)mid, 1);
		if (r < 0)
			return r;
		if (p->n_fds)
			high = mid;
		else
			low = mid + 1;
		close_fds(p);
	}
	return peek_at(p, offset, low ? low : p->size);
}

static int save_creds(struct file_dump *d, const struct peek *p, Kist__UnixMessage *m)
{
	Kist__UnixCreds *c;

	if (!p->has_creds)
		return 0;
	c = malloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	*c = (Kist__UnixCreds)KIST__UNIX_CREDS__INIT;
	c->pid = p->creds.pid > 0 ? file_dump_vpid(d, p->creds.pid) : 0;
	c->uid = p->creds.uid;
	c->gid = p->creds.gid;
	m->creds = c;
	return 0;
}

static int save_fds(struct file_dump *d, const struct fd_view *v, struct peek *p,
	Kist__UnixMessage *m, struct err *err)
{
	size_t i, n = p->n_fds;
	int r = 0;

	m->files = calloc(n + 1, sizeof(*m->files));
	if (!m->files) {
		close_fds(p);
		return err_oom(err);
	}
	p->n_fds = 0; /* each is handed over */
	for (i = 0; i < n; i++) {
		if (r < 0) {
			(void)close(p->fds[i]); /* a duplicate */
			continue;
		}
		r = file_dump_fd(d, v->task, p->fds[i], &m->files[i], err);
	}
	m->n_files = n;
	return r;
}

static int save_message(struct file_dump *d, const struct fd_view *v, struct peek *p,
	Kist__Unix *msg, size_t *cap, struct err *err)
{
	Kist__UnixMessage *m = malloc(sizeof(*m));

	if (!m || array_reserve(&msg->messages, cap, msg->n_messages + 1, sizeof(*msg->messages)) <
			  0) {
		free(m);
		close_fds(p);
		return err_oom(err);
	}
	*m = (Kist__UnixMessage)KIST__UNIX_MESSAGE__INIT;
	msg->messages[msg->n_messages++] = m; /* freed with the message, also half made */
	m->data.data = malloc(p->len + 1);
	if (!m->data.data || save_creds(d, p, m) < 0) {
		close_fds(p);
		return err_oom(err);
	}
	memcpy(m->data.data, p->data, p->len);
	m->data.len = p->len;
	if (!p->stream && p->from.len > offsetof(struct sockaddr_un, sun_path)) {
		m->has_from = true;
		m->from.len = p->from.len - offsetof(struct sockaddr_un, sun_path);
		m->from.data = malloc(m->from.len);
		if (!m->from.data) {
			close_fds(p);
			return err_oom(err);
		}
		memcpy(m->from.data, p->from.un.sun_path, m->from.len);
	}
	return p->n_fds ? save_fds(d, v, p, m, err) : 0;
}

static int walk(struct file_dump *d, const struct fd_view *v, struct peek *p, Kist__Unix *msg,
	struct err *err)
{
	size_t cap = 0;
	int offset = 0, r;

	for (;;) {
		r = peek_at(p, offset, p->size);
		if (r > 0 && p->stream && p->n_fds && p->len > 1)
			r = split_stream(p, offset);
		if (r < 0)
			return file_refuse(v, err, r, "its queue cannot be read: %s", strerror(-r));
		if (r == 0)
			return 0;
		if (p->len == 0) {
			close_fds(p);
			return file_refuse(v, err, -ENOTSUP, "an empty message waits in its queue");
		}
		r = save_message(d, v, p, msg, &cap, err);
		if (r < 0)
			return r;
		offset += (int)p->len;
	}
}

/* How much room a peek needs: the bytes that wait (of datagrams: of the first, then all). */
static size_t room(int fd)
{
	int bytes = 0, size = 0;
	socklen_t len = sizeof(size);

	(void)ioctl(fd, SIOCINQ, &bytes); /* 0: nothing waits */
	(void)getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &len);
	return MAX((size_t)bytes, MAX((size_t)size, 1u << 18)) + 1;
}

int unix_queue_get(struct file_dump *d, const struct fd_view *v, Kist__Unix *msg, struct err *err)
{
	autofree struct peek *p = calloc(1, sizeof(*p));
	autofree uint8_t *data = NULL;
	socklen_t len = sizeof(int);
	int old, r;

	if (!p)
		return err_oom(err);
	p->fd = v->local;
	p->stream = msg->type == SOCK_STREAM;
	p->size = room(p->fd);
	p->data = data = malloc(p->size);
	if (!data)
		return err_oom(err);
	if (getsockopt(p->fd, SOL_SOCKET, SO_PEEK_OFF, &old, &len) < 0)
		return file_refuse(v, err, -errno, "its queue cannot be looked at: %m");
	r = walk(d, v, p, msg, err);
	if (setsockopt(p->fd, SOL_SOCKET, SO_PEEK_OFF, &old, sizeof(old)) < 0 && r == 0)
		r = file_refuse(v, err, -errno, "its peek offset cannot be put back: %m");
	return r;
}

/* ---- restore ---- */

struct sending {
	struct file_restore *r;
	int from;
	const struct unix_addr *to; /* NULL: connected */
	const Kist__UnixMessage *m;
};

static void put_fds(const struct sending *s, struct msghdr *msg)
{
	struct cmsghdr *c;
	size_t i;
	int fd;

	msg->msg_controllen = CMSG_SPACE(s->m->n_files * sizeof(int));
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(s->m->n_files * sizeof(int));
	for (i = 0; i < s->m->n_files; i++) {
		fd = file_restore_fd(s->r, s->m->files[i]);
		memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(fd));
	}
}

/* In a process with the sender's credentials. */
static int send_one(void *arg)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} ctl = {0};
	const struct sending *s = arg;
	struct iovec iov = {.iov_base = s->m->data.data, .iov_len = s->m->data.len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (s->m->n_files) {
		msg.msg_control = &ctl;
		put_fds(s, &msg);
	}
	if (s->to) {
		msg.msg_name = (void *)&s->to->un;
		msg.msg_namelen = s->to->len;
	}
	n = sendmsg(s->from, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	return n == (ssize_t)s->m->data.len ? 0 : -EMSGSIZE;
}

/* The socket of the tree that has this name, or -ENOENT. */
static int named_sender(struct file_restore *r, const ProtobufCBinaryData *name)
{
	const struct image *img = file_restore_image(r);
	size_t i;

	for (i = 0; i < image_count(img, RECORD_UNIX); i++) {
		const Kist__Unix *u = (const Kist__Unix *)image_get(img, RECORD_UNIX, i);

		if (u->type == SOCK_DGRAM && u->name && u->name->name.len == name->len &&
			memcmp(u->name->name.data, name->data, name->len) == 0)
			return file_restore_fd(r, u->desc->id);
	}
	return -ENOENT;
}

/* A datagram to a socket with an address, from whoever had the sender's name. */
static int send_datagram(struct sending *s, struct err *err)
{
	Kist__UnixName name = KIST__UNIX_NAME__INIT;
	struct unix_place place = {.dir = -EBADF};
	autoclose int made = -EBADF;
	int c = 0;

	s->from = s->m->has_from ? named_sender(s->r, &s->m->from) : -ENOENT;
	if (s->from < 0) {
		s->from = made = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (made < 0)
			return err_set(err, -errno, "cannot make a unix socket");
		name.name = s->m->from;
		if (s->m->has_from)
			c = unix_bind(s->r, made, &name, false, &place, err);
	}
	if (c == 0)
		c = unix_buffer_grow(s->from, s->m->data.len);
	if (c == 0)
		c = unix_as(s->m->creds, send_one, s, err);
	unix_unbind(&place);
	return c;
}

int unix_queue_set(struct file_restore *r, int from, const struct unix_addr *to,
	const Kist__Unix *msg, struct err *err)
{
	struct sending s = {.r = r, .from = from, .to = to};
	size_t i, sum = 0;
	int c = 0;

	for (i = 0; i < msg->n_messages; i++)
		sum += msg->messages[i]->data.len + 1024;
	if (!to && sum)
		c = unix_buffer_grow(from, sum);
	for (i = 0; c == 0 && i < msg->n_messages; i++) {
		s.m = msg->messages[i];
		c = to ? send_datagram(&s, err) : unix_as(s.m->creds, send_one, &s, err);
	}
	return c < 0 ? err_set(err, c, "cannot fill the queue of a unix socket") : 0;
}
