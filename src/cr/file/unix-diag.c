// SPDX-License-Identifier: Apache-2.0
/* sock_diag(7) of unix sockets: peers, shutdown state, who waits to be accepted. */
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/unix_diag.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "base/util.h"
#include "cr/file/unix.h"

void unix_diag_done(struct unix_diag_list *l)
{
	while (l->n > 0)
		free(l->socks[--l->n].pending);
	free(l->socks);
	*l = (struct unix_diag_list){0};
}

static int ino_cmp(const void *a, const void *b)
{
	const struct unix_diag *x = a, *y = b;

	return (x->ino > y->ino) - (x->ino < y->ino);
}

const struct unix_diag *unix_diag_find(const struct unix_diag_list *l, uint32_t ino)
{
	const struct unix_diag key = {.ino = ino};

	return l->n ? bsearch(&key, l->socks, l->n, sizeof(*l->socks), ino_cmp) : NULL;
}

/* A diag socket in the namespace of @sock. */
static int open_diag(int sock)
{
	autoclose int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	autoclose int there = ioctl(sock, SIOCGSKNS);
	int fd;

	if (here < 0 || there < 0)
		return -errno;
	if (setns(there, CLONE_NEWNET) < 0)
		return -errno;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		fd = -errno;
	if (setns(here, CLONE_NEWNET) < 0) { /* we came from there: never seen to fail */
		if (fd >= 0)
			(void)close(fd);
		return -errno;
	}
	return fd;
}

static int add_attr(const struct nlattr *attr, void *arg)
{
	struct unix_diag *s = arg;
	const void *data = mnl_attr_get_payload(attr);
	size_t len = mnl_attr_get_payload_len(attr);

	switch (mnl_attr_get_type(attr)) {
	case UNIX_DIAG_PEER:
		s->connected = true;
		if (len >= sizeof(s->peer))
			memcpy(&s->peer, data, sizeof(s->peer));
		break;
	case UNIX_DIAG_SHUTDOWN:
		s->shutdown = *(const uint8_t *)data;
		break;
	case UNIX_DIAG_RQLEN:
		s->backlog = ((const struct unix_diag_rqlen *)data)->udiag_wqueue;
		break;
	case UNIX_DIAG_ICONS:
		free(s->pending);
		s->pending = malloc(len + 1);
		if (!s->pending)
			return MNL_CB_ERROR;
		memcpy(s->pending, data, len);
		s->n_pending = len / sizeof(*s->pending);
		break;
	}
	return MNL_CB_OK;
}

static int add_sock(const struct nlmsghdr *nlh, void *arg)
{
	const struct unix_diag_msg *m = mnl_nlmsg_get_payload(nlh);
	struct unix_diag_list *l = arg;
	struct unix_diag *s;

	if (array_reserve(&l->socks, &l->cap, l->n + 1, sizeof(*s)) < 0)
		return MNL_CB_ERROR;
	s = &l->socks[l->n++];
	*s = (struct unix_diag){.ino = m->udiag_ino, .state = m->udiag_state};
	return mnl_attr_parse(nlh, sizeof(*m), add_attr, s);
}

static int query(int fd, struct unix_diag_list *l)
{
	struct {
		struct nlmsghdr nlh;
		struct unix_diag_req req;
	} q = {
		.nlh = {.nlmsg_len = sizeof(q),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			.nlmsg_seq = 1},
		.req = {.sdiag_family = AF_UNIX,
			.udiag_states = ~0u,
			.udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN},
	};
	autofree char *buf = malloc(1 << 16);
	ssize_t n;
	int c = MNL_CB_OK;

	if (!buf)
		return -ENOMEM;
	if (send(fd, &q, sizeof(q), 0) < 0)
		return -errno;
	while (c > MNL_CB_STOP) {
		n = recv(fd, buf, 1 << 16, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		c = mnl_cb_run(buf, n, 1, 0, add_sock, l);
		if (c < 0)
			return errno ? -errno : -EIO;
	}
	return 0;
}

int unix_diag_load(int sock, struct unix_diag_list *ret, struct err *err)
{
	struct unix_diag_list l = {0};
	autoclose int fd = open_diag(sock);
	int r = fd < 0 ? fd : query(fd, &l);

	if (r < 0) {
		unix_diag_done(&l);
		(void)err_set(err, r, "cannot list unix sockets");
		return r == -ENOENT ? err_hint(err, "the kernel module unix_diag is needed") : r;
	}
	if (l.n)
		qsort(l.socks, l.n, sizeof(*l.socks), ino_cmp);
	*ret = l;
	return 0;
}
