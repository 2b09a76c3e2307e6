// SPDX-License-Identifier: Apache-2.0
/*
 * Unix sockets at restore, step by step over all of them: those that stand alone, bound and
 * listening; connected pairs, by socketpair or through the listener whose name they bear; clients
 * that wait to be accepted; queues; and when every queue is filled, what would have stood in the
 * way: shutdown, lost peers, the connections of datagram sockets.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/file/path.h"
#include "cr/file/restore-internal.h"
#include "cr/file/unix.h"

enum { STEP_ALONE, STEP_PAIRS, STEP_PENDING, STEP_QUEUE, STEP_LAST };
#define PAIRED	0x100 /* of step: made by socketpair with its peer */
#define STEP(e) ((e)->step & 0xff)

static const Kist__Unix *unix_msg(const struct file_restore *r, uint32_t id)
{
	return file_restore_msg(r, id, RECORD_UNIX);
}

/* ---- checks ---- */

static int check_messages(struct file_restore *r, const Kist__Unix *u, struct err *err)
{
	size_t i, k;

	for (i = 0; i < u->n_messages; i++) {
		const Kist__UnixMessage *m = u->messages[i];

		if (m->n_files > 253 || m->data.len > INT32_MAX)
			return err_setx(err, -EINVAL, "image: a message that cannot be");
		for (k = 0; k < m->n_files; k++)
			if (!file_restore_kind(r, m->files[k]))
				return err_setx(err, -EINVAL, "image: unknown file %u was passed",
					m->files[k]);
	}
	return 0;
}

int unix_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Unix *u = (const Kist__Unix *)m, *peer = unix_msg(r, u->peer), *client;
	size_t i;

	if (u->type != SOCK_STREAM && u->type != SOCK_DGRAM && u->type != SOCK_SEQPACKET)
		return err_setx(err, -EINVAL, "image: unix socket of type %u", u->type);
	if (u->peer && (!peer || peer->type != u->type || u->peer == u->desc->id ||
			       (u->type != SOCK_DGRAM && peer->peer != u->desc->id)))
		return err_setx(err, -EINVAL, "image: %u is no peer", u->peer);
	if (u->name && u->name->path && path_check(u->name->path, err) < 0)
		return err->code;
	for (i = 0; i < u->n_pending; i++) {
		client = unix_msg(r, u->pending[i]);
		if (!u->listening || !u->name || !client || client->type != u->type ||
			client->peer || client->listening)
			return err_setx(err, -EINVAL, "image: %u waits for nobody", u->pending[i]);
	}
	i = (u->peer != 0) + (u->peer_gone != 0) + (u->listening != 0);
	if (i > 1 || (u->listening && (u->type == SOCK_DGRAM || u->n_messages)))
		return err_setx(err, -EINVAL, "image: a unix socket in two states");
	return unix_opts_check(u, err) < 0 ? err->code : check_messages(r, u, err);
}

/* ---- making one, or two ---- */

static int keep(struct file_restore *r, const Kist__Unix *u, int fd, struct err *err)
{
	int c = unix_opts_set(fd, u, err);

	if (c < 0) {
		(void)close(fd); /* not yet used */
		return c;
	}
	return file_store(r, u->desc->id, fd, err);
}

static int bind_name(struct file_restore *r, const Kist__Unix *u, int fd, struct err *err)
{
	struct unix_place place = {.dir = -EBADF};

	return u->name ? unix_bind(r, fd, u->name, true, &place, err) : 0;
}

struct listening {
	int fd, backlog;
};

static int do_listen(void *arg)
{
	const struct listening *l = arg;

	return listen(l->fd, l->backlog) < 0 ? -errno : 0;
}

static int make_alone(struct file_restore *r, const Kist__Unix *u, struct err *err)
{
	autoclose int fd = socket(AF_UNIX, (int)u->type | SOCK_CLOEXEC, 0);
	struct listening l = {.fd = fd, .backlog = (int)MIN(u->backlog, INT32_MAX)};
	int c;

	if (fd < 0)
		return err_set(err, -errno, "cannot make a unix socket");
	c = bind_name(r, u, fd, err);
	if (c == 0 && u->listening) {
		c = unix_as(u->creds, do_listen, &l, err);
		if (c < 0)
			return err_set(err, c, "a unix socket cannot listen");
	}
	return c < 0 ? c : keep(r, u, TAKE_FD(fd), err);
}

struct pairing {
	int type, fds[2];
};

static int do_pair(void *arg)
{
	struct pairing *p = arg;

	return socketpair(AF_UNIX, p->type | SOCK_CLOEXEC, 0, p->fds) < 0 ? -errno : 0;
}

/* @ret[0] is @u's end; the credentials that it sees are those of whoever made the pair. */
static int make_pair(const Kist__Unix *u, int ret[2], struct err *err)
{
	/* shared: the maker has our fd table, but not our memory */
	struct pairing *p =
		mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int c;

	if (p == MAP_FAILED)
		return err_oom(err);
	p->type = (int)u->type;
	c = unix_as(u->creds, do_pair, p, err);
	if (c == 0)
		memcpy(ret, p->fds, sizeof(p->fds));
	(void)munmap(p, sizeof(*p)); /* ours, whole */
	return c < 0 ? err_set(err, c, "cannot make a pair of unix sockets") : 0;
}

struct connecting {
	int fd;
	struct unix_addr to;
};

static int do_connect(void *arg)
{
	const struct connecting *c = arg;

	return connect(c->fd, (const struct sockaddr *)&c->to.un, c->to.len) < 0 ? -errno : 0;
}

/* Connects @fd with the bound socket @to, as a process with @creds. */
static int connect_to(int fd, int to, const Kist__UnixCreds *creds, struct err *err)
{
	autoclose int hold = -EBADF;
	struct connecting con = {.fd = fd};
	int c;

	c = unix_addr_to(to, &con.to, &hold);
	if (c == 0)
		c = unix_as(creds, do_connect, &con, err);
	return c < 0 ? err_set(err, c, "cannot connect a unix socket again") : 0;
}

/* The listener of the tree that has this name, or NULL. */
static const Kist__Unix *find_listener(const struct file_restore *r, const Kist__Unix *u)
{
	size_t i, n = image_count(r->img, RECORD_UNIX);

	for (i = 0; u->name && i < n; i++) {
		const Kist__Unix *l = (const Kist__Unix *)image_get(r->img, RECORD_UNIX, i);

		if (l->listening && l->type == u->type && l->name &&
			l->name->name.len == u->name->name.len &&
			memcmp(l->name->name.data, u->name->name.data, u->name->name.len) == 0)
			return l;
	}
	return NULL;
}

/* Accepts @client's connection at @listener into *ret. */
static int accept_one(
	int listener, int client, const Kist__UnixCreds *creds, int *ret, struct err *err)
{
	int c = connect_to(client, listener, creds, err);

	if (c < 0)
		return c;
	c = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (c < 0)
		return err_set(err, -errno, "cannot accept a unix socket's connection");
	*ret = c;
	return 0;
}

/* A listener with the name of @server, for one connection; @creds: what the client shall see. */
static int accept_by_new(struct file_restore *r, const Kist__Unix *server, int client,
	const Kist__UnixCreds *creds, int *ret, struct err *err)
{
	autoclose int fd = socket(AF_UNIX, (int)server->type | SOCK_CLOEXEC, 0);
	struct listening l = {.fd = fd, .backlog = 1};
	struct unix_place place = {.dir = -EBADF};
	int c;

	if (fd < 0)
		return err_set(err, -errno, "cannot make a unix socket");
	c = unix_bind(r, fd, server->name, false, &place, err);
	if (c == 0) {
		c = unix_as(creds, do_listen, &l, err);
		if (c < 0)
			(void)err_set(err, c, "a unix socket cannot listen");
	}
	if (c == 0)
		c = accept_one(fd, client, server->creds, ret, err);
	unix_unbind(&place);
	return c;
}

/* A connection whose server end bears a name. @client may be NULL: it is gone. */
static int make_accepted(struct file_restore *r, const Kist__Unix *server, const Kist__Unix *client,
	int ret[2], struct err *err)
{
	autoclose int fd = socket(AF_UNIX, (int)server->type | SOCK_CLOEXEC, 0);
	const Kist__Unix *l = find_listener(r, server);
	Kist__UnixName gone = KIST__UNIX_NAME__INIT;
	struct unix_place place = {.dir = -EBADF};
	int c = 0;

	if (fd < 0)
		return err_set(err, -errno, "cannot make a unix socket");
	gone.name = server->peer_name;
	if (client)
		c = bind_name(r, client, fd, err);
	else if (server->has_peer_name)
		c = unix_bind(r, fd, &gone, false, &place, err);
	if (c == 0 && l && file_restore_fd(r, l->desc->id) >= 0)
		c = accept_one(file_restore_fd(r, l->desc->id), fd, server->creds, &ret[0], err);
	else if (c == 0)
		c = accept_by_new(r, server, fd, client ? client->creds : NULL, &ret[0], err);
	unix_unbind(&place);
	if (c == 0)
		ret[1] = TAKE_FD(fd);
	return c;
}

static int keep_spare(struct file_restore *r, const Kist__Unix *u, int fd, struct err *err)
{
	int c = fd_move_above(fd, r->base);

	if (c < 0) {
		(void)close(fd); /* not yet used */
		return err_set(err, c, "cannot keep a unix socket open");
	}
	r->entries[u->desc->id].spare = c;
	return 0;
}

/* Both ends of a connection, or one and a spare for the end that is gone. */
static int make_connected(struct file_restore *r, const Kist__Unix *u, struct err *err)
{
	const Kist__Unix *peer = unix_msg(r, u->peer), *server = u, *client = peer;
	int fds[2], c;

	if (peer && (!u->name || (!find_listener(r, u) && find_listener(r, peer)))) {
		server = peer;
		client = u;
	}
	if (server->name)
		c = make_accepted(r, server, client, fds, err);
	else
		c = make_pair(server, fds, err);
	if (c < 0)
		return c;
	c = keep(r, server, fds[0], err);
	if (c < 0) {
		(void)close(fds[1]); /* not yet used */
		return c;
	}
	return client ? keep(r, client, fds[1], err) : keep_spare(r, u, fds[1], err);
}

/* Datagram sockets: a peer without a name can only be the other half of a pair. */
static int make_datagram(struct file_restore *r, const Kist__Unix *u, struct err *err)
{
	const Kist__Unix *peer = unix_msg(r, u->peer);
	int fds[2], c;

	if ((peer && peer->name) || (!peer && !u->peer_gone) || (u->peer_gone && u->has_peer_name))
		return make_alone(r, u, err);
	if (peer && file_restore_fd(r, u->peer) >= 0)
		return err_setx(err, -ENOTSUP, "a unix socket that shares its unnamed peer");
	c = make_pair(u, fds, err);
	if (c < 0)
		return c;
	r->entries[u->desc->id].step |= PAIRED;
	c = bind_name(r, u, fds[0], err);
	if (c == 0)
		c = keep(r, u, fds[0], err);
	if (c < 0) {
		(void)close(fds[1]); /* not yet used */
		return c;
	}
	if (!peer)
		return keep_spare(r, u, fds[1], err);
	r->entries[u->peer].step |= PAIRED;
	return keep(r, peer, fds[1], err);
}

/* ---- the steps ---- */

static int step_make(struct file_restore *r, const Kist__Unix *u, int step, struct err *err)
{
	bool connected = u->peer || u->peer_gone;

	if (r->entries[u->desc->id].fd >= 0)
		return 0;
	if (step == STEP_ALONE && u->type != SOCK_DGRAM)
		return connected ? 0 : make_alone(r, u, err);
	if (u->type == SOCK_DGRAM) /* those that make pairs go first */
		return step == STEP_PAIRS || connected ? make_datagram(r, u, err) : 0;
	return step == STEP_PAIRS ? make_connected(r, u, err) : 0;
}

static int step_pending(struct file_restore *r, const Kist__Unix *u, struct err *err)
{
	int c = 0;
	size_t i;

	for (i = 0; c == 0 && i < u->n_pending; i++) {
		int fd = file_restore_fd(r, u->pending[i]);
		int flags = fcntl(fd, F_GETFL);

		/* a full backlog must not make us wait */
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
		c = connect_to(fd, file_restore_fd(r, u->desc->id), NULL, err);
		(void)fcntl(fd, F_SETFL, flags); /* as file_store had set them */
	}
	return c;
}

/* 1: a file that was passed is not open yet. */
static int step_queue(struct file_restore *r, const Kist__Unix *u, struct err *err)
{
	struct file_entry *e = &r->entries[u->desc->id];
	struct unix_addr to;
	autoclose int hold = -EBADF;
	size_t i, k;
	int c = 0, from;

	for (i = 0; i < u->n_messages; i++)
		for (k = 0; k < u->messages[i]->n_files; k++)
			if (file_restore_fd(r, u->messages[i]->files[k]) < 0)
				return 1;
	from = e->spare >= 0 ? e->spare : file_restore_fd(r, u->peer);
	if (!u->n_messages || u->listening)
		return 0;
	if (u->type == SOCK_DGRAM && !(e->step & PAIRED)) {
		c = unix_addr_to(e->fd, &to, &hold);
		if (c == -ENOENT)
			return err_setx(err, -EINVAL, "image: messages to a socket without a name");
		return c < 0 ? err_set(err, c, "cannot reach a unix socket")
			     : unix_queue_set(r, -EBADF, &to, u, err);
	}
	if (from < 0)
		return err_setx(err, -EINVAL, "image: messages from nobody");
	return unix_queue_set(r, from, NULL, u, err);
}

/* A datagram socket may be connected with whom it was not made with. */
static int reconnect(struct file_restore *r, const Kist__Unix *u, struct err *err)
{
	const struct sockaddr none = {.sa_family = AF_UNSPEC};
	struct file_entry *e = &r->entries[u->desc->id];
	struct unix_addr to;

	if (e->step & PAIRED) {
		if (!u->peer && !u->peer_gone && connect(e->fd, &none, sizeof(none)) < 0)
			return err_set(err, -errno, "cannot disconnect a unix socket");
		return 0;
	}
	if (u->peer)
		return connect_to(e->fd, file_restore_fd(r, u->peer), u->creds, err);
	if (u->peer_gone && u->has_peer_name && unix_addr_of(&u->peer_name, &to) == 0)
		/* someone outside, who may be there again or not: sends will tell */
		(void)connect(e->fd, (const struct sockaddr *)&to.un, to.len);
	return 0;
}

static int step_last(struct file_restore *r, const Kist__Unix *u, struct err *err)
{
	struct file_entry *e = &r->entries[u->desc->id];
	int c = 0;

	if (u->type == SOCK_DGRAM)
		c = reconnect(r, u, err);
	if (c == 0 && !u->peer_gone && (u->shutdown & 3) &&
		shutdown(e->fd, (int)(u->shutdown & 3) - 1) < 0 && errno != ENOTCONN)
		c = err_set(err, -errno, "cannot shut a unix socket down again");
	if (c == 0) /* the sizes of buffers, which filling has raised */
		c = unix_opts_set(e->fd, u, err);
	autoclose_p(&e->spare); /* now it has lost its peer */
	e->spare = -EBADF;
	return c;
}

int unix_open(struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Unix *u = (const Kist__Unix *)m;
	struct file_entry *e = &r->entries[u->desc->id];
	int c = 0;

	if (pass <= STEP_PAIRS) {
		c = step_make(r, u, pass, err);
		return c < 0 ? c : 1;
	}
	if (pass == STEP_PENDING) {
		c = step_pending(r, u, err);
		return c < 0 ? c : 1;
	}
	if (STEP(e) < STEP_QUEUE) {
		c = step_queue(r, u, err);
		if (c != 0)
			return c;
		e->step |= STEP_QUEUE;
		r->unix_filled++;
		return 1;
	}
	if (r->unix_filled < image_count(r->img, RECORD_UNIX))
		return 1;
	return step_last(r, u, err);
}
