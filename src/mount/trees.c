// SPDX-License-Identifier: Apache-2.0
/*
 * What a container takes from the host: its root and the sources of its bind mounts, opened while
 * the host's paths are still visible. With a user namespace this runs in a process of the host's
 * (trees-send.c), else in the container's first process.
 */
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/util.h"
#include "mount/mount-internal.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

void trees_done(struct trees *t)
{
	size_t i;

	if (t->root_fd >= 0)
		close(t->root_fd);
	for (i = 0; i < t->n; i++)
		if (t->mount_fds[i] >= 0)
			close(t->mount_fds[i]);
	free(t->mount_fds);
	*t = (struct trees){.root_fd = -EBADF};
}

static int map_source(int mnt_fd, const struct spec_mount *m, const struct mount_options *o,
	int userns_fd, struct err *err)
{
	autoclose int own = -EBADF;
	int r;

	if (m->n_uid_maps) {
		own = idmap_userns(m, err);
		if (own < 0)
			return own;
	} else if (userns_fd < 0) {
		return err_setx(err, -EINVAL,
			"the mount at '%s' is to be idmapped, but there is no user namespace to "
			"take "
			"the maps from",
			m->destination);
	}
	r = idmap_apply(mnt_fd, own >= 0 ? own : userns_fd, o->idmap_rec);
	if (r < 0) {
		err_set(err, r, "cannot idmap the mount at '%s'", m->destination);
		err_hint(err, "the file system of '%s' may not support idmapped mounts", m->source);
	}
	return r;
}

static int open_source(
	int base_fd, const struct spec_mount *m, int userns_fd, int *ret, struct err *err)
{
	autooptions struct mount_options o = {0};
	autoclose int fd = -EBADF;
	int r;

	r = mount_options_parse(m, &o, err);
	if (r < 0 || !o.bind)
		return r;
	if (!m->source)
		return err_setx(
			err, -EINVAL, "the bind mount at '%s' has no source", m->destination);
	fd = fs_clone(base_fd, m->source,
		(o.rec ? AT_RECURSIVE : 0) | (o.src_nofollow ? AT_SYMLINK_NOFOLLOW : 0));
	if (fd < 0)
		return err_set(err, fd, "cannot bind '%s' at '%s'", m->source, m->destination);
	/* an unbindable one can't be copied either: it becomes so when it is attached */
	r = o.propagation && o.propagation != MS_UNBINDABLE
		    ? fs_set_propagation(fd, o.propagation, o.propagation_rec)
		    : fs_set_propagation(fd, MS_PRIVATE, true);
	if (r < 0)
		return err_set(
			err, r, "cannot set the propagation of the mount at '%s'", m->destination);
	if (o.idmap) {
		r = map_source(fd, m, &o, userns_fd, err);
		if (r < 0)
			return r;
	}
	*ret = TAKE_FD(fd);
	return 0;
}

static int open_sources(const struct rootfs_plan *plan, int base_fd, int userns_fd, struct trees *t,
	struct err *err)
{
	size_t i;
	int r;

	t->mount_fds = calloc(plan->spec->n_mounts + 1, sizeof(*t->mount_fds));
	if (!t->mount_fds)
		return err_oom(err);
	for (; t->n < plan->spec->n_mounts; t->n++)
		t->mount_fds[t->n] = -EBADF;
	for (i = 0; i < t->n; i++) {
		r = open_source(base_fd, &plan->spec->mounts[i], userns_fd, &t->mount_fds[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int attach_root(int mnt_fd, struct err *err)
{
	autoclose int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = slash < 0 ? -errno : fs_attach(mnt_fd, slash);

	return r < 0 ? err_set(err, r, "cannot attach the container's root") : 0;
}

/* The host's mounts below the root appear in it; it is made shared, if at all, when it is entered.
 */
static bool follows_host(const struct spec *spec)
{
	const char *p = spec->linux_.rootfs_propagation;

	return p && (strstr(p, "slave") || strstr(p, "shared"));
}

static int open_bind_root(
	const struct rootfs_plan *plan, int base_fd, int userns_fd, int *ret, struct err *err)
{
	const char *path = plan->spec->root_path;
	bool map = plan->idmap && userns_fd >= 0;
	autoclose int fd = fs_clone(base_fd, path, map ? 0 : AT_RECURSIVE);
	int r;

	if (fd < 0)
		return err_set(err, fd, "cannot open the root '%s'", path);
	if (map) {
		r = idmap_apply(fd, userns_fd, false);
		if (r < 0) {
			err_set(err, r, "cannot shift the owners of '%s' into the user namespace",
				path);
			err_hint(err, "its file system may not support idmapped mounts");
			return r;
		}
	}
	r = fs_set_propagation(fd, follows_host(plan->spec) ? MS_SLAVE : MS_PRIVATE, true);
	if (r < 0)
		return err_set(err, r, "cannot set the propagation of the root '%s'", path);
	r = plan->foreign ? 0 : attach_root(fd, err);
	if (r == 0)
		*ret = TAKE_FD(fd);
	return r;
}

static int open_overlay_root(
	const struct overlay_base *b, int base_fd, const char *path, int *ret, struct err *err)
{
	autoclose int lower = openat(base_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -EBADF;
	int r;

	if (lower < 0)
		return err_set(err, -errno, "cannot open the root '%s'", path);
	fd = overlay_new(b, lower, "root", 0, err);
	if (fd < 0)
		return err_wrap(err, "cannot overlay the root '%s'", path);
	r = attach_root(fd, err);
	if (r == 0)
		*ret = TAKE_FD(fd);
	return r;
}

static int open_root(
	const struct rootfs_plan *plan, int base_fd, int userns_fd, int *ret, struct err *err)
{
	struct overlay_base b;
	int r;

	if (plan->kind != ROOTFS_HOST && !plan->spec->root_path)
		return err_setx(err, -EINVAL, "the container has no root directory ('root.path')");
	if (plan->kind == ROOTFS_BIND)
		return open_bind_root(plan, base_fd, userns_fd, ret, err);
	r = overlay_base_open(plan, userns_fd, &b, err);
	if (r < 0)
		return r;
	r = plan->kind == ROOTFS_HOST
		    ? hostroot_mount(&b, ret, err)
		    : open_overlay_root(&b, base_fd, plan->spec->root_path, ret, err);
	overlay_base_done(&b);
	return r;
}

int trees_open(const struct rootfs_plan *plan, int userns_fd, struct trees *ret, struct err *err)
{
	struct trees t = {.root_fd = -EBADF};
	autoclose int bundle = -EBADF;
	int base_fd = AT_FDCWD, r;

	if (plan->bundle_fd >= 0) {
		bundle = base_fd = walk_reopen(plan->bundle_fd, err);
		if (bundle < 0)
			return bundle;
	}
	/* sources first: once all is private, a copy would no longer follow the host's mounts */
	r = open_sources(plan, base_fd, userns_fd, &t, err);
	if (r == 0 && !plan->foreign)
		r = fs_isolate(err);
	if (r == 0)
		r = open_root(plan, base_fd, userns_fd, &t.root_fd, err);
	if (r < 0) {
		trees_done(&t);
		return r;
	}
	*ret = t;
	return 0;
}
