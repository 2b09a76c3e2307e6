/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has which address and port of the bridge network: the lease book, a small JSON file in
 * kist's run-time directory. Every change happens under an flock(2) of a file beside it and
 * replaces the book atomically. Stays inside src/net.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "net/bridge.h"

#define LEASE_ID_MAX	100
#define LEASE_PORTS_MAX 1024

struct lease {
	char id[LEASE_ID_MAX + 1];
	struct in_addr address;
	/* When its container went into an image: no link, and yet not stale for a day. 0: not. */
	int64_t parked;
	struct net_port *ports;
	size_t n_ports;
};

struct lease_book {
	struct in_addr subnet; /* network byte order, as everywhere in struct in_addr */
	unsigned int prefix;   /* 0: no network chosen yet */
	struct lease *leases;
	size_t n, cap;
};

void lease_book_done(struct lease_book *book);
#define autobook __attribute__((cleanup(lease_book_done)))

/* Text to book and back; pure. A book that does not fit together is refused with -EINVAL. */
int lease_book_parse(const char *json, size_t len, struct lease_book *ret, struct err *err);
/* The caller frees *ret. */
int lease_book_print(const struct lease_book *book, char **ret, struct err *err);

/* Takes the lock of the book (waits for it). Returns an fd: closing it lets go. */
int lease_lock(int run_dir, struct err *err);
/* An absent file is an empty book. */
int lease_book_load(int run_dir, struct lease_book *ret, struct err *err);
/* A book without leases removes the file. */
int lease_book_save(int run_dir, const struct lease_book *book, struct err *err);

/* -EINVAL for an id that cannot stand in the book and in nft's comments. */
int lease_check_id(const char *id, struct err *err);
struct lease *lease_find(const struct lease_book *book, const char *id);
struct lease *lease_find_address(const struct lease_book *book, const char *address);
void lease_remove(struct lease_book *book, struct lease *lease);
/*
 * Adds a lease for @id: the address @want (which a parked lease has to give up), or, with NULL, a
 * free one that depends on the id, so that the same name tends to find its address again.
 * Refused when the address, or a port, is another's.
 */
int lease_add(struct lease_book *book, const char *id, const char *want,
	const struct net_port *ports, size_t n_ports, struct lease **ret, struct err *err);

/* The first address of the subnet: the bridge's own. */
struct in_addr lease_gateway(const struct lease_book *book);
/* The number of the lease's address within the subnet, for names. */
unsigned int lease_number(const struct lease_book *book, const struct lease *lease);
