// SPDX-License-Identifier: Apache-2.0
/* See net-lock.h. */
#include "cr/nsdump/net-lock.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/util.h"
#include "net/nft.h"

#define INFO_KEY     "net_lock"
#define NAME_PREFIX  "kist-lock-"
#define NAME_MAX_LEN 32
#define GUARD_NAME   "kist-guard"
#define KEEP	     "1d"

struct lock_ns {
	int fd;
	dev_t dev;
	ino_t ino;
	bool locked;
};

struct net_lock {
	char name[NAME_MAX_LEN];
	struct lock_ns *spaces;
	size_t n, cap;
	bool keep;
};

static void add_set(struct buf *b, const char *name, const char *type, int family,
	const struct inet_conn *conns, size_t n)
{
	const char *before = "\t\telements = {\n\t\t\t";
	const struct inet_conn *c;

	(void)buf_addf(b, /* the buffer remembers a failure, here and below */
		"\tset %s {\n"
		"\t\ttype %s . inet_service . %s . inet_service\n"
		"\t\tflags timeout\n"
		"\t\ttimeout " KEEP "\n",
		name, type, type);
	for (c = conns; c < conns + n; c++) {
		if (c->family != family)
			continue;
		(void)buf_addf(b, "%s%s . %u . %s . %u", before, c->local, c->local_port, c->remote,
			c->remote_port);
		before = ",\n\t\t\t";
	}
	(void)buf_adds(b, before[0] == ',' ? " }\n\t}\n" : "\t}\n");
}

int net_lock_rules(const char *name, const struct inet_conn *conns, size_t n, struct buf *b)
{
	(void)buf_addf(b, "table inet %s {\n", name);
	add_set(b, "conn4", "ipv4_addr", AF_INET, conns, n);
	add_set(b, "conn6", "ipv6_addr", AF_INET6, conns, n);
	/* Earlier than conntrack of others could see it as a broken connection. */
	(void)buf_adds(b, "\tchain in {\n"
			  "\t\ttype filter hook input priority -500;\n"
			  "\t\tmeta mark " INET_MARK_TEXT " accept\n"
			  "\t\tip daddr . tcp dport . ip saddr . tcp sport @conn4 drop\n"
			  "\t\tip6 daddr . tcp dport . ip6 saddr . tcp sport @conn6 drop\n"
			  "\t}\n"
			  "\tchain out {\n"
			  "\t\ttype filter hook output priority -500;\n"
			  "\t\tmeta mark " INET_MARK_TEXT " accept\n"
			  "\t\tip saddr . tcp sport . ip daddr . tcp dport @conn4 drop\n"
			  "\t\tip6 saddr . tcp sport . ip6 daddr . tcp dport @conn6 drop\n"
			  "\t}\n"
			  "}\n");
	return b->failed ? -ENOMEM : 0;
}

static int lock_space(
	const char *name, int netns_fd, const struct inet_conn *conns, size_t n, struct err *err)
{
	autobuf struct buf rules = {0};
	int r;

	if (net_lock_rules(name, conns, n, &rules) < 0)
		return err_oom(err);
	r = nft_run(netns_fd, buf_str(&rules), NFT_TEXT, NULL, err);
	return r < 0 ? err_wrap(err, "cannot lock the network of TCP connections") : 0;
}

static int unlock_space(const char *name, int netns_fd, struct err *err)
{
	char rules[128];

	/* "add" first: what is not there is no error. */
	(void)snprintf(rules, sizeof(rules), "add table inet %s\ndelete table inet %s\n", name,
		name); /* two names of NAME_MAX_LEN fit */
	return nft_run(netns_fd, rules, NFT_TEXT, NULL, err);
}

static int new_name(char name[NAME_MAX_LEN], struct err *err)
{
	uint64_t id;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return err_set(err, -errno, "cannot get random bytes");
	(void)snprintf(
		name, NAME_MAX_LEN, NAME_PREFIX "%016llx", (unsigned long long)id); /* fits */
	return 0;
}

static int add_space(struct net_lock *lock, int fd, struct err *err)
{
	struct stat st;
	size_t i;

	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot look at a network namespace");
	for (i = 0; i < lock->n; i++)
		if (lock->spaces[i].ino == st.st_ino && lock->spaces[i].dev == st.st_dev)
			return 0;
	if (array_reserve(&lock->spaces, &lock->cap, lock->n + 1, sizeof(*lock->spaces)) < 0)
		return err_oom(err);
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, -errno, "cannot keep a network namespace open");
	lock->spaces[lock->n++] = (struct lock_ns){.fd = fd, .dev = st.st_dev, .ino = st.st_ino};
	return 0;
}

/* The connections of all namespaces go into each: a few elements too many match nothing. */
static int lock_all(struct net_lock *lock, const struct inet_conn *conns, size_t n, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++)
		r = add_space(lock, conns[i].netns_fd, err);
	for (i = 0; r == 0 && i < lock->n; i++) {
		r = lock_space(lock->name, lock->spaces[i].fd, conns, n, err);
		lock->spaces[i].locked = r == 0;
	}
	return r;
}

int net_lock_dump(struct image_writer *w, const struct inet_conn *conns, size_t n,
	struct net_lock **ret, struct err *err)
{
	struct net_lock *lock;
	int r;

	*ret = NULL;
	if (!n)
		return 0;
	lock = calloc(1, sizeof(*lock));
	if (!lock)
		return err_oom(err);
	r = new_name(lock->name, err);
	if (r == 0)
		r = image_put_info(w, INFO_KEY, lock->name, err);
	if (r == 0)
		r = lock_all(lock, conns, n, err);
	if (r < 0) {
		net_lock_free(lock);
		return r;
	}
	*ret = lock;
	return 0;
}

void net_lock_keep(struct net_lock *lock)
{
	if (lock)
		lock->keep = true;
}

void net_lock_free(struct net_lock *lock)
{
	struct err err;
	size_t i;

	if (!lock)
		return;
	for (i = 0; i < lock->n; i++) {
		if (lock->spaces[i].locked && !lock->keep &&
			unlock_space(lock->name, lock->spaces[i].fd, &err) < 0)
			log_warn("connections stay locked by nft's table '%s': %s", lock->name,
				err.text);
		(void)close(lock->spaces[i].fd); /* only a handle */
	}
	free(lock->spaces);
	free(lock);
}

/* The table's name in the image; it goes into commands, so nothing but what new_name makes. */
static int image_name(const struct image *img, const char **ret, struct err *err)
{
	const char *name = image_info(img, INFO_KEY), *p;

	*ret = NULL;
	if (!name)
		return 0;
	if (strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0 || strlen(name) >= NAME_MAX_LEN)
		return err_setx(err, -EBADMSG, "the image has an impossible network lock");
	for (p = name + strlen(NAME_PREFIX); *p; p++)
		if (!isxdigit((unsigned char)*p))
			return err_setx(err, -EBADMSG, "the image has an impossible network lock");
	*ret = name;
	return 0;
}

static bool table_exists(const char *name, int netns_fd)
{
	autobuf struct buf out = {0};
	char command[128];

	(void)snprintf(command, sizeof(command), "list table inet %s", name); /* fits */
	return nft_run(netns_fd, command, NFT_TEXT, &out, NULL) == 0;
}

int net_lock_restore(const struct image *img, int netns_fd, bool *ret_made, struct err *err)
{
	autofree struct inet_conn *conns = NULL;
	const char *name;
	size_t n;
	int r;

	*ret_made = false;
	r = image_name(img, &name, err);
	if (r < 0 || !name)
		return r;
	r = inet_image_connections(img, &conns, &n, err);
	if (r < 0)
		return r;
	if (table_exists(name, netns_fd))
		return 0;
	r = lock_space(name, netns_fd, conns, n, err);
	*ret_made = r == 0;
	return r;
}

int net_lock_release(const struct image *img, int netns_fd, struct err *err)
{
	const char *name;
	int r;

	r = image_name(img, &name, err);
	if (r < 0 || !name)
		return r;
	r = unlock_space(name, netns_fd, err);
	return r < 0 ? r : unlock_space(GUARD_NAME, netns_fd, err);
}

const char *net_lock_guard(const struct image *img)
{
	if (!image_info(img, INFO_KEY))
		return NULL;
	return "table inet " GUARD_NAME " {\n"
	       "\tchain in {\n"
	       "\t\ttype filter hook input priority -500;\n"
	       "\t\tmeta mark " INET_MARK_TEXT " accept\n"
	       "\t\tmeta l4proto tcp drop\n"
	       "\t}\n"
	       "\tchain out {\n"
	       "\t\ttype filter hook output priority -500;\n"
	       "\t\tmeta mark " INET_MARK_TEXT " accept\n"
	       "\t\tmeta l4proto tcp drop\n"
	       "\t}\n"
	       "}\n";
}
