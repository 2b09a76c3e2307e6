// SPDX-License-Identifier: Apache-2.0
/* Socket addresses as the image has them: text. See inet-internal.h. */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/util.h"
#include "cr/file/inet-internal.h"

socklen_t inet_addr_len(const union inet_addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4);
}

bool inet_addr_any(const union inet_addr *a)
{
	return a->sa.sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr)
					   : a->v4.sin_addr.s_addr == 0;
}

uint16_t inet_addr_port(const union inet_addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET6 ? a->v6.sin6_port : a->v4.sin_port);
}

const char *inet_addr_text(const Kist__InetAddress *a, char text[INET_ADDR_TEXT])
{
	if (!a)
		return "nobody";
	(void)snprintf(text, INET_ADDR_TEXT, strchr(a->address, ':') ? "[%s]:%u" : "%s:%u",
		a->address, a->port); /* a cut text is still a text */
	return text;
}

int inet_addr_get(int fd, const union inet_addr *a, Kist__InetAddress **ret, struct err *err)
{
	const void *bytes = a->sa.sa_family == AF_INET6 ? (const void *)&a->v6.sin6_addr
							: (const void *)&a->v4.sin_addr;
	Kist__InetAddress *msg = calloc(1, sizeof(*msg));
	struct ifreq ifr = {0};
	char text[INET6_ADDRSTRLEN];

	if (!msg)
		return err_oom(err);
	kist__inet_address__init(msg);
	if (!inet_ntop(a->sa.sa_family, bytes, text, sizeof(text))) {
		free(msg);
		return err_set(err, -errno, "cannot print a socket address");
	}
	msg->address = strdup(text);
	msg->port = inet_addr_port(a);
	if (a->sa.sa_family == AF_INET6 && a->v6.sin6_scope_id) {
		/* The index may be another after restore; the name is what people configure. */
		ifr.ifr_ifindex = a->v6.sin6_scope_id;
		if (ioctl(fd, SIOCGIFNAME, &ifr) == 0)
			msg->link = strdup(ifr.ifr_name);
	}
	if (!msg->address || (a->sa.sa_family == AF_INET6 && ifr.ifr_name[0] && !msg->link)) {
		kist__inet_address__free_unpacked(msg, NULL);
		return err_oom(err);
	}
	*ret = msg;
	return 0;
}

int inet_addr_set(
	int fd, int family, const Kist__InetAddress *msg, union inet_addr *ret, struct err *err)
{
	struct ifreq ifr = {0};
	int ok;

	*ret = (union inet_addr){0};
	ret->sa.sa_family = family;
	if (family == AF_INET6) {
		ok = inet_pton(AF_INET6, msg->address, &ret->v6.sin6_addr);
		ret->v6.sin6_port = htons(msg->port);
	} else {
		ok = inet_pton(AF_INET, msg->address, &ret->v4.sin_addr);
		ret->v4.sin_port = htons(msg->port);
	}
	if (ok != 1 || msg->port > UINT16_MAX)
		return err_setx(
			err, -EBADMSG, "the image has an impossible address '%s'", msg->address);
	if (!msg->link || family != AF_INET6 || fd < 0)
		return 0;
	if (strlen(msg->link) >= sizeof(ifr.ifr_name))
		return err_setx(
			err, -EBADMSG, "the image has an impossible interface '%s'", msg->link);
	strcpy(ifr.ifr_name, msg->link);
	if (ioctl(fd, SIOCGIFINDEX, &ifr) < 0)
		return err_set(err, -errno, "no interface '%s' for the address '%s'", msg->link,
			msg->address);
	ret->v6.sin6_scope_id = ifr.ifr_ifindex;
	return 0;
}
