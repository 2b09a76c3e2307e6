// SPDX-License-Identifier: Apache-2.0
/*
 * In the container's first process: what create mounted is brought to the state that it had, then
 * the container's own mounts are made again in their order, each with its files.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

#include "base/log.h"
#include "base/util.h"
#include "cr/nsdump/mount-internal.h"
#include "sys/proc.h"
#include "sys/syscall.h"

#define MOUNTS_MAX 100000u

static const Kist__Mount *mount_at(const struct image *img, size_t i)
{
	return (const Kist__Mount *)image_get(img, RECORD_MOUNT, i);
}

static bool text_valid(const ProtobufCBinaryData *b, bool absolute)
{
	return bytes_plain(b) && (!absolute || (b->len && b->data[0] == '/'));
}

int mount_check(const struct image *img, struct err *err)
{
	const Kist__Mount *m;
	size_t i;

	for (i = 0; (m = mount_at(img, i)); i++)
		if (m->number != i + 1 || i > MOUNTS_MAX || !text_valid(&m->mountpoint, true) ||
			!text_valid(&m->source, false) || !text_valid(&m->super_options, false) ||
			(m->has_bound_path && !text_valid(&m->bound_path, true)) ||
			(m->origin == KIST__MOUNT_ORIGIN__INSIDE && !m->has_bound_path &&
				!mount_remakable(m->fstype)))
			return err_setx(
				err, -EBADMSG, "the image is damaged: impossible mount %zu", i + 1);
	return 0;
}

static bool is_place(const Kist__Mount *m, const char *mountpoint)
{
	return strlen(mountpoint) == m->mountpoint.len &&
	       memcmp(mountpoint, m->mountpoint.data, m->mountpoint.len) == 0;
}

/* Which mount that stands here now create made in place of record @i. */
static const struct mountinfo *find_created(
	const struct image *img, size_t i, const struct mounts *own, size_t *ret)
{
	const Kist__Mount *m = mount_at(img, i), *other;
	size_t k, nth = 0;

	for (k = 0; k < i; k++) {
		other = mount_at(img, k);
		if (other->origin == KIST__MOUNT_ORIGIN__CREATED &&
			other->mountpoint.len == m->mountpoint.len &&
			memcmp(other->mountpoint.data, m->mountpoint.data, m->mountpoint.len) ==
				0 &&
			strcmp(other->fstype, m->fstype) == 0)
			nth++;
	}
	for (k = 0; k < own->n; k++)
		if (is_place(m, own->v[k].mountpoint) && strcmp(own->v[k].fstype, m->fstype) == 0 &&
			mounts_nth(own, k) == nth) {
			*ret = k;
			return &own->v[k];
		}
	return NULL;
}

static bool has_tree(const struct image *img, uint32_t number)
{
	const Kist__TreeEntry *e;
	size_t i;

	for (i = 0; (e = (const Kist__TreeEntry *)image_get(img, RECORD_TMPFS, i)); i++)
		if (e->number == 1 && e->has_mount && e->mount == number)
			return true;
	return false;
}

/* What create made and the container changed by a remount. */
static int set_options(const Kist__Mount *m, const struct mountinfo *own, struct err *err)
{
	autoclose int fd = -EBADF;
	int r;

	if (mount_attrs(m->options) == mount_attrs(own->options))
		return 0;
	fd = open(own->mountpoint, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? -errno : mount_set_attrs(fd, m->options);
	return r < 0 ? err_set(err, r, "cannot set the options '%s' of the mount '%s'", m->options,
			       own->mountpoint)
		     : 0;
}

static int restore_created_files(
	const struct image *img, const struct mounts *own, const uint32_t *number, struct err *err)
{
	autofree bool *want = calloc(own->n + 1, sizeof(*want));
	autofree int *fds = calloc(own->n + 1, sizeof(*fds));
	size_t i;
	int r;

	if (!want || !fds)
		return err_oom(err);
	for (i = 0; i < own->n; i++)
		want[i] = number[i] && has_tree(img, number[i]);
	r = mounts_open(-EBADF, own, want, fds, err);
	for (i = 0; i < own->n; i++) {
		if (r == 0 && want[i] && fds[i] < 0)
			r = err_setx(err, -EOPNOTSUPP,
				"the files of '%s' are hidden by another mount and cannot be "
				"restored",
				own->v[i].mountpoint);
		else if (r == 0 && want[i] && tree_restore(img, number[i], fds[i], NULL, err) < 0)
			r = err_wrap(err, "in '%s'", own->v[i].mountpoint);
		if (fds[i] >= 0)
			(void)close(fds[i]); /* a mount */
	}
	return r;
}

static int restore_created(const struct image *img, struct mounts *own, struct err *err)
{
	autofree uint32_t *number = calloc(own->n + 1, sizeof(*number));
	const struct mountinfo *mi;
	const Kist__Mount *m;
	size_t i, k;
	int r = 0;

	if (!number)
		return err_oom(err);
	for (i = 0; r == 0 && (m = mount_at(img, i)); i++) {
		if (m->origin != KIST__MOUNT_ORIGIN__CREATED)
			continue;
		mi = find_created(img, i, own, &k);
		if (mi)
			number[k] = m->number;
		else if (has_tree(img, m->number))
			r = err_setx(err, -ENOENT, "the container has no %s at '%.*s' any more",
				m->fstype, (int)m->mountpoint.len,
				(const char *)m->mountpoint.data);
		else
			log_warn("the mount of '%s' at '%.*s' is not there any more", m->fstype,
				(int)m->mountpoint.len, (const char *)m->mountpoint.data);
	}
	if (r == 0)
		r = restore_created_files(img, own, number, err);
	for (k = 0; r == 0 && k < own->n; k++)
		if (number[k])
			r = set_options(mount_at(img, number[k] - 1), &own->v[k], err);
	return r;
}

/* Last ones first: they may lie on the earlier. */
static int restore_removed(const struct image *img, struct err *err)
{
	size_t i = image_count(img, RECORD_MOUNT);
	const Kist__Mount *m;

	while (i-- > 0) {
		autofree char *place = NULL;

		m = mount_at(img, i);
		if (m->origin != KIST__MOUNT_ORIGIN__REMOVED)
			continue;
		place = bytes_dup(&m->mountpoint);
		if (!place)
			return err_oom(err);
		if (umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL &&
			errno != ENOENT) /* those: create did not mount it this time */
			return err_set(err, -errno, "cannot unmount '%s' again", place);
	}
	return 0;
}

/* A shared mount starts a group of its own, or joins the one that its peer @peer is in. */
static int set_propagation(const struct image *img, size_t i, const char *place, struct err *err)
{
	const Kist__Mount *m = mount_at(img, i), *peer;
	autofree char *from = NULL;
	size_t k;

	if (m->unbindable && mount(NULL, place, NULL, MS_UNBINDABLE, NULL) < 0)
		return err_set(err, -errno, "cannot make the mount '%s' unbindable", place);
	if (!m->shared)
		return 0;
	for (k = 0; k < i && !from; k++) {
		peer = mount_at(img, k);
		if (peer->origin == KIST__MOUNT_ORIGIN__INSIDE && peer->shared == m->shared)
			from = bytes_dup(&peer->mountpoint);
	}
	/* A bind mount of a shared mount is in its group already. */
	if (!from && mount(NULL, place, NULL, MS_SHARED, NULL) < 0)
		return err_set(err, -errno, "cannot make the mount '%s' shared", place);
	if (from && !m->has_bound_path &&
		sys_move_mount(AT_FDCWD, from, AT_FDCWD, place, MOVE_MOUNT_SET_GROUP) < 0)
		return err_set(
			err, -EINVAL, "cannot join the mounts '%s' and '%s' again", from, place);
	return 0;
}

static int restore_inside(const struct image *img, size_t i, struct err *err)
{
	const Kist__Mount *m = mount_at(img, i);
	autofree char *place = bytes_dup(&m->mountpoint);
	autoclose int fd = -EBADF;
	int r;

	if (!place)
		return err_oom(err);
	fd = mount_make(m, err);
	if (fd < 0)
		return fd;
	if (tree_restore(img, m->number, fd, NULL, err) < 0)
		return err_wrap(err, "in '%s'", place);
	r = sys_move_mount(fd, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH);
	if (r < 0)
		return err_set(err, r, "cannot mount '%s' at '%s' again", m->fstype, place);
	return set_propagation(img, i, place, err);
}

int mount_restore(const struct image *img, struct err *err)
{
	autoclose int procfd = -EBADF, self = -EBADF;
	struct mounts own = {0};
	size_t i;
	int r;

	if (image_count(img, RECORD_MOUNT) == 0)
		return 0;
	procfd = proc_open(err);
	if (procfd < 0)
		return procfd;
	self = proc_open_pid(procfd, getpid());
	if (self < 0)
		return err_set(err, self, "cannot open '/proc/self'");
	/* First, so that names under the removed mounts are free. */
	r = restore_removed(img, err);
	if (r == 0)
		r = mounts_read(self, &own, err);
	if (r == 0)
		r = restore_created(img, &own, err);
	for (i = 0; r == 0 && i < image_count(img, RECORD_MOUNT); i++)
		if (mount_at(img, i)->origin == KIST__MOUNT_ORIGIN__INSIDE)
			r = restore_inside(img, i, err);
	mounts_done(&own);
	return r;
}
