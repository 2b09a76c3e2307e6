// SPDX-License-Identifier: Apache-2.0
/* The connections of an image, see inet.h. Addresses pass through inet_pton: the image is hostile.
 */
#include "cr/file/inet.h"

#include "base/util.h"
#include "cr/file/inet-internal.h"
#include "cr/image/image.h"

int inet_conn_address(const Kist__InetAddress *a, int *family, char ret[INET6_ADDRSTRLEN])
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, a->address, &v4) == 1) {
		*family = AF_INET;
		(void)inet_ntop(AF_INET, &v4, ret, INET6_ADDRSTRLEN); /* fits */
		return 0;
	}
	if (inet_pton(AF_INET6, a->address, &v6) != 1)
		return -EBADMSG;
	*family = IN6_IS_ADDR_V4MAPPED(&v6) ? AF_INET : AF_INET6;
	(void)inet_ntop(*family, v6.s6_addr + (*family == AF_INET ? 12 : 0), ret,
		INET6_ADDRSTRLEN); /* fits */
	return 0;
}

int inet_conn_fill(const Kist__Inet *msg, struct inet_conn *ret)
{
	struct inet_conn c = {.netns_fd = -EBADF};
	int family;

	if (!msg->local || !msg->remote || !msg->local->address || !msg->remote->address ||
		msg->local->port > UINT16_MAX || msg->remote->port > UINT16_MAX ||
		inet_conn_address(msg->local, &c.family, c.local) < 0 ||
		inet_conn_address(msg->remote, &family, c.remote) < 0 || family != c.family)
		return -EBADMSG;
	c.local_port = msg->local->port;
	c.remote_port = msg->remote->port;
	*ret = c;
	return 0;
}

int inet_image_connections(
	const struct image *img, struct inet_conn **ret, size_t *ret_n, struct err *err)
{
	size_t i, n = image_count(img, RECORD_INET), found = 0;
	autofree struct inet_conn *list = calloc(n + 1, sizeof(*list));
	const Kist__Inet *msg;

	if (!list)
		return err_oom(err);
	for (i = 0; i < n; i++) {
		msg = (const Kist__Inet *)image_get(img, RECORD_INET, i);
		if (!inet_tcp_connected(msg))
			continue;
		if (inet_conn_fill(msg, &list[found++]) < 0)
			return err_setx(err, -EBADMSG,
				"the image has a connection with impossible addresses");
	}
	*ret = TAKE_PTR(list);
	*ret_n = found;
	return 0;
}
