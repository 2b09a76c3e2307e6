// SPDX-License-Identifier: Apache-2.0
/* What only sock_diag(7) tells: where a connection that is being made goes to. */
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>

#include "base/util.h"
#include "cr/file/inet-internal.h"
#include "sys/netns.h"

struct search {
	ino_t ino;
	union inet_addr found;
	bool done;
};

static int take_socket(const struct nlmsghdr *nlh, void *arg)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
	struct search *s = arg;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m) || m->idiag_inode != s->ino)
		return MNL_CB_OK;
	s->found.sa.sa_family = m->idiag_family;
	if (m->idiag_family == AF_INET6) {
		memcpy(&s->found.v6.sin6_addr, m->id.idiag_dst, 16);
		s->found.v6.sin6_port = m->id.idiag_dport;
		if (IN6_IS_ADDR_LINKLOCAL(&s->found.v6.sin6_addr))
			s->found.v6.sin6_scope_id = m->id.idiag_if;
	} else {
		memcpy(&s->found.v4.sin_addr, m->id.idiag_dst, 4);
		s->found.v4.sin_port = m->id.idiag_dport;
	}
	s->done = true;
	return MNL_CB_OK;
}

int inet_diag_peer(int netns_fd, int family, ino_t ino, union inet_addr *ret, struct err *err)
{
	autoclose int fd = netns_socket(netns_fd, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG, err);
	_Alignas(struct nlmsghdr) char buf[32768];
	struct search s = {.ino = ino};
	struct inet_diag_req_v2 *req;
	struct nlmsghdr *nlh;
	ssize_t n;
	int r = 1;

	if (fd < 0)
		return fd;
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));
	req->sdiag_family = family;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_states = 1 << TCP_SYN_SENT;
	if (send(fd, nlh, nlh->nlmsg_len, 0) < 0)
		return err_set(err, -errno, "cannot ask for the state of sockets");
	while (r > 0) {
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0)
			return err_set(err, -errno, "cannot read the state of sockets");
		r = mnl_cb_run(buf, n, 0, 0, take_socket, &s);
	}
	if (r < 0)
		return err_set(err, -errno, "cannot read the state of sockets");
	if (!s.done)
		return err_setx(err, -EAGAIN, "it is being connected just now");
	*ret = s.found;
	return 0;
}
