// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses are translated by two maps (a published port on one host address, or on all), so that
 * the number of rules does not grow with the number of containers. The whole table is written anew
 * at every change: what is in it never depends on what was there before. Connections that exist
 * keep their translation, which conntrack holds.
 */
#include "net/publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include KIST_XXHASH

static void add_elements(struct buf *b, const struct lease_book *book, bool addressed)
{
	char address[INET_ADDRSTRLEN];
	const char *before = "\t\telements = { ";
	const struct net_port *p;
	const struct lease *l;
	bool any = false;

	for (l = book->leases; l < book->leases + book->n; l++) {
		(void)inet_ntop(AF_INET, &l->address, address, sizeof(address)); /* always fits */
		for (p = l->ports; p < l->ports + l->n_ports; p++) {
			if (addressed != !!p->host_ip[0])
				continue;
			(void)buf_adds(b, before); /* the buffer remembers a failure */
			if (addressed)
				(void)buf_addf(b, "%s . ", p->host_ip);
			(void)buf_addf(b, "%s . %u comment \"%s\" : %s . %u",
				p->protocol == IPPROTO_UDP ? "udp" : "tcp", p->host, l->id, address,
				p->container);
			before = ",\n\t\t\t";
			any = true;
		}
	}
	if (any)
		(void)buf_adds(b, " }\n");
}

static void add_nat(struct buf *b, const char *subnet, const char *gateway)
{
	(void)buf_adds(b, "\tchain published {\n"
			  "\t\tdnat ip to ip daddr . meta l4proto . th dport map @published_on\n"
			  "\t\tdnat ip to meta l4proto . th dport map @published\n"
			  "\t}\n"
			  "\tchain prerouting {\n"
			  "\t\ttype nat hook prerouting priority -100;\n"
			  "\t\tmeta l4proto { tcp, udp } fib daddr type local jump published\n"
			  "\t}\n"
			  "\tchain output {\n"
			  "\t\ttype nat hook output priority -100;\n"
			  "\t\tmeta l4proto { tcp, udp } fib daddr type local jump published\n"
			  "\t}\n");
	/*
	 * From the host's own loopback, and from a container to a port published by the host, the
	 * answer must come back through the bridge: "snat", not "masquerade", whose translations
	 * die when the bridge goes down between a checkpoint and its restore.
	 */
	(void)buf_addf(b,
		"\tchain postrouting {\n"
		"\t\ttype nat hook postrouting priority 100;\n"
		"\t\tip saddr 127.0.0.0/8 oifname \"%s\" snat to %s\n"
		"\t\tip saddr %s oifname \"%s\" ct status dnat snat to %s\n"
		"\t\tip saddr %s ip daddr != { %s, 224.0.0.0/4 } oifname != \"%s\" masquerade\n"
		"\t}\n",
		NET_BRIDGE, gateway, subnet, NET_BRIDGE, gateway, subnet, subnet, NET_BRIDGE);
	/*
	 * route_localnet, which the host's loopback needs, would also let containers in to services
	 * that listen on 127.0.0.1 only. Before NAT, no honest packet from them has that address.
	 */
	(void)buf_addf(b,
		"\tchain guard {\n"
		"\t\ttype filter hook prerouting priority -300;\n"
		"\t\tiifname \"%s\" ip daddr 127.0.0.0/8 drop\n"
		"\t}\n",
		NET_BRIDGE);
}

int publish_rules(const struct lease_book *book, struct buf *b, char *mark)
{
	char text[INET_ADDRSTRLEN], subnet[INET_ADDRSTRLEN + 4], gateway[INET_ADDRSTRLEN];
	struct in_addr gw = lease_gateway(book);
	size_t start;

	mark[0] = '\0';
	/* "add" first: deleting a table that is not there would refuse the whole. */
	(void)buf_adds(b, PUBLISH_REPLACE);
	if (!book->n)
		return b->failed ? -ENOMEM : 0;
	start = b->len;
	(void)inet_ntop(AF_INET, &book->subnet, text, sizeof(text)); /* these always fit */
	(void)inet_ntop(AF_INET, &gw, gateway, sizeof(gateway));
	(void)snprintf(subnet, sizeof(subnet), "%s/%u", text, book->prefix);
	(void)buf_adds(b, "table ip " NET_TABLE " {\n"
			  "\tmap published {\n"
			  "\t\ttype inet_proto . inet_service : ipv4_addr . inet_service\n");
	add_elements(b, book, false);
	(void)buf_adds(b,
		"\t}\n"
		"\tmap published_on {\n"
		"\t\ttype ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service\n");
	add_elements(b, book, true);
	(void)buf_adds(b, "\t}\n");
	add_nat(b, subnet, gateway);
	if (b->failed)
		return -ENOMEM;
	(void)snprintf(mark, PUBLISH_MARK_MAX, "sum-%016" PRIx64,
		(uint64_t)XXH3_64bits(b->data + start, b->len - start)); /* fits */
	(void)buf_addf(b, "\tchain %s {\n\t}\n}\n", mark);
	return b->failed ? -ENOMEM : 0;
}
