// SPDX-License-Identifier: Apache-2.0
/*
 * Unix sockets at dump. Each is read whole when it is met; at the end, when all of the tree are
 * known, peers and those that wait to be accepted get their ids, and what leads outside is named.
 */
#include "cr/file/unix.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/util.h"
#include "cr/file/dump-internal.h"
#include "cr/file/path.h"

struct unix_seen {
	uint32_t ino;
	Kist__Unix *msg;
	struct target *task; /* for messages */
	int fd;
	const char *what;
	char *link;
	uint32_t peer;		/* inode */
	bool connected, unread; /* the peer has not read all that was sent */
	uint32_t *pending;	/* inodes */
	size_t n_pending;
};

struct unix_netns {
	ino_t ino;
	struct unix_diag_list list;
};

struct unix_state {
	struct unix_seen *seen;
	size_t n, cap;
	struct unix_netns *netns;
	size_t n_netns, netns_cap;
};

static void unix_done(struct file_dump *d)
{
	struct unix_state *s = *file_dump_state(d, &file_kind_unix);
	size_t i;

	for (i = 0; i < s->n; i++) {
		if (s->seen[i].msg)
			kist__unix__free_unpacked(s->seen[i].msg, NULL);
		free(s->seen[i].pending);
		free(s->seen[i].link);
	}
	for (i = 0; i < s->n_netns; i++)
		unix_diag_done(&s->netns[i].list);
	free(s->seen);
	free(s->netns);
	free(s);
}

static int unix_probe(struct file_dump *d, const struct fd_view *v)
{
	socklen_t len = sizeof(int);
	int domain;

	return S_ISSOCK(v->st.st_mode) && !(v->flags & O_PATH) &&
	       getsockopt(v->local, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

/* ---- reading one ---- */

static int find_diag(struct unix_state *s, const struct fd_view *v, const struct unix_diag **ret,
	struct err *err)
{
	autoclose int ns = ioctl(v->local, SIOCGSKNS);
	struct unix_netns *n = NULL;
	struct stat st;
	size_t i;
	int r;

	if (ns < 0 || fstat(ns, &st) < 0)
		return file_refuse(v, err, -errno, "its network namespace cannot be opened: %m");
	for (i = 0; i < s->n_netns; i++)
		if (s->netns[i].ino == st.st_ino)
			n = &s->netns[i];
	if (!n) {
		if (array_reserve(&s->netns, &s->netns_cap, s->n_netns + 1, sizeof(*n)) < 0)
			return err_oom(err);
		n = &s->netns[s->n_netns];
		n->ino = st.st_ino;
		r = unix_diag_load(v->local, &n->list, err);
		if (r < 0)
			return r;
		s->n_netns++;
	}
	*ret = unix_diag_find(&n->list, (uint32_t)v->st.st_ino);
	return *ret ? 0 : file_refuse(v, err, -ENOENT, "the kernel does not list it");
}

static int copy_bytes(ProtobufCBinaryData *out, const void *data, size_t len)
{
	out->data = malloc(len + 1);
	if (!out->data)
		return -ENOMEM;
	memcpy(out->data, data, len);
	out->len = len;
	return 0;
}

/* Where the inode of the bound name is: an fd of it, looked at like any other file. */
static int get_path(struct file_dump *d, const struct fd_view *v, uint32_t id, Kist__UnixName *name,
	struct err *err)
{
	autoview struct fd_view at = {.local = -EBADF};
	int fd = ioctl(v->local, SIOCUNIXFILE), r;
	struct path_dump p;

	if (fd < 0)
		return file_refuse(v, err, -errno, "the file of its name cannot be opened: %m");
	r = view_slot(d->self_procfd, v->task, fd, &at, err);
	at.local = fd;
	at.what = "bound name";
	if (r == 0)
		r = path_dump(d, &at, id, &p, err);
	if (r < 0)
		return r;
	name->path = path_dump_take(&p);
	return name->path ? 0 : err_oom(err);
}

static int get_name(
	struct file_dump *d, const struct fd_view *v, uint32_t id, Kist__Unix *msg, struct err *err)
{
	const size_t head = offsetof(struct sockaddr_un, sun_path);
	struct sockaddr_un un;
	socklen_t len = sizeof(un);

	if (getsockname(v->local, (struct sockaddr *)&un, &len) < 0)
		return file_refuse(v, err, -errno, "its name cannot be read: %m");
	if (len <= head)
		return 0;
	msg->name = malloc(sizeof(*msg->name));
	if (!msg->name)
		return err_oom(err);
	*msg->name = (Kist__UnixName)KIST__UNIX_NAME__INIT;
	/* a path may fill the field: the NUL that the kernel counts then is not there */
	if (copy_bytes(&msg->name->name, un.sun_path, MIN(len - head, sizeof(un.sun_path))) < 0)
		return err_oom(err);
	return un.sun_path[0] ? get_path(d, v, id, msg->name, err) : 0;
}

static int get_peer(struct file_dump *d, const struct fd_view *v, Kist__Unix *msg, struct err *err)
{
	const size_t head = offsetof(struct sockaddr_un, sun_path);
	struct sockaddr_un un;
	socklen_t len = sizeof(un);
	struct ucred cred;

	if (getpeername(v->local, (struct sockaddr *)&un, &len) == 0 && len > head) {
		if (copy_bytes(&msg->peer_name, un.sun_path, MIN(len - head, sizeof(un.sun_path))) <
			0)
			return err_oom(err);
		msg->has_peer_name = true;
	}
	len = sizeof(cred);
	if (getsockopt(v->local, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || cred.uid == (uid_t)-1)
		return 0;
	msg->creds = malloc(sizeof(*msg->creds));
	if (!msg->creds)
		return err_oom(err);
	*msg->creds = (Kist__UnixCreds)KIST__UNIX_CREDS__INIT;
	msg->creds->pid = cred.pid > 0 ? file_dump_vpid(d, cred.pid) : 0;
	msg->creds->uid = cred.uid;
	msg->creds->gid = cred.gid;
	return 0;
}

static int get_desc(struct file_dump *d, const struct fd_view *v, uint32_t id, Kist__Unix *msg)
{
	Kist__FileDesc *desc = malloc(sizeof(*desc));
	Kist__FdOwner owner;

	if (!desc)
		return -ENOMEM;
	file_dump_desc(d, v, id, desc, &owner);
	msg->desc = desc;
	if (!desc->owner)
		return 0;
	desc->owner = malloc(sizeof(owner));
	if (!desc->owner)
		return -ENOMEM;
	*desc->owner = owner;
	return 0;
}

static int read_socket(struct file_dump *d, const struct fd_view *v, uint32_t id,
	const struct unix_diag *diag, Kist__Unix *msg, struct err *err)
{
	socklen_t len = sizeof(int);
	int type, r;

	if (get_desc(d, v, id, msg) < 0)
		return err_oom(err);
	if (getsockopt(v->local, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return file_refuse(v, err, -errno, "its type cannot be read: %m");
	msg->type = type;
	if (diag->state == TCP_LISTEN) {
		msg->has_listening = msg->listening = true;
		msg->has_backlog = true;
		msg->backlog = diag->backlog;
	}
	msg->has_shutdown = diag->shutdown != 0;
	msg->shutdown = diag->shutdown;
	r = unix_opts_get(v->local, msg, err);
	if (r == 0)
		r = get_name(d, v, id, msg, err);
	if (r == 0)
		r = get_peer(d, v, msg, err);
	if (r == 0 && !msg->listening)
		r = unix_queue_get(d, v, msg, err);
	return r;
}

static int unix_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	struct unix_state *s = *file_dump_state(d, &file_kind_unix);
	const struct unix_diag *diag;
	struct unix_seen *e;
	Kist__Unix *msg;
	int r, unread = 0;

	if (!s)
		*file_dump_state(d, &file_kind_unix) = s = calloc(1, sizeof(*s));
	if (!s || array_reserve(&s->seen, &s->cap, s->n + 1, sizeof(*s->seen)) < 0)
		return err_oom(err);
	r = find_diag(s, v, &diag, err);
	if (r < 0)
		return r;
	(void)ioctl(v->local, SIOCOUTQ, &unread); /* else 0 */
	msg = malloc(sizeof(*msg));
	e = &s->seen[s->n++];
	*e = (struct unix_seen){.ino = v->st.st_ino,
		.msg = msg,
		.task = v->task,
		.fd = v->fd,
		.what = v->what ? "passed fd" : NULL,
		.link = strdup(v->link),
		.peer = diag->peer,
		.connected = diag->connected,
		.unread = unread > 0,
		.n_pending = diag->n_pending,
		.pending = calloc(diag->n_pending + 1, sizeof(*diag->pending))};
	if (!msg || !e->link || !e->pending)
		return err_oom(err);
	*msg = (Kist__Unix)KIST__UNIX__INIT;
	if (diag->n_pending)
		memcpy(e->pending, diag->pending, diag->n_pending * sizeof(*diag->pending));
	return read_socket(d, v, id, diag, msg, err); /* may add others, and so move e */
}

/* ---- peers ---- */

static int seen_cmp(const void *a, const void *b)
{
	const struct unix_seen *x = a, *y = b;

	return (x->ino > y->ino) - (x->ino < y->ino);
}

static struct unix_seen *find_seen(const struct unix_state *s, uint32_t ino)
{
	const struct unix_seen key = {.ino = ino};

	return ino && s->n ? bsearch(&key, s->seen, s->n, sizeof(key), seen_cmp) : NULL;
}

static int refuse_outside(const struct unix_seen *e, const char *what, uint32_t ino,
	const char *hint, struct err *err)
{
	const struct fd_view v = {.task = e->task, .fd = e->fd, .what = e->what, .link = e->link};

	(void)file_refuse(&v, err, -EXDEV, "%s (inode %u) is outside of the tree", what, ino);
	return err_hint(err, "%s", hint);
}

/* What it has sent to a connection that nobody has accepted yet cannot be seen from anywhere. */
static int refuse_unread(const struct unix_seen *e, struct err *err)
{
	const struct fd_view v = {.task = e->task, .fd = e->fd, .what = e->what, .link = e->link};

	(void)file_refuse(&v, err, -EBUSY, "it has sent data and waits to be accepted");
	return err_hint(err, "try again when the server has accepted it");
}

/* Those that wait at a listener, in the order in which they came. */
static int resolve_pending(
	struct file_dump *d, struct unix_state *s, struct unix_seen *e, struct err *err)
{
	struct unix_seen *client;
	size_t i;

	if (!e->n_pending)
		return 0;
	e->msg->pending = calloc(e->n_pending, sizeof(*e->msg->pending));
	if (!e->msg->pending)
		return err_oom(err);
	for (i = 0; i < e->n_pending; i++) {
		client = find_seen(s, e->pending[i]);
		if (client && client->unread)
			return refuse_unread(client, err);
		if (client) {
			e->msg->pending[e->msg->n_pending++] = client->msg->desc->id;
			client->connected = false; /* no peer to be found by */
			continue;
		}
		if (!e->pending[i] || file_dump_options(d)->ext_unix)
			continue; /* it has gone away already, or is left behind */
		return refuse_outside(e, "a client that waits to be accepted", e->pending[i],
			"let it be accepted first, or use --ext-unix to drop it", err);
	}
	return 0;
}

static int resolve_peer(
	struct file_dump *d, struct unix_state *s, struct unix_seen *e, struct err *err)
{
	const struct unix_seen *peer = find_seen(s, e->peer);

	if (!e->connected)
		return 0;
	if (peer) {
		e->msg->has_peer = true;
		e->msg->peer = peer->msg->desc->id;
		return 0;
	}
	if (e->peer && !file_dump_options(d)->ext_unix)
		return refuse_outside(e, "its other end", e->peer,
			"checkpoint that process too, or use --ext-unix to leave it closed", err);
	e->msg->has_peer_gone = e->msg->peer_gone = true;
	return 0;
}

static int unix_finish(struct file_dump *d, struct err *err)
{
	struct unix_state *s = *file_dump_state(d, &file_kind_unix);
	size_t i;
	int r = 0;

	if (!s)
		return 0;
	qsort(s->seen, s->n, sizeof(*s->seen), seen_cmp);
	for (i = 0; r == 0 && i < s->n; i++)
		r = resolve_pending(d, s, &s->seen[i], err);
	for (i = 0; r == 0 && i < s->n; i++)
		r = resolve_peer(d, s, &s->seen[i], err);
	for (i = 0; r == 0 && i < s->n; i++)
		r = file_dump_put(d, NULL, RECORD_UNIX, s->seen[i].msg, err);
	return r;
}

const struct file_kind file_kind_unix = {
	.name = "unix socket",
	.record = RECORD_UNIX,
	.probe = unix_probe,
	.dump = unix_dump,
	.dump_finish = unix_finish,
	.dump_done = unix_done,
	.check = unix_check,
	.open = unix_open,
};
