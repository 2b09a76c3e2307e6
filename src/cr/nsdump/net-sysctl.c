// SPDX-License-Identifier: Apache-2.0
/*
 * /proc/sys/net. Saved is what differs from a new namespace, and, of the settings of a link, what
 * differs from a new link's; plus those that a setting for "all" links would overwrite.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/util.h"
#include "base/workers.h"
#include "cr/nsdump/net-internal.h"
#include "sys/netns.h"
#include "sys/proc.h"

#define ROOT	  "sys/net"
#define VALUE_MAX 4096
#define DEPTH_MAX 6

struct entry {
	char *name, *value;
};
struct entries {
	struct entry *v;
	size_t n, cap;
};

static void entries_done(struct entries *e)
{
	size_t i;

	for (i = 0; i < e->n; i++) {
		free(e->v[i].name);
		free(e->v[i].value);
	}
	free(e->v);
}
#define autoentries __attribute__((cleanup(entries_done)))

static int entry_cmp(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static const char *find_value(const struct entries *e, const char *name)
{
	struct entry key = {.name = (char *)name};
	struct entry *found = bsearch(&key, e->v, e->n, sizeof(*e->v), entry_cmp);

	return found ? found->value : NULL;
}

static int add_entry(struct entries *e, const char *name, const char *value)
{
	struct entry new = {strdup(name), strdup(value)};

	if (!new.name || !new.value || array_reserve(&e->v, &e->cap, e->n + 1, sizeof(*e->v)) < 0) {
		free(new.name);
		free(new.value);
		return -ENOMEM;
	}
	e->v[e->n++] = new;
	return 0;
}

/* One read: these files have no more, and there are hundreds while the tree stands still. */
static int read_entry(int dirfd, const char *file, const char *name, struct entries *e)
{
	autoclose int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char value[VALUE_MAX + 1];
	struct stat st;
	ssize_t n;

	/* What cannot be written is no setting; what cannot be read is none that we can keep. */
	if (fd < 0 || fstat(fd, &st) < 0 || !(st.st_mode & 0200))
		return 0;
	do
		n = read(fd, value, VALUE_MAX);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return 0;
	while (n && value[n - 1] == '\n')
		n--;
	value[n] = '\0';
	return add_entry(e, name, value);
}

/* Everything below a directory, depth first. @name: of the directory, "" or "ipv4/conf". */
static int read_dir(int parent, const char *dir, const char *name, int depth, struct entries *e)
{
	autodir DIR *d = dir_open_at(parent, dir);
	char path[256];
	struct dirent *de;
	int r = 0;

	if (!d)
		return -errno;
	while (r == 0 && (de = dir_next(d))) {
		if (de->d_name[0] == '.' ||
			snprintf(path, sizeof(path), "%s%s%s", name, name[0] ? "/" : "",
				de->d_name) >= (int)sizeof(path))
			continue;
		if (de->d_type == DT_DIR)
			r = depth < DEPTH_MAX ? read_dir(dirfd(d), de->d_name, path, depth + 1, e)
					      : 0;
		else
			r = read_entry(dirfd(d), de->d_name, path, e);
	}
	return r;
}

/* procfs shows the sysctls of the namespace that the reading thread is in. */
static int read_all(int netns_fd, struct entries *ret, struct err *err)
{
	autoclose int procfd = proc_open(err);
	struct netns_visit v;
	int r;

	if (procfd < 0)
		return procfd;
	r = netns_enter(&v, netns_fd, err);
	if (r < 0)
		return r;
	r = read_dir(procfd, ROOT, "", 0, ret);
	netns_leave(&v);
	if (r < 0)
		return err_set(err, r, "cannot read /proc/sys/net");
	qsort(ret->v, ret->n, sizeof(*ret->v), entry_cmp);
	return 0;
}

/*
 * "ipv4/conf/eth0/mtu" is a link's setting: gives "ipv4/conf/default/mtu" in @def and the one for
 * all links in @all. False for anything else, lo included, which a new namespace has too.
 */
static bool of_link(const char *name, char def[256], char all[256])
{
	const char *conf = strstr(name, "/conf/"), *neigh = strstr(name, "/neigh/");
	const char *at = conf ? conf + 6 : neigh ? neigh + 7 : NULL, *rest;
	int head;

	if (!at || strncmp(at, "all/", 4) == 0 || strncmp(at, "default/", 8) == 0)
		return false;
	rest = strchr(at, '/');
	if (!rest)
		return false;
	head = at - name;
	return snprintf(def, 256, "%.*sdefault%s", head, name, rest) < 256 &&
	       snprintf(all, 256, "%.*sall%s", head, name, rest) < 256;
}

static bool differs(const struct entries *now, const struct entries *fresh, const struct entry *e)
{
	const char *base = find_value(fresh, e->name), *all_now, *all_fresh;
	char def[256], all[256];

	if (of_link(e->name, def, all)) {
		if (!base)
			base = find_value(fresh, def);
		all_now = find_value(now, all);
		all_fresh = find_value(fresh, all);
		if (all_now && all_fresh && strcmp(all_now, all_fresh) != 0)
			return true;
	}
	return base && strcmp(base, e->value) != 0;
}

struct read_job {
	int netns_fd;
	struct entries *ret;
};

static int read_job(void *arg, unsigned int worker, const void *data, struct err *err)
{
	const struct read_job *job = data;

	return read_all(job->netns_fd, job->ret, err);
}

/* Some 600 files each: half the network's time, so one thread for each namespace. */
static int read_both(
	struct net_dump *d, struct entries *now, struct entries *fresh, struct err *err)
{
	const struct read_job jobs[] = {{d->netns_fd, now}, {d->fresh_fd, fresh}};
	struct workers *w = NULL;
	size_t i;
	int r;

	r = workers_new(sizeof(jobs[0]), 0, read_job, NULL, &w, err);
	for (i = 0; r == 0 && i < ARRAY_SIZE(jobs); i++)
		r = workers_add(w, &jobs[i], 1, err);
	if (r == 0)
		r = workers_wait(w, err);
	workers_free(w);
	return r;
}

int net_sysctls_dump(struct net_dump *d, struct err *err)
{
	autoentries struct entries now = {0}, fresh = {0};
	Kist__NetSysctl msg = KIST__NET_SYSCTL__INIT;
	size_t i;
	int r;

	r = read_both(d, &now, &fresh, err);
	for (i = 0; r == 0 && i < now.n; i++) {
		if (!differs(&now, &fresh, &now.v[i]))
			continue;
		msg.name = now.v[i].name;
		msg.value = now.v[i].value;
		r = image_put(d->w, RECORD_NET_SYSCTL, &msg.base, err);
	}
	return r;
}

static const Kist__NetSysctl *sysctl_at(const struct image *img, size_t i)
{
	return (const Kist__NetSysctl *)image_get(img, RECORD_NET_SYSCTL, i);
}

int net_sysctls_check(const struct image *img, struct err *err)
{
	size_t i, n = image_count(img, RECORD_NET_SYSCTL);
	const char *name;

	for (i = 0; i < n; i++) {
		name = sysctl_at(img, i)->name;
		if (!name[0] || name[0] == '/' || strlen(name) > 255 || strstr(name, "..") ||
			strlen(sysctl_at(img, i)->value) > VALUE_MAX)
			return err_setx(
				err, -EBADMSG, "the image has an impossible sysctl '%s'", name);
	}
	return 0;
}

static int restore_one(struct net_restore *r, const Kist__NetSysctl *s, struct err *err)
{
	autobuf struct buf now = {0};
	char path[300];
	int e;

	(void)snprintf(path, sizeof(path), ROOT "/%s", s->name); /* checked to fit */
	e = file_read_at(r->procfd, path, &now, VALUE_MAX + 1);
	if (e == 0 && strncmp(buf_str(&now), s->value, strlen(s->value)) == 0 &&
		now.len <= strlen(s->value) + 1)
		return 0;
	e = file_write_at(r->procfd, path, s->value);
	return e < 0 ? err_set(err, e, "cannot set the sysctl 'net/%s' to '%s'", s->name, s->value)
		     : 0;
}

/* "all" acts on every link when it is written, "default" on later ones: both before the links. */
int net_sysctls_restore(struct net_restore *r, struct err *err)
{
	size_t i, n = image_count(r->img, RECORD_NET_SYSCTL);
	char def[256], all[256];
	int e = 0, links;

	for (links = 0; links < 2; links++)
		for (i = 0; e == 0 && i < n; i++)
			if (of_link(sysctl_at(r->img, i)->name, def, all) == links)
				e = restore_one(r, sysctl_at(r->img, i), err);
	return e;
}
