// SPDX-License-Identifier: Apache-2.0
/* The lease book as a file: its JSON, its lock. See lease.h. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/io.h"
#include "base/util.h"
#include "net/lease.h"

#define BOOK_FILE "net-leases.json"
#define LOCK_FILE "net-leases.lock"
#define BOOK_MAX  (64 << 20)

static void json_decref_p(json_t **j)
{
	json_decref(*j);
}
#define autojson __attribute__((cleanup(json_decref_p)))

static int parse_port(json_t *j, struct net_port *ret)
{
	const char *ip = "";
	int host, container, protocol;

	if (json_unpack(j, "{s:i, s:i, s:i, s?s}", "host", &host, "container", &container,
		    "protocol", &protocol, "host_ip", &ip) < 0)
		return -EINVAL;
	if (host < 1 || host > 65535 || container < 1 || container > 65535 ||
		strlen(ip) >= sizeof(ret->host_ip))
		return -EINVAL;
	*ret = (struct net_port){.host = host, .container = container, .protocol = protocol};
	strcpy(ret->host_ip, ip);
	return 0;
}

static int parse_lease(json_t *j, struct lease_book *book, struct err *err)
{
	autofree struct net_port *ports = NULL;
	const char *id, *address;
	struct err why = {0};
	struct lease *lease;
	json_t *list, *item;
	json_int_t parked;
	int r;
	size_t i;

	if (json_unpack(j, "{s:s, s:s, s:I, s:o}", "id", &id, "address", &address, "parked",
		    &parked, "ports", &list) < 0 ||
		!json_is_array(list) || json_array_size(list) > LEASE_PORTS_MAX)
		return err_setx(err, -EINVAL, "a lease lacks a field or has a wrong one");
	r = lease_check_id(id, err);
	if (r < 0)
		return r;
	if (lease_find(book, id))
		return err_setx(err, -EINVAL, "container '%s' stands in it twice", id);
	ports = calloc(json_array_size(list) + 1, sizeof(*ports));
	if (!ports)
		return err_oom(err);
	json_array_foreach(list, i, item) if (parse_port(item, &ports[i]) < 0) return err_setx(
		err, -EINVAL, "a port of container '%s' is wrong", id);
	r = lease_add(book, id, address, ports, json_array_size(list), &lease, &why);
	if (r < 0)
		return err_setx(err, -EINVAL, "%s", why.text);
	lease->parked = parked;
	return 0;
}

int lease_book_parse(const char *json, size_t len, struct lease_book *ret, struct err *err)
{
	autojson json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	autobook struct lease_book book = {0};
	const char *subnet;
	json_t *list, *item;
	int prefix, r;
	size_t i;

	if (!root)
		return err_setx(err, -EINVAL, "it is not JSON");
	if (json_unpack(root, "{s:s, s:i, s:o}", "subnet", &subnet, "prefix", &prefix, "leases",
		    &list) < 0 ||
		prefix < 8 || prefix > 29 || !json_is_array(list) ||
		inet_pton(AF_INET, subnet, &book.subnet) != 1 ||
		(ntohl(book.subnet.s_addr) & (~0u >> prefix)))
		return err_setx(err, -EINVAL, "it has no valid subnet");
	book.prefix = prefix;
	json_array_foreach(list, i, item)
	{
		r = parse_lease(item, &book, err);
		if (r < 0)
			return r;
	}
	*ret = book;
	book = (struct lease_book){0};
	return 0;
}

static json_t *print_lease(const struct lease *lease)
{
	autojson json_t *ports = json_array();
	char address[INET_ADDRSTRLEN];
	const struct net_port *p;

	for (p = lease->ports; p < lease->ports + lease->n_ports; p++)
		if (json_array_append_new(ports, json_pack("{s:i, s:i, s:i, s:s}", "host", p->host,
							 "container", p->container, "protocol",
							 p->protocol, "host_ip", p->host_ip)) < 0)
			return NULL;
	(void)inet_ntop(AF_INET, &lease->address, address, sizeof(address)); /* always fits */
	return json_pack("{s:s, s:s, s:I, s:O}", "id", lease->id, "address", address, "parked",
		(json_int_t)lease->parked, "ports", ports);
}

int lease_book_print(const struct lease_book *book, char **ret, struct err *err)
{
	autojson json_t *leases = json_array(), *root = NULL;
	char subnet[INET_ADDRSTRLEN];
	char *text;
	size_t i;

	for (i = 0; i < book->n; i++)
		if (json_array_append_new(leases, print_lease(&book->leases[i])) < 0)
			return err_oom(err);
	(void)inet_ntop(AF_INET, &book->subnet, subnet, sizeof(subnet)); /* always fits */
	root = json_pack(
		"{s:s, s:i, s:O}", "subnet", subnet, "prefix", (int)book->prefix, "leases", leases);
	text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
	if (!text)
		return err_oom(err);
	*ret = text;
	return 0;
}

int lease_lock(int run_dir, struct err *err)
{
	autoclose int fd =
		openat(run_dir, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_set(err, -errno, "cannot open '%s'", LOCK_FILE);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot lock '%s'", LOCK_FILE);
	return TAKE_FD(fd);
}

int lease_book_load(int run_dir, struct lease_book *ret, struct err *err)
{
	autobuf struct buf text = {0};
	int r;

	r = file_read_at(run_dir, BOOK_FILE, &text, BOOK_MAX);
	if (r == -ENOENT) {
		*ret = (struct lease_book){0};
		return 0;
	}
	if (r < 0)
		return err_set(err, r, "cannot read '%s'", BOOK_FILE);
	r = lease_book_parse(buf_str(&text), text.len, ret, err);
	if (r < 0) {
		err_wrap(err, "the address book '%s' is damaged", BOOK_FILE);
		return err_hint(err, "stop the containers on the bridge and remove the file");
	}
	return 0;
}

int lease_book_save(int run_dir, const struct lease_book *book, struct err *err)
{
	autofree char *text = NULL;
	int r;

	if (!book->n) {
		if (unlinkat(run_dir, BOOK_FILE, 0) < 0 && errno != ENOENT)
			return err_set(err, -errno, "cannot remove '%s'", BOOK_FILE);
		return 0;
	}
	r = lease_book_print(book, &text, err);
	if (r < 0)
		return r;
	r = file_replace_at(run_dir, BOOK_FILE, text, strlen(text), 0600);
	return r < 0 ? err_set(err, r, "cannot write '%s'", BOOK_FILE) : 0;
}
