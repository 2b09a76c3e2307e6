// SPDX-License-Identifier: Apache-2.0
/*
 * The container's mounts compared with those that create made; what the container mounted itself
 * is recorded so that it can be made again, or refused by name. Then the files of every tmpfs that
 * is the container's own.
 */
#include <fcntl.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/parse.h"
#include "base/util.h"
#include "cr/nsdump/mount-internal.h"
#include "sys/proc.h"

struct survey {
	struct nsdump *d;
	struct mounts now, before, ours; /* ours: of kist itself */
	uint32_t next;			 /* number of the next record */
	bool *want;			 /* by index of now: save its files */
	uint32_t *number;		 /* by index of now */
	int *fds;
};

static bool same_device(const struct mountinfo *a, const struct mountinfo *b)
{
	return a->major == b->major && a->minor == b->minor;
}

static bool same_mount(const struct mountinfo *a, const struct mountinfo *b)
{
	return a->id == b->id && same_device(a, b) && strcmp(a->root, b->root) == 0 &&
	       strcmp(a->mountpoint, b->mountpoint) == 0;
}

static bool contains(const struct mounts *l, const struct mountinfo *m)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (same_mount(&l->v[i], m))
			return true;
	return false;
}

/* The part of @path below @dir ("" for @dir itself), or NULL when it is not below. */
static const char *below(const char *dir, const char *path)
{
	size_t len = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return strcmp(path, "/") == 0 ? "" : path;
	if (strncmp(dir, path, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return path + len;
}

/* Finds an earlier mount of the same file system that shows the root of mount @i. */
static int find_bound(const struct survey *s, size_t i, char **ret)
{
	const struct mountinfo *m = &s->now.v[i], *from;
	const char *rest, *place;
	size_t k;

	*ret = NULL;
	for (k = 0; k < i; k++) {
		from = &s->now.v[k];
		rest = same_device(from, m) ? below(from->root, m->root) : NULL;
		if (!rest)
			continue;
		place = strcmp(from->mountpoint, "/") == 0 && *rest ? "" : from->mountpoint;
		if (asprintf(ret, "%s%s", place, rest) >= 0)
			return 1;
		*ret = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int refuse(const struct mountinfo *m, struct err *err)
{
	if (strcmp(m->fstype, "nsfs") == 0)
		err_setx(err, -EOPNOTSUPP,
			"a namespace ('%s') is mounted at '%s' inside the container: it cannot be "
			"saved",
			m->root, m->mountpoint);
	else
		err_setx(err, -EOPNOTSUPP,
			"the mount of '%s' (type %s) at '%s' was made inside the container and "
			"cannot "
			"be made again",
			m->source, m->fstype, m->mountpoint);
	err_hint(err, "unmount it first, or let kist mount it (run -v)");
	return -EOPNOTSUPP;
}

static ProtobufCBinaryData bytes(const char *s)
{
	return (ProtobufCBinaryData){.len = strlen(s), .data = (uint8_t *)s};
}

/* "uid=" and "gid=" are shown with the ids of the host: they become those of the container. */
static int map_options(const struct nsdump *d, const char *options, struct buf *out)
{
	autofree char *copy = strdup(options);
	const struct idmap *map;
	char *rest = copy, *word;
	uint32_t id;

	while ((word = strsep(&rest, ","))) {
		if (out->len)
			(void)buf_adds(out, ","); /* a failure is remembered */
		map = strncmp(word, "uid=", 4) == 0   ? &d->ids.uid
		      : strncmp(word, "gid=", 4) == 0 ? &d->ids.gid
						      : NULL;
		id = map && parse_u32(word + 4, 10, &id) == 0 ? idmap_inside(map, id) : IDMAP_NONE;
		if (id == IDMAP_NONE)
			(void)buf_adds(out, word); /* a failure is remembered */
		else
			(void)buf_addf(out, "%.4s%u", word, id); /* a failure is remembered */
	}
	return copy && !out->failed ? 0 : -ENOMEM;
}

static int put_mount(struct survey *s, const struct mountinfo *m, Kist__MountOrigin origin,
	char *bound, struct err *err)
{
	Kist__Mount msg = KIST__MOUNT__INIT;
	autobuf struct buf options = {0};

	if (map_options(s->d, m->super_options, &options) < 0)
		return err_oom(err);
	msg.number = s->next++;
	msg.origin = origin;
	msg.mountpoint = bytes(m->mountpoint);
	msg.root = bytes(m->root);
	msg.fstype = m->fstype;
	msg.source = bytes(m->source);
	msg.options = m->options;
	msg.super_options = bytes(buf_str(&options));
	msg.shared = mount_group(m, "shared");
	msg.master = mount_group(m, "master");
	msg.unbindable = strstr(m->optional, "unbindable") != NULL;
	msg.has_bound_path = bound != NULL;
	if (bound)
		msg.bound_path = bytes(bound);
	return image_put(s->d->w, RECORD_MOUNT, &msg.base, err);
}

static int save_mount(struct survey *s, size_t i, struct err *err)
{
	const struct mountinfo *m = &s->now.v[i];
	autofree char *bound = NULL;
	int r;

	s->number[i] = s->next;
	if (!s->d->env->mounts_before || contains(&s->before, m))
		return put_mount(s, m, KIST__MOUNT_ORIGIN__CREATED, NULL, err);
	r = find_bound(s, i, &bound);
	if (r < 0)
		return err_oom(err);
	/* A second instance of proc, sysfs or mqueue shares its file system; either way will do. */
	if (r == 0 && (strcmp(m->root, "/") != 0 || !mount_remakable(m->fstype)))
		return refuse(m, err);
	return put_mount(s, m, KIST__MOUNT_ORIGIN__INSIDE, bound, err);
}

/* Files that live in memory and are the container's alone, of which this is the first mount. */
static bool has_files(const struct survey *s, size_t i)
{
	const struct mountinfo *m = &s->now.v[i];
	size_t k;

	if (strcmp(m->fstype, "tmpfs") != 0 && strcmp(m->fstype, "ramfs") != 0 &&
		strcmp(m->fstype, "hugetlbfs") != 0)
		return false;
	if (strcmp(m->root, "/") != 0 || strncmp(m->super_options, "ro", 2) == 0)
		return false; /* a mask that nothing can have been written to */
	for (k = 0; k < s->ours.n; k++)
		if (same_device(&s->ours.v[k], m))
			return false; /* the host's, bound into the container */
	for (k = 0; k < i; k++)
		if (same_device(&s->now.v[k], m) && strcmp(s->now.v[k].root, "/") == 0)
			return false;
	return true;
}

static int save_files(struct survey *s, struct err *err)
{
	autoclose int ns = openat(s->d->env->proc_pid_fd, "ns/mnt", O_RDONLY | O_CLOEXEC);
	const struct mountinfo *m;
	size_t i;
	int r;

	if (ns < 0)
		return err_set(err, -errno, "cannot open the container's mount namespace");
	r = mounts_open(ns, &s->now, s->want, s->fds, err);
	for (i = 0; r == 0 && i < s->now.n; i++) {
		m = &s->now.v[i];
		if (!s->want[i])
			continue;
		if (s->fds[i] < 0) {
			err_setx(err, -EOPNOTSUPP,
				"the files of the %s at '%s' are hidden by another mount and "
				"cannot be "
				"read",
				m->fstype, m->mountpoint);
			err_hint(err, "unmount what was mounted over it inside the container");
			return -EOPNOTSUPP;
		}
		r = tree_save(s->d, s->fds[i], s->number[i], m->mountpoint, &s->d->ids, err);
	}
	return r;
}

static int survey_run(struct survey *s, struct err *err)
{
	size_t i;
	int r = 0;

	s->want = calloc(s->now.n + 1, sizeof(*s->want));
	s->number = calloc(s->now.n + 1, sizeof(*s->number));
	s->fds = calloc(s->now.n + 1, sizeof(*s->fds));
	if (!s->want || !s->number || !s->fds)
		return err_oom(err);
	for (i = 0; i < s->now.n; i++)
		s->fds[i] = -EBADF;
	for (i = 0; r == 0 && i < s->now.n; i++) {
		s->want[i] = has_files(s, i);
		r = save_mount(s, i, err);
	}
	for (i = 0; r == 0 && i < s->before.n; i++)
		if (!contains(&s->now, &s->before.v[i]))
			r = put_mount(s, &s->before.v[i], KIST__MOUNT_ORIGIN__REMOVED, NULL, err);
	return r < 0 ? r : save_files(s, err);
}

int mount_save(struct nsdump *d, struct err *err)
{
	struct survey s = {.d = d, .next = 1};
	autoclose int self = proc_open_pid(d->procfd, getpid());
	size_t i;
	int r;

	if (self < 0)
		return err_set(err, self, "cannot open '/proc/self'");
	r = mounts_read(d->env->proc_pid_fd, &s.now, err);
	if (r == 0)
		r = mounts_read(self, &s.ours, err);
	if (r == 0 && d->env->mounts_before)
		r = mounts_parse(strdup(d->env->mounts_before), &s.before, err);
	if (r == 0)
		r = survey_run(&s, err);
	for (i = 0; s.fds && i < s.now.n; i++)
		if (s.fds[i] >= 0)
			(void)close(s.fds[i]); /* a mount, read only */
	free(s.want);
	free(s.number);
	free(s.fds);
	mounts_done(&s.now);
	mounts_done(&s.before);
	mounts_done(&s.ours);
	return r;
}
