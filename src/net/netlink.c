// SPDX-License-Identifier: Apache-2.0
/* See netlink.h. Framing and errors; the requests themselves are in rtnl.c. */
#include "net/netlink.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/util.h"
#include "sys/netns.h"

int netlink_open(int netns_fd, int protocol, struct netlink **ret, struct err *err)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK};
	autonetlink struct netlink *nl = malloc(sizeof(*nl));
	int one = 1;

	if (!nl)
		return err_oom(err);
	nl->seq = 0;
	nl->why[0] = '\0';
	nl->fd = netns_socket(netns_fd, AF_NETLINK, SOCK_RAW, protocol, err);
	if (nl->fd < 0)
		return nl->fd;
	if (bind(nl->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_set(err, -errno, "cannot bind a netlink socket");
	/* Both only make answers better: old kernels go without. */
	(void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	*ret = TAKE_PTR(nl);
	return 0;
}

void netlink_free(struct netlink *nl)
{
	if (!nl)
		return;
	if (nl->fd >= 0)
		(void)close(nl->fd); /* nothing useful can be done about a failed close */
	free(nl);
}

struct nlmsghdr *netlink_start(struct netlink *nl, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(nl->msg);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++nl->seq;
	return nlh;
}

/* NLMSGERR_ATTR_MSG after the (possibly capped) copy of the request. */
static void keep_why(struct netlink *nl, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	size_t off = sizeof(*e);
	const struct nlattr *a;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		off += MNL_ALIGN(e->msg.nlmsg_len) - sizeof(e->msg);
	if (mnl_nlmsg_get_payload_len(nlh) < off)
		return;
	mnl_attr_for_each(a, nlh, off) if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG)
		snprintf(nl->why, sizeof(nl->why), "%.*s", (int)mnl_attr_get_payload_len(a),
			mnl_attr_get_str(a));
}

/* One datagram of the answer. Returns 1 at its end, 0 to read on, or -errno. */
static int take_answer(
	struct netlink *nl, const char *buf, size_t len, netlink_each each, void *arg)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)buf;
	int left = len, r, code;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_seq != nl->seq)
			continue; /* the rest of an answer that was not read to its end */
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			return -EAGAIN;
		if (nlh->nlmsg_type == NLMSG_ERROR) {
			if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nlmsgerr))
				return -EBADMSG;
			code = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(nlh))->error;
			keep_why(nl, nlh);
			return code ? code : 1;
		}
		if (nlh->nlmsg_type == NLMSG_DONE) {
			code = mnl_nlmsg_get_payload_len(nlh) >= sizeof(int)
				       ? *(const int *)mnl_nlmsg_get_payload(nlh)
				       : 0;
			return code < 0 ? code : 1;
		}
		r = each ? each(nlh, arg) : 0;
		if (r < 0)
			return r;
		if (!(nlh->nlmsg_flags & NLM_F_MULTI) && each)
			return 1;
	}
	return 0;
}

int netlink_query(struct netlink *nl, struct nlmsghdr *req, netlink_each each, void *arg)
{
	autofree char *buf = malloc(NETLINK_MSG_MAX);
	ssize_t n;
	int r;

	if (!buf)
		return -ENOMEM;
	nl->why[0] = '\0';
	do
		n = send(nl->fd, req, req->nlmsg_len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (;;) {
		n = recv(nl->fd, buf, NETLINK_MSG_MAX, MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n > NETLINK_MSG_MAX)
			return -EMSGSIZE;
		r = take_answer(nl, buf, n, each, arg);
		if (r)
			return r < 0 ? r : 0;
	}
}

int netlink_run(struct netlink *nl, struct nlmsghdr *req)
{
	req->nlmsg_flags |= NLM_F_ACK;
	return netlink_query(nl, req, NULL, NULL);
}

int netlink_err(struct netlink *nl, struct err *err, int code, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap); /* a cut text is still a text */
	va_end(ap);
	if (!nl->why[0])
		return err_set(err, code, "%s", what);
	return err_setx(err, code, "%s: %s (%s)", what, strerror(-code), nl->why);
}
