// SPDX-License-Identifier: Apache-2.0
/* Holding up new connections while a tree accepts the last ones; see net-lock.h. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/util.h"
#include "cr/nsdump/net-lock.h"
#include "net/nft.h"

#define HOLD "10s"

struct net_hold {
	char table[32];
	int netns_fd; /* of the first; a tree has one */
	uint16_t *ports;
	size_t n, cap;
};

static int hold_new(const struct inet_port *first, struct net_hold **ret, struct err *err)
{
	struct net_hold *h = calloc(1, sizeof(*h));
	uint64_t id;

	if (!h)
		return err_oom(err);
	h->netns_fd = fcntl(first->netns_fd, F_DUPFD_CLOEXEC, 0);
	if (h->netns_fd < 0 || getrandom(&id, sizeof(id), 0) != sizeof(id)) {
		int r = err_set(err, -errno, "cannot prepare to hold up new connections");

		net_hold_free(h);
		return r;
	}
	(void)snprintf(h->table, sizeof(h->table), "kist-hold-%016llx", (unsigned long long)id);
	*ret = h;
	return 0;
}

/* The whole table again: the elements' time starts anew. */
static int apply(struct net_hold *h, struct err *err)
{
	autobuf struct buf b = {0};
	size_t i;

	(void)buf_addf(&b, /* the buffer remembers a failure, here and below */
		"add table inet %s\ndelete table inet %s\ntable inet %s {\n"
		"\tset ports {\n\t\ttype inet_service\n\t\tflags timeout\n\t\ttimeout " HOLD
		"\n\t\telements = { ",
		h->table, h->table, h->table);
	for (i = 0; i < h->n; i++)
		(void)buf_addf(&b, "%s%u", i ? ", " : "", h->ports[i]);
	(void)buf_adds(&b, " }\n\t}\n\tchain in {\n"
			   "\t\ttype filter hook input priority -500;\n"
			   "\t\ttcp dport @ports tcp flags & (syn | ack) == syn drop\n\t}\n}\n");
	return b.failed ? err_oom(err) : nft_run(h->netns_fd, b.data, NFT_TEXT, NULL, err);
}

static int add_port(struct net_hold *h, uint16_t port, struct err *err)
{
	size_t i;

	for (i = 0; i < h->n; i++)
		if (h->ports[i] == port)
			return 0;
	if (array_reserve(&h->ports, &h->cap, h->n + 1, sizeof(*h->ports)) < 0)
		return err_oom(err);
	h->ports[h->n++] = port;
	return 0;
}

int net_hold_ports(struct net_hold **hold, const struct inet_port *ports, size_t n, struct err *err)
{
	size_t i;
	int r = 0;

	if (!n)
		return 0;
	if (!*hold)
		r = hold_new(ports, hold, err);
	for (i = 0; r == 0 && i < n; i++)
		r = add_port(*hold, ports[i].port, err);
	return r == 0 ? apply(*hold, err) : r;
}

void net_hold_free(struct net_hold *hold)
{
	struct err err;
	char rules[128];

	if (!hold)
		return;
	(void)snprintf(rules, sizeof(rules), "add table inet %s\ndelete table inet %s\n",
		hold->table, hold->table); /* fits */
	if (hold->n && nft_run(hold->netns_fd, rules, NFT_TEXT, NULL, &err) < 0)
		log_warn("new connections stay held up for " HOLD ": %s", err.text);
	if (hold->netns_fd >= 0)
		(void)close(hold->netns_fd); /* only a handle */
	free(hold->ports);
	free(hold);
}
