// SPDX-License-Identifier: Apache-2.0
/*
 * Attaching and detaching. The lease is written first and the rules last: whatever is killed in
 * between leaves a lease without a link, which the next call takes for stale and clears away.
 */
#include "net/bridge.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "base/io.h"
#include "base/util.h"
#include "net/lease.h"
#include "net/netlink.h"
#include "net/nft.h"
#include "net/publish.h"

#define CONTAINER_LINK "eth0"
#define PARKED_MAX     86400 /* seconds; peers have given up long before */

/* Networks to choose from, the first that meets no route of the host. */
static const struct {
	const char *subnet;
	unsigned int prefix;
} pools[] = {
	{"10.87.0.0", 16},
	{"172.27.0.0", 16},
	{"192.168.187.0", 24},
	{"10.199.0.0", 16},
};

/* Locally administered, and a function of the address: the same after every restore. */
static void mac_of(struct in_addr address, uint8_t mac[6])
{
	mac[0] = 0x02;
	mac[1] = 0x6b;
	memcpy(mac + 2, &address.s_addr, 4);
}

static void link_name(const struct lease_book *book, const struct lease *lease, char name[IFNAMSIZ])
{
	(void)snprintf(name, IFNAMSIZ, "kist-%u", lease_number(book, lease)); /* fits: ≤ 8 digits */
}

/* Whether @want, when given, can be an address of the pool. */
static bool pool_fits(size_t i, const char *want)
{
	struct in_addr net, a;

	if (!want)
		return true;
	return inet_pton(AF_INET, want, &a) == 1 &&
	       inet_pton(AF_INET, pools[i].subnet, &net) == 1 &&
	       ((ntohl(a.s_addr) ^ ntohl(net.s_addr)) & ~(~0u >> pools[i].prefix)) == 0;
}

static int choose_subnet(
	struct netlink *nl, struct lease_book *book, const char *want, struct err *err)
{
	struct in_addr net;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(pools); i++) {
		if (!pool_fits(i, want))
			continue;
		(void)inet_pton(AF_INET, pools[i].subnet, &net); /* constants of this file */
		r = route_overlaps4(nl, net, pools[i].prefix, err);
		if (r < 0)
			return r;
		if (r)
			continue;
		book->subnet = net;
		book->prefix = pools[i].prefix;
		return 0;
	}
	if (want)
		return err_setx(err, -EADDRNOTAVAIL,
			"the address %s cannot be had here: its network is in use by another "
			"interface, or is none of kist's",
			want);
	return err_setx(err, -EADDRNOTAVAIL,
		"every network that the bridge could have is already routed on this host");
}

static bool is_parked(const struct lease *lease)
{
	int64_t age = time(NULL) - lease->parked;

	return lease->parked && age >= 0 && age < PARKED_MAX;
}

/* Leases whose link went away with the container's namespace. */
static int drop_stale(struct netlink *nl, struct lease_book *book, struct err *err)
{
	char name[IFNAMSIZ];
	size_t i;
	int r;

	for (i = book->n; i-- > 0;) {
		if (is_parked(&book->leases[i]))
			continue;
		link_name(book, &book->leases[i], name);
		r = link_find(nl, name, NULL);
		if (r >= 0)
			continue;
		if (r != -ENODEV)
			return netlink_err(nl, err, r, "cannot look up the interface '%s'", name);
		lease_remove(book, &book->leases[i]);
	}
	return 0;
}

/* A bridge without a lease is a leftover: it goes, so that its address can be chosen freely. */
static int delete_bridge(struct netlink *nl, struct err *err)
{
	char kind[IFNAMSIZ] = "";
	int r;

	r = link_find(nl, NET_BRIDGE, kind);
	if (r == -ENODEV)
		return 0;
	if (r < 0)
		return netlink_err(nl, err, r, "cannot look up the interface '%s'", NET_BRIDGE);
	if (strcmp(kind, "bridge") != 0)
		return err_setx(
			err, -EEXIST, "the interface '%s' is there and is no bridge", NET_BRIDGE);
	r = link_delete(nl, NET_BRIDGE, err);
	return r == -ENODEV ? 0 : r;
}

static int set_sysctls(struct err *err)
{
	static const char forward[] = "/proc/sys/net/ipv4/ip_forward";
	static const char localnet[] = "/proc/sys/net/ipv4/conf/" NET_BRIDGE "/route_localnet";
	int r;

	r = file_write_at(AT_FDCWD, forward, "1");
	if (r < 0)
		return err_set(err, r, "cannot turn on '%s'", forward);
	r = file_write_at(AT_FDCWD, localnet, "1");
	if (r < 0)
		return err_set(err, r, "cannot turn on '%s'", localnet);
	return 0;
}

/* Returns the index of the bridge, made and configured when it was not there. */
static int ensure_bridge(struct netlink *nl, const struct lease_book *book, struct err *err)
{
	struct in_addr gateway = lease_gateway(book);
	int index, r;
	uint8_t mac[6];

	index = link_find(nl, NET_BRIDGE, NULL);
	if (index == -ENODEV) {
		mac_of(gateway, mac);
		r = link_add_bridge(nl, NET_BRIDGE, mac, err);
		if (r < 0)
			return r;
		index = link_find(nl, NET_BRIDGE, NULL);
		if (index > 0) {
			r = addr_add4(nl, index, gateway, book->prefix, err);
			if (r < 0)
				return r;
		}
	}
	if (index < 0)
		return netlink_err(nl, err, index, "cannot look up '%s'", NET_BRIDGE);
	r = set_sysctls(err);
	if (r < 0)
		return r;
	r = link_set_up(nl, index, true, err);
	return r < 0 ? r : index;
}

/* The inside: address, default route, up. */
static int configure_inside(
	int netns_fd, const struct lease_book *book, const struct lease *lease, struct err *err)
{
	autonetlink struct netlink *nl = NULL;
	int index, r;

	r = netlink_open(netns_fd, NETLINK_ROUTE, &nl, err);
	if (r < 0)
		return r;
	index = link_find(nl, CONTAINER_LINK, NULL);
	if (index < 0)
		return netlink_err(
			nl, err, index, "cannot find '%s' in the container", CONTAINER_LINK);
	r = addr_add4(nl, index, lease->address, book->prefix, err);
	if (r < 0)
		return r;
	r = link_set_up(nl, index, true, err);
	if (r < 0)
		return r;
	return route_add_default4(nl, lease_gateway(book), index, err);
}

static int connect_container(struct netlink *nl, const struct lease_book *book,
	const struct lease *lease, int netns_fd, struct err *err)
{
	char name[IFNAMSIZ];
	int bridge, index, r;
	uint8_t mac[6];

	bridge = ensure_bridge(nl, book, err);
	if (bridge < 0)
		return bridge;
	link_name(book, lease, name);
	r = link_delete(nl, name, err); /* of a container that is being replaced */
	if (r < 0 && r != -ENODEV)
		return r;
	mac_of(lease->address, mac);
	r = link_add_veth(nl, name, CONTAINER_LINK, mac, netns_fd, err);
	if (r < 0)
		return r;
	index = link_find(nl, name, NULL);
	if (index < 0)
		return netlink_err(nl, err, index, "cannot look up the interface '%s'", name);
	r = link_set_master(nl, index, bridge, err);
	if (r < 0)
		return r;
	/*
	 * With br_netfilter, a packet to the host that DNAT sends back to its own container never
	 * leaves the bridge: its port has to let it turn round.
	 */
	r = link_set_hairpin(nl, index, err);
	if (r < 0)
		return r;
	r = link_set_up(nl, index, true, err);
	if (r < 0)
		return r;
	return configure_inside(netns_fd, book, lease, err);
}

static int take_chain(const struct nlmsghdr *nlh, void *arg)
{
	return 0;
}

/* Whether the table is there as @mark says; without a mark, whether it is not there. */
static bool rules_are(const char *mark)
{
	static const struct nfgenmsg head = {.nfgen_family = NFPROTO_IPV4};
	autonetlink struct netlink *nl = NULL;
	struct nlmsghdr *req;
	int r;

	if (netlink_open(-EBADF, NETLINK_NETFILTER, &nl, NULL) < 0)
		return false;
	req = netlink_start(
		nl, NFNL_SUBSYS_NFTABLES << 8 | (*mark ? NFT_MSG_GETCHAIN : NFT_MSG_GETTABLE), 0);
	memcpy(mnl_nlmsg_put_extra_header(req, sizeof(head)), &head, sizeof(head));
	if (*mark) {
		mnl_attr_put_strz(req, NFTA_CHAIN_TABLE, NET_TABLE);
		mnl_attr_put_strz(req, NFTA_CHAIN_NAME, mark);
	} else {
		mnl_attr_put_strz(req, NFTA_TABLE_NAME, NET_TABLE);
	}
	r = netlink_query(nl, req, take_chain, NULL);
	return *mark ? r == 0 : r == -ENOENT;
}

/* A transaction that takes rules away waits for the kernel, 10 ms and more: only if it must be. */
static int apply_rules(const struct lease_book *book, struct err *err)
{
	autobuf struct buf rules = {0};
	char mark[PUBLISH_MARK_MAX];
	size_t skip = 0;

	if (publish_rules(book, &rules, mark) < 0)
		return err_oom(err);
	if (rules_are(mark))
		return 0;
	if (*mark && rules_are(""))
		skip = strlen(PUBLISH_REPLACE);
	return nft_run(-EBADF, buf_str(&rules) + skip, NFT_TEXT, NULL, err);
}

/* A program of the host that listens on the port would silently lose it to the container. */
static int check_port_free(const struct net_port *port, struct err *err)
{
	bool tcp = port->protocol == IPPROTO_TCP;
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port->host)};
	autoclose int fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		return err_set(err, -errno, "cannot make a socket");
	if (port->host_ip[0])
		(void)inet_pton(AF_INET, port->host_ip, &addr.sin_addr); /* lease_add checked it */
	/* Old connections of the port do not matter, a listener does. */
	if (tcp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return err_set(err, -errno, "cannot set SO_REUSEADDR");
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return 0;
	err_set(err, -errno, "cannot publish the host's port %s%s%u/%s", port->host_ip,
		port->host_ip[0] ? ":" : "", port->host, tcp ? "tcp" : "udp");
	if (errno == EADDRINUSE)
		return err_hint(err, "a program of the host has it: 'ss -lntup' names it");
	return err->code;
}

/* What is left of an earlier run of a container that is being started again, or restored. */
static int drop_former(
	struct netlink *nl, struct lease_book *book, struct lease *lease, struct err *err)
{
	char name[IFNAMSIZ];
	int r;

	link_name(book, lease, name);
	r = link_delete(nl, name, err);
	if (r < 0 && r != -ENODEV)
		return r;
	lease_remove(book, lease);
	return 0;
}

/* Takes a lease away with all that hangs on it; the last one takes bridge and table along. */
static int release(struct netlink *nl, int run_dir, struct lease_book *book, struct lease *lease,
	struct err *err)
{
	int r;

	r = drop_former(nl, book, lease, err);
	if (r < 0)
		return r;
	r = drop_stale(nl, book, err);
	if (r < 0)
		return r;
	r = apply_rules(book, err);
	if (r < 0)
		return r;
	if (!book->n) {
		r = delete_bridge(nl, err);
		if (r < 0)
			return r;
	}
	return lease_book_save(run_dir, book, err);
}

/* Its link goes; everything else stays for the restore. */
static int park(struct netlink *nl, int run_dir, struct lease_book *book, struct lease *lease,
	struct err *err)
{
	char name[IFNAMSIZ];
	int r;

	lease->parked = time(NULL);
	r = lease_book_save(run_dir, book, err);
	if (r < 0)
		return r;
	link_name(book, lease, name);
	r = link_delete(nl, name, err);
	return r == -ENODEV ? 0 : r;
}

static bool takes_parked(const struct lease_book *book, const struct lease *own, const char *want)
{
	const struct lease *there = want ? lease_find_address(book, want) : NULL;

	return (own && own->parked) || (there && there->parked);
}

static void fill_attachment(
	const struct lease_book *book, const struct lease *lease, struct net_attachment *ret)
{
	struct in_addr gateway = lease_gateway(book);
	uint8_t mac[6];

	*ret = (struct net_attachment){.prefix = book->prefix, .container_link = CONTAINER_LINK};
	link_name(book, lease, ret->host_link);
	/* Buffers are of INET6_ADDRSTRLEN: both always fit. */
	(void)inet_ntop(AF_INET, &lease->address, ret->address, sizeof(ret->address));
	(void)inet_ntop(AF_INET, &gateway, ret->gateway, sizeof(ret->gateway));
	mac_of(lease->address, mac);
	(void)snprintf(ret->mac, sizeof(ret->mac), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
		mac[2], mac[3], mac[4], mac[5]);
}

int net_bridge_attach(int run_dir, const char *id, int netns_fd, const char *want,
	const struct net_port *ports, size_t n_ports, const char *guard, struct net_attachment *ret,
	struct err *err)
{
	autonetlink struct netlink *nl = NULL;
	autobook struct lease_book book = {0};
	autoclose int lock = -EBADF;
	bool was_parked = false;
	struct lease *lease;
	size_t i;
	int r;

	r = lease_check_id(id, err);
	if (r < 0)
		return r;
	lock = lease_lock(run_dir, err);
	if (lock < 0)
		return lock;
	if ((r = lease_book_load(run_dir, &book, err)) < 0 ||
		(r = netlink_open(-EBADF, NETLINK_ROUTE, &nl, err)) < 0 ||
		(r = drop_stale(nl, &book, err)) < 0)
		return r;
	/* Before the container's own former lease goes: what it was parked for hangs on the bridge.
	 */
	if (!book.n &&
		((r = delete_bridge(nl, err)) < 0 || (r = choose_subnet(nl, &book, want, err)) < 0))
		return r;
	lease = lease_find(&book, id);
	was_parked = takes_parked(&book, lease, want);
	if (lease && (r = drop_former(nl, &book, lease, err)) < 0)
		return r;
	r = lease_add(&book, id, want, ports, n_ports, &lease, err);
	if (r < 0)
		return r;
	for (i = 0; i < n_ports; i++)
		if ((r = check_port_free(&ports[i], err)) < 0)
			return r;
	r = lease_book_save(run_dir, &book, err);
	if (r < 0)
		return r;
	r = guard ? nft_run(netns_fd, guard, NFT_TEXT, NULL, err) : 0;
	if (r == 0)
		r = connect_container(nl, &book, lease, netns_fd, err);
	if (r == 0)
		r = apply_rules(&book, err);
	if (r < 0) {
		/* The first error is the one. */
		(void)(was_parked ? park(nl, run_dir, &book, lease, NULL)
				  : release(nl, run_dir, &book, lease, NULL));
		return r;
	}
	fill_attachment(&book, lease, ret);
	ret->was_parked = was_parked;
	return 0;
}

/* Loads book and socket under the lock, with stale leases gone. Returns the lock's fd. */
static int open_book(int run_dir, struct lease_book *book, struct netlink **nl, struct err *err)
{
	autoclose int lock = lease_lock(run_dir, err);
	int r;

	if (lock < 0)
		return lock;
	r = lease_book_load(run_dir, book, err);
	if (r < 0)
		return r;
	r = netlink_open(-EBADF, NETLINK_ROUTE, nl, err);
	return r < 0 ? r : TAKE_FD(lock);
}

int net_bridge_detach(int run_dir, const char *id, struct err *err)
{
	autonetlink struct netlink *nl = NULL;
	autobook struct lease_book book = {0};
	autoclose int lock = open_book(run_dir, &book, &nl, err);
	struct lease *lease;

	if (lock < 0)
		return lock;
	lease = lease_find(&book, id);
	return lease ? release(nl, run_dir, &book, lease, err) : 0;
}

int net_bridge_park(int run_dir, const char *id, struct err *err)
{
	autonetlink struct netlink *nl = NULL;
	autobook struct lease_book book = {0};
	autoclose int lock = open_book(run_dir, &book, &nl, err);
	struct lease *lease;

	if (lock < 0)
		return lock;
	lease = lease_find(&book, id);
	if (!lease)
		return err_setx(err, -ENOENT, "container '%s' has no address on the bridge", id);
	return park(nl, run_dir, &book, lease, err);
}
