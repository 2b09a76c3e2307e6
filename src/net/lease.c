// SPDX-License-Identifier: Apache-2.0
/* The lease book as a data structure: who gets which address and port. See lease.h. */
#include "net/lease.h"

#include <arpa/inet.h>
#include <ctype.h>

#include "base/util.h"

static void lease_done(struct lease *lease)
{
	free(lease->ports);
	*lease = (struct lease){0};
}

void lease_book_done(struct lease_book *book)
{
	size_t i;

	if (!book)
		return;
	for (i = 0; i < book->n; i++)
		lease_done(&book->leases[i]);
	free(book->leases);
	*book = (struct lease_book){0};
}

int lease_check_id(const char *id, struct err *err)
{
	const char *p;

	for (p = id; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_.-+:@", *p))
			return err_setx(err, -EINVAL,
				"the container id '%s' has a character that network rules cannot "
				"carry",
				id);
	if (p == id || p - id > LEASE_ID_MAX)
		return err_setx(err, -EINVAL,
			"the container id '%s' is empty or over %d characters", id, LEASE_ID_MAX);
	return 0;
}

struct lease *lease_find(const struct lease_book *book, const char *id)
{
	size_t i;

	for (i = 0; i < book->n; i++)
		if (strcmp(book->leases[i].id, id) == 0)
			return &book->leases[i];
	return NULL;
}

static struct lease *find_address(const struct lease_book *book, struct in_addr address)
{
	size_t i;

	for (i = 0; i < book->n; i++)
		if (book->leases[i].address.s_addr == address.s_addr)
			return &book->leases[i];
	return NULL;
}

struct lease *lease_find_address(const struct lease_book *book, const char *address)
{
	struct in_addr a;

	return inet_pton(AF_INET, address, &a) == 1 ? find_address(book, a) : NULL;
}

void lease_remove(struct lease_book *book, struct lease *lease)
{
	size_t i = lease - book->leases;

	lease_done(lease);
	memmove(lease, lease + 1, (book->n - i - 1) * sizeof(*lease));
	book->n--;
}

struct in_addr lease_gateway(const struct lease_book *book)
{
	return (struct in_addr){htonl(ntohl(book->subnet.s_addr) + 1)};
}

unsigned int lease_number(const struct lease_book *book, const struct lease *lease)
{
	return ntohl(lease->address.s_addr) - ntohl(book->subnet.s_addr);
}

/* Two publications collide when protocol and port are the same and the addresses meet. */
static bool ports_meet(const struct net_port *a, const struct net_port *b)
{
	return a->protocol == b->protocol && a->host == b->host &&
	       (!a->host_ip[0] || !b->host_ip[0] || strcmp(a->host_ip, b->host_ip) == 0);
}

static int check_port(const struct lease_book *book, const struct net_port *port, struct err *err)
{
	size_t i, k;

	for (i = 0; i < book->n; i++)
		for (k = 0; k < book->leases[i].n_ports; k++)
			if (ports_meet(port, &book->leases[i].ports[k]))
				return err_setx(err, -EADDRINUSE,
					"the host's port %u/%s is already published by container "
					"'%s'",
					port->host, port->protocol == IPPROTO_UDP ? "udp" : "tcp",
					book->leases[i].id);
	return 0;
}

static int check_ports(
	const struct lease_book *book, const struct net_port *ports, size_t n, struct err *err)
{
	struct in_addr any;
	size_t i, k;
	int r;

	if (n > LEASE_PORTS_MAX)
		return err_setx(err, -E2BIG, "more than %d published ports", LEASE_PORTS_MAX);
	for (i = 0; i < n; i++) {
		if (ports[i].protocol != IPPROTO_TCP && ports[i].protocol != IPPROTO_UDP)
			return err_setx(
				err, -EPROTONOSUPPORT, "only tcp and udp ports can be published");
		if (!ports[i].host || !ports[i].container)
			return err_setx(err, -EINVAL, "port 0 cannot be published");
		if (ports[i].host_ip[0] && inet_pton(AF_INET, ports[i].host_ip, &any) != 1)
			return err_setx(err, -EAFNOSUPPORT,
				"cannot publish on '%s': the bridge network is IPv4",
				ports[i].host_ip);
		for (k = 0; k < i; k++)
			if (ports_meet(&ports[i], &ports[k]))
				return err_setx(
					err, -EINVAL, "port %u is published twice", ports[i].host);
		r = check_port(book, &ports[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* FNV-1a: spreads names over the pool; nothing depends on its strength. */
static uint32_t hash_id(const char *id)
{
	uint32_t h = 2166136261u;

	for (; *id; id++)
		h = (h ^ (unsigned char)*id) * 16777619u;
	return h;
}

static int choose_free(
	const struct lease_book *book, const char *id, struct in_addr *ret, struct err *err)
{
	/* Neither the network itself, nor the bridge's address, nor the broadcast one. */
	uint32_t first = 2, n = (~0u >> book->prefix) - 2, start = hash_id(id) % n, i;
	struct in_addr a;

	for (i = 0; i < n; i++) {
		a.s_addr = htonl(ntohl(book->subnet.s_addr) + first + (start + i) % n);
		if (find_address(book, a))
			continue;
		*ret = a;
		return 0;
	}
	return err_setx(err, -EADDRNOTAVAIL, "every address of the bridge network is leased");
}

static int choose_wanted(
	struct lease_book *book, const char *want, struct in_addr *ret, struct err *err)
{
	uint32_t host = ~0u >> book->prefix;
	struct lease *other;
	struct in_addr a;

	if (inet_pton(AF_INET, want, &a) != 1)
		return err_setx(err, -EINVAL, "'%s' is not an IPv4 address", want);
	if ((ntohl(a.s_addr) & ~host) != ntohl(book->subnet.s_addr) ||
		(ntohl(a.s_addr) & host) < 2 || (ntohl(a.s_addr) & host) == host)
		return err_setx(err, -EADDRNOTAVAIL,
			"the address %s is not one for containers of the bridge network", want);
	other = find_address(book, a);
	if (other && !other->parked)
		return err_setx(
			err, -EADDRINUSE, "the address %s is container '%s''s", want, other->id);
	if (other)
		lease_remove(book, other); /* what it was kept for is happening */
	*ret = a;
	return 0;
}

int lease_add(struct lease_book *book, const char *id, const char *want,
	const struct net_port *ports, size_t n_ports, struct lease **ret, struct err *err)
{
	autofree struct net_port *copy = NULL;
	struct in_addr address = {0};
	struct lease *lease;
	int r;

	r = want ? choose_wanted(book, want, &address, err) : choose_free(book, id, &address, err);
	if (r < 0)
		return r;
	r = check_ports(book, ports, n_ports, err);
	if (r < 0)
		return r;
	if (n_ports) {
		copy = calloc(n_ports, sizeof(*copy));
		if (!copy)
			return err_oom(err);
		memcpy(copy, ports, n_ports * sizeof(*copy));
	}
	if (array_reserve(&book->leases, &book->cap, book->n + 1, sizeof(*lease)) < 0)
		return err_oom(err);
	lease = &book->leases[book->n++];
	*lease = (struct lease){.address = address, .ports = TAKE_PTR(copy), .n_ports = n_ports};
	strncpy(lease->id, id, LEASE_ID_MAX);
	*ret = lease;
	return 0;
}
