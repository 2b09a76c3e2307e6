// SPDX-License-Identifier: Apache-2.0
/*
 * netlink(7) sockets: protocol, address, groups, options. Messages that wait in the queue cannot be
 * made again: the socket gets what the kernel itself does when it drops messages, which every user
 * of netlink has to expect, only without the error; so it is said in the log.
 */
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>

#include "base/log.h"
#include "base/util.h"
#include "cr/file/file-internal.h"
#include "cr/file/inet-internal.h"

#define GROUP_WORDS 64 /* 2048 groups; the kernel's largest protocol has a few hundred */

static int get_int(int fd, int opt, int fallback)
{
	socklen_t len = sizeof(fallback);
	int v;

	return getsockopt(fd, SOL_SOCKET, opt, &v, &len) < 0 ? fallback : v;
}

static int netlink_probe(struct file_dump *d, const struct fd_view *v)
{
	return S_ISSOCK(v->st.st_mode) && !(v->flags & O_PATH) &&
	       get_int(v->local, SO_DOMAIN, -1) == AF_NETLINK;
}

static int get_groups(int fd, Kist__Netlink *msg, struct err *err)
{
	uint32_t words[GROUP_WORDS] = {0};
	socklen_t len = sizeof(words);
	size_t i;

	if (getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, words, &len) < 0)
		return err_set(err, -errno, "cannot read its groups");
	msg->groups = calloc(GROUP_WORDS * 32, sizeof(*msg->groups));
	if (!msg->groups)
		return err_oom(err);
	for (i = 0; i < MIN((size_t)len, sizeof(words)) * 8; i++)
		if (words[i / 32] & 1u << (i % 32))
			msg->groups[msg->n_groups++] = i + 1;
	return 0;
}

static int describe(const struct fd_view *v, Kist__Netlink *msg, struct err *err)
{
	struct pollfd pfd = {.fd = v->local, .events = POLLIN};
	struct sockaddr_nl a = {0};
	socklen_t len = sizeof(a);

	if (getsockname(v->local, (struct sockaddr *)&a, &len) < 0)
		return err_set(err, -errno, "cannot read its address");
	msg->port_id = a.nl_pid;
	len = sizeof(a);
	if (getpeername(v->local, (struct sockaddr *)&a, &len) == 0 && (a.nl_pid || a.nl_groups)) {
		msg->has_peer_port_id = msg->has_peer_groups = true;
		msg->peer_port_id = a.nl_pid;
		msg->peer_groups = a.nl_groups;
	}
	if (poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLIN))
		log_warn("fd %d of '%s' (pid %d): messages in the queue of a netlink socket are "
			 "lost",
			v->fd, v->task->comm, v->task->pid);
	return get_groups(v->local, msg, err);
}

static int netlink_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	Kist__Netlink *msg = malloc(sizeof(*msg));
	Kist__FileDesc desc;
	Kist__FdOwner owner;
	int r;

	if (!msg)
		return err_oom(err);
	kist__netlink__init(msg);
	file_dump_desc(d, v, id, &desc, &owner);
	msg->desc = &desc;
	msg->type = get_int(v->local, SO_TYPE, 0);
	msg->protocol = get_int(v->local, SO_PROTOCOL, 0);
	r = describe(v, msg, err);
	if (r == 0)
		r = netlink_opts_get(v->local, msg, err);
	if (r < 0)
		err_wrap(err, "cannot save fd %d of '%s' (pid %d), a netlink socket", v->fd,
			v->task->comm, v->task->pid);
	else
		r = file_dump_put(d, v, RECORD_NETLINK, msg, err);
	msg->desc = NULL; /* ours */
	kist__netlink__free_unpacked(msg, NULL);
	return r;
}

static int netlink_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	return netlink_opts_check((const Kist__Netlink *)m, err);
}

static int connect_again(int fd, const Kist__Netlink *msg, struct err *err)
{
	struct sockaddr_nl local = {.nl_family = AF_NETLINK, .nl_pid = msg->port_id};
	struct sockaddr_nl peer = {.nl_family = AF_NETLINK,
		.nl_pid = msg->peer_port_id,
		.nl_groups = msg->peer_groups};
	size_t i;

	if (msg->port_id && bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0)
		return err_set(
			err, -errno, "cannot give a netlink socket its port %u", msg->port_id);
	for (i = 0; i < msg->n_groups; i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &msg->groups[i],
			    sizeof(msg->groups[i])) < 0)
			return err_set(err, -errno, "cannot join netlink group %u", msg->groups[i]);
	if (msg->has_peer_port_id && connect(fd, (struct sockaddr *)&peer, sizeof(peer)) < 0)
		return err_set(err, -errno, "cannot connect a netlink socket");
	return 0;
}

static int netlink_open_again(
	struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Netlink *msg = (const Kist__Netlink *)m;
	autoclose int fd = socket(AF_NETLINK, msg->type | SOCK_CLOEXEC, msg->protocol);
	int e;

	if (fd < 0)
		return err_set(
			err, -errno, "cannot make a netlink socket (protocol %u)", msg->protocol);
	e = netlink_opts_set(fd, msg, err);
	if (e == 0)
		e = connect_again(fd, msg, err);
	return e < 0 ? e : file_store(r, msg->desc->id, TAKE_FD(fd), err);
}

const struct file_kind file_kind_netlink = {
	.name = "netlink socket",
	.record = RECORD_NETLINK,
	.probe = netlink_probe,
	.dump = netlink_dump,
	.check = netlink_check,
	.open = netlink_open_again,
};
