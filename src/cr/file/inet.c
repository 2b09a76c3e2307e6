// SPDX-License-Identifier: Apache-2.0
/*
 * Sockets of IPv4 and IPv6, dump: what they are is read when they are met; what changes under our
 * eyes (connections) is read at the end, when the caller has locked the network.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/util.h"
#include "cr/file/file-internal.h"
#include "cr/file/inet-internal.h"
#include "sys/netns.h"

#define FILTER_MAX 4096 /* BPF_MAXINSNS */
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

struct inet_late { /* a connection that is read at the end */
	Kist__Inet *msg;
	Kist__FileDesc desc;
	Kist__FdOwner owner;
	int fd;		/* our duplicate */
	char what[128]; /* for messages */
};

struct inet_fresh { /* a kind of socket, and what a new one has */
	int family, type, protocol;
	struct inet_defaults *defaults;
};

struct inet_state {
	int netns_fd;
	ino_t netns_ino;
	struct inet_late **late;
	size_t n_late, late_cap;
	struct inet_conn *conns;
	size_t n_conns, conns_cap;
	struct inet_port *waiting;
	size_t n_waiting, waiting_cap;
	struct inet_fresh *fresh;
	size_t n_fresh, fresh_cap;
};

static int get_int(int fd, int opt, int fallback)
{
	socklen_t len = sizeof(fallback);
	int v;

	return getsockopt(fd, SOL_SOCKET, opt, &v, &len) < 0 ? fallback : v;
}

static int inet_probe(struct file_dump *d, const struct fd_view *v)
{
	int domain;

	if (!S_ISSOCK(v->st.st_mode) || (v->flags & O_PATH))
		return 0;
	domain = get_int(v->local, SO_DOMAIN, -1);
	return domain == AF_INET || domain == AF_INET6;
}

static void late_free(struct inet_late *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		(void)close(l->fd); /* the task's own is what counts */
	if (l->msg) {
		l->msg->desc = NULL; /* lies in @l itself */
		kist__inet__free_unpacked(l->msg, NULL);
	}
	free(l);
}

static int get_state(struct file_dump *d, struct inet_state **ret, struct err *err)
{
	void **slot = file_dump_state(d, &file_kind_inet);
	struct inet_state *s;

	if (!*slot) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return err_oom(err);
		s->netns_fd = -EBADF;
		*slot = s;
	}
	*ret = *slot;
	return 0;
}

/* All sockets of a tree must be of one namespace: that in which they will be made again. */
static int check_netns(struct inet_state *s, const struct fd_view *v, struct err *err)
{
	autoclose int ns = ioctl(v->local, SIOCGSKNS);
	struct stat st;

	if (ns < 0 || fstat(ns, &st) < 0)
		return file_refuse(v, err, -errno, "its network namespace cannot be opened: %s",
			strerror(errno));
	if (s->netns_fd >= 0 && st.st_ino != s->netns_ino)
		return file_refuse(v, err, -EOPNOTSUPP,
			"it belongs to another network namespace than sockets seen before");
	if (s->netns_fd < 0) {
		s->netns_fd = TAKE_FD(ns);
		s->netns_ino = st.st_ino;
	}
	return 0;
}

static int get_defaults(struct inet_state *s, const Kist__Inet *msg,
	const struct inet_defaults **ret, struct err *err)
{
	struct inet_fresh f = {msg->family, msg->type, msg->protocol, NULL}, *known;
	autoclose int fd = -EBADF;
	int r;

	for (known = s->fresh; known < s->fresh + s->n_fresh; known++) {
		if (known->family == f.family && known->type == f.type &&
			known->protocol == f.protocol) {
			*ret = known->defaults;
			return 0;
		}
	}
	if (array_reserve(&s->fresh, &s->fresh_cap, s->n_fresh + 1, sizeof(f)) < 0)
		return err_oom(err);
	fd = netns_socket(s->netns_fd, f.family, f.type, f.protocol, err);
	if (fd < 0)
		return fd;
	r = inet_defaults_get(fd, msg, &f.defaults, err);
	if (r < 0)
		return r;
	s->fresh[s->n_fresh++] = f;
	*ret = f.defaults;
	return 0;
}

static int get_addresses(const struct fd_view *v, Kist__Inet *msg, struct err *err)
{
	union inet_addr a = {0};
	socklen_t len = sizeof(a);
	int r;

	if (getsockname(v->local, &a.sa, &len) < 0)
		return err_set(err, -errno, "cannot read its address");
	/* A raw socket's port is its protocol. */
	if (inet_addr_port(&a) || !inet_addr_any(&a)) {
		r = inet_addr_get(v->local, &a, &msg->local, err);
		if (r < 0)
			return r;
	}
	a = (union inet_addr){0};
	len = sizeof(a);
	if (getpeername(v->local, &a.sa, &len) < 0)
		return errno == ENOTCONN || errno == EINVAL
			       ? 0
			       : err_set(err, -errno, "cannot read its peer's address");
	return inet_addr_get(v->local, &a, &msg->remote, err);
}

static int get_filter(int fd, Kist__Inet *msg, struct err *err)
{
	struct sock_filter *code;
	socklen_t n = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &n) < 0) {
		if (errno != EACCES)
			return err_set(err, -errno, "cannot read its filter");
		err_setx(err, -EOPNOTSUPP, "it has an eBPF filter, which cannot be read");
		return err_hint(err, "use a classic filter (SO_ATTACH_FILTER)");
	}
	if (!n)
		return 0;
	if (n > FILTER_MAX)
		return err_setx(err, -E2BIG, "its filter is too long");
	code = calloc(n, sizeof(*code));
	if (!code)
		return err_oom(err);
	msg->has_filter = true;
	msg->filter = (ProtobufCBinaryData){n * sizeof(*code), (uint8_t *)code};
	if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, code, &n) < 0)
		return err_set(err, -errno, "cannot read its filter");
	return 0;
}

/* Which sockets there are at all, before any of it is read. */
static int check_protocol(const Kist__Inet *msg, struct err *err)
{
	switch (msg->type == SOCK_RAW ? IPPROTO_RAW : (int)msg->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
	case IPPROTO_RAW:
	case IPPROTO_MPTCP:
		return 0;
	default:
		return err_setx(err, -EPROTONOSUPPORT, "sockets of protocol %u cannot be saved",
			msg->protocol);
	}
}

/* An MPTCP socket listens, or is new; a connection has more state than can be read. */
static int probe_mptcp(int fd, Kist__Inet *msg, struct err *err)
{
	if (get_int(fd, SO_ACCEPTCONN, 0)) {
		msg->state = KIST__INET_STATE__INET_LISTEN;
		msg->has_backlog = true;
		msg->backlog = SOMAXCONN; /* the kernel does not tell */
	} else if (msg->remote) {
		err_setx(err, -EPROTONOSUPPORT, "it is a Multipath TCP connection");
		return err_hint(err, "turn MPTCP off in the peer (GODEBUG=multipathtcp=0 for Go)");
	}
	return 0;
}

/* Remembers a port that is too busy, for the caller to hold it up before the next try. */
static void note_waiting(struct inet_state *s, const Kist__Inet *msg)
{
	if (msg->state != KIST__INET_STATE__INET_LISTEN || !msg->local ||
		array_reserve(&s->waiting, &s->waiting_cap, s->n_waiting + 1, sizeof(*s->waiting)) <
			0)
		return; /* then the next try has no more luck than this one */
	s->waiting[s->n_waiting++] = (struct inet_port){s->netns_fd, msg->local->port};
}

static int describe(struct inet_state *s, const struct fd_view *v, Kist__Inet *msg, struct err *err)
{
	const struct inet_defaults *defaults = NULL;
	union inet_addr peer;
	int r;

	r = check_protocol(msg, err);
	if (r == 0)
		r = get_addresses(v, msg, err);
	if (r == 0 && msg->protocol == IPPROTO_TCP && msg->type == SOCK_STREAM)
		r = inet_tcp_probe(v->local, msg, err);
	else if (r == 0 && msg->protocol == IPPROTO_MPTCP)
		r = probe_mptcp(v->local, msg, err);
	if (r == -EAGAIN)
		note_waiting(s, msg);
	if (r == 0 && msg->state == KIST__INET_STATE__INET_SYN_SENT) {
		r = inet_diag_peer(s->netns_fd, msg->family, v->st.st_ino, &peer, err);
		if (r == 0)
			r = inet_addr_get(v->local, &peer, &msg->remote, err);
	}
	if (r < 0)
		return r;
	r = get_defaults(s, msg, &defaults, err);
	if (r == 0)
		r = inet_opts_get(v->local, defaults, msg, err);
	if (r == 0)
		r = get_filter(v->local, msg, err);
	return r < 0 ? r : inet_buffers_get(v->local, msg, err);
}

static int get_queue(const struct fd_view *v, Kist__Inet *msg, struct err *err)
{
	int in = 0;

	if (msg->ended)
		return inet_tcp_dump_ended(v->local, msg, err);
	if (msg->type == SOCK_DGRAM && msg->protocol == IPPROTO_UDP)
		return inet_udp_queue_get(v->local, msg, err);
	if (msg->type == SOCK_RAW && ioctl(v->local, SIOCINQ, &in) == 0 && in)
		log_warn("fd %d of '%s' (pid %d): packets in the queue of a raw socket are lost",
			v->fd, v->task->comm, v->task->pid);
	return 0;
}

/* Takes the connection over for dump_finish, and its addresses for the lock. */
static int keep_late(struct file_dump *d, struct inet_state *s, const struct fd_view *v,
	struct inet_late *l, struct err *err)
{
	char from[INET_ADDR_TEXT], to[INET_ADDR_TEXT];
	struct inet_conn c;

	if (!file_dump_options(d)->tcp_established) {
		(void)file_refuse(v, err, -EBUSY, "TCP connection %s -> %s is established",
			inet_addr_text(l->msg->local, from), inet_addr_text(l->msg->remote, to));
		return err_hint(err, "save connections with --tcp-established");
	}
	if (inet_conn_fill(l->msg, &c) < 0)
		return file_refuse(v, err, -EPROTO, "its addresses do not fit together");
	l->fd = fcntl(v->local, F_DUPFD_CLOEXEC, 0);
	if (l->fd < 0)
		return file_refuse(v, err, -errno, "cannot be duplicated: %s", strerror(errno));
	if (array_reserve(&s->late, &s->late_cap, s->n_late + 1, sizeof(struct inet_late *)) < 0 ||
		array_reserve(&s->conns, &s->conns_cap, s->n_conns + 1, sizeof(c)) < 0)
		return err_oom(err);
	c.netns_fd = s->netns_fd;
	s->conns[s->n_conns++] = c;
	(void)snprintf(l->what, sizeof(l->what), "fd %d of '%s' (pid %d)", v->fd, v->task->comm,
		v->task->pid); /* a cut text is still a text */
	s->late[s->n_late++] = l;
	return 0;
}

static int dump_one(struct file_dump *d, struct inet_state *s, const struct fd_view *v,
	struct inet_late *l, bool *ret_kept, struct err *err)
{
	int r = describe(s, v, l->msg, err);

	if (r == 0 && inet_tcp_connected(l->msg)) {
		r = keep_late(d, s, v, l, err);
		*ret_kept = r == 0;
		return r;
	}
	if (r == 0)
		r = get_queue(v, l->msg, err);
	if (r < 0)
		return err_wrap(err, "cannot save fd %d of '%s' (pid %d), a network socket", v->fd,
			v->task->comm, v->task->pid);
	return file_dump_put(d, v, RECORD_INET, l->msg, err);
}

static int inet_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	struct inet_state *s = NULL;
	struct inet_late *l;
	bool kept = false;
	int r;

	r = get_state(d, &s, err);
	if (r == 0)
		r = check_netns(s, v, err);
	if (r < 0)
		return r;
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_oom(err);
	l->fd = -EBADF;
	l->msg = malloc(sizeof(*l->msg));
	if (!l->msg) {
		free(l);
		return err_oom(err);
	}
	kist__inet__init(l->msg);
	file_dump_desc(d, v, id, &l->desc, &l->owner);
	l->msg->desc = &l->desc;
	l->msg->family = get_int(v->local, SO_DOMAIN, 0);
	l->msg->type = get_int(v->local, SO_TYPE, 0);
	l->msg->protocol = get_int(v->local, SO_PROTOCOL, 0);
	l->msg->state = KIST__INET_STATE__INET_CLOSED;
	r = dump_one(d, s, v, l, &kept, err);
	if (!kept)
		late_free(l);
	return r;
}

static int inet_finish(struct file_dump *d, struct err *err)
{
	struct inet_state *s = *file_dump_state(d, &file_kind_inet);
	struct inet_late *l;
	size_t i;
	int r;

	for (i = 0; s && i < s->n_late; i++) {
		l = s->late[i];
		r = inet_tcp_dump(l->fd, l->msg, err);
		if (r < 0)
			return err_wrap(err, "cannot save %s, a TCP connection", l->what);
		r = file_dump_put(d, NULL, RECORD_INET, l->msg, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void inet_commit(struct file_dump *d)
{
	struct inet_state *s = *file_dump_state(d, &file_kind_inet);
	size_t i;

	for (i = 0; s && i < s->n_late; i++)
		inet_tcp_silence(s->late[i]->fd);
}

static void inet_done(struct file_dump *d)
{
	struct inet_state *s = *file_dump_state(d, &file_kind_inet);
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->n_late; i++)
		late_free(s->late[i]);
	for (i = 0; i < s->n_fresh; i++)
		free(s->fresh[i].defaults);
	if (s->netns_fd >= 0)
		(void)close(s->netns_fd); /* only a handle */
	free(s->late);
	free(s->conns);
	free(s->waiting);
	free(s->fresh);
	free(s);
}

size_t inet_dump_connections(struct file_dump *d, const struct inet_conn **ret)
{
	const struct inet_state *s = *file_dump_state(d, &file_kind_inet);

	*ret = s ? s->conns : NULL;
	return s ? s->n_conns : 0;
}

size_t inet_dump_waiting(struct file_dump *d, const struct inet_port **ret)
{
	const struct inet_state *s = *file_dump_state(d, &file_kind_inet);

	*ret = s ? s->waiting : NULL;
	return s ? s->n_waiting : 0;
}

const struct file_kind file_kind_inet = {
	.name = "network socket",
	.record = RECORD_INET,
	.probe = inet_probe,
	.dump = inet_dump,
	.dump_finish = inet_finish,
	.dump_commit = inet_commit,
	.dump_done = inet_done,
	.check = inet_restore_check,
	.open = inet_restore_open,
	.live = inet_restore_live,
};
