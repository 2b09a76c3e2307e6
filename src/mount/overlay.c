// SPDX-License-Identifier: Apache-2.0
/*
 * One overlay: a lower directory, and what the container changes in upper/NAME of its state
 * directory. With a user namespace both layers are idmapped, so that ids on disk are the ones that
 * the container sees: root's files are root's inside, and the kept upper fits any later id range.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/util.h"
#include "mount/mount-internal.h"

#define UPPER_HINT                                                                        \
	"the container's directory must be on a file system that can carry an overlay's " \
	"changes (ext4, xfs, btrfs, tmpfs; not overlay, NFS, FAT), and be writable"

/*
 * Puts a mount somewhere in our namespace: kernels before 6.15 take no layer from outside of it.
 * It stacks on '/', where path walks that start at the process's root don't see it.
 */
static int park(int mnt_fd)
{
	autoclose int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return slash < 0 ? -errno : fs_attach(mnt_fd, slash);
}

/* A copy of the directory @fd, seen through the maps of the user namespace. */
static int mapped(int fd, int userns_fd, struct err *err)
{
	autoclose int mnt = fs_clone(fd, "", AT_EMPTY_PATH);
	int r;

	if (mnt < 0)
		return err_set(err, mnt, "cannot copy a mount");
	r = idmap_apply(mnt, userns_fd, false);
	if (r < 0) {
		err_set(err, r, "cannot shift the owners of a mount into the user namespace");
		err_hint(err,
			"its file system must support idmapped mounts (ext4, xfs, btrfs, tmpfs "
			"since 6.3), overlays of them need Linux 5.19");
		return r;
	}
	r = park(mnt);
	if (r < 0)
		return err_set(err, r, "cannot attach a mount");
	return TAKE_FD(mnt);
}

static int map_base(struct overlay_base *b, struct err *err)
{
	struct stat st;

	b->mnt_fd = mapped(b->dir_fd, b->userns_fd, err);
	if (b->mnt_fd < 0)
		return b->mnt_fd;
	if (fstat(b->mnt_fd, &st) < 0)
		return err_set(err, -errno, "cannot stat the container's directory");
	/* the directory is root's, so this is whom the namespace's root is on the host */
	b->uid = st.st_uid;
	b->gid = st.st_gid;
	return 0;
}

int overlay_base_open(
	const struct rootfs_plan *plan, int userns_fd, struct overlay_base *ret, struct err *err)
{
	struct overlay_base b = {.dir_fd = -EBADF,
		.mnt_fd = -EBADF,
		.userns_fd = userns_fd,
		.userxattr = plan->userns && userns_fd < 0};
	static const char *const dirs[] = {"upper", "work"};
	size_t i;

	b.dir_fd = walk_reopen(plan->state_fd, err);
	if (b.dir_fd < 0)
		return b.dir_fd;
	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdirat(b.dir_fd, dirs[i], 0700) < 0 && errno != EEXIST) {
			int r = err_set(err, -errno,
				"cannot make '%s' in the container's directory", dirs[i]);

			overlay_base_done(&b);
			return r;
		}
	if (plan->idmap && userns_fd >= 0) {
		int r = map_base(&b, err);

		if (r < 0) {
			overlay_base_done(&b);
			return r;
		}
	}
	*ret = b;
	return 0;
}

void overlay_base_done(struct overlay_base *b)
{
	if (b->dir_fd >= 0)
		close(b->dir_fd);
	if (b->mnt_fd >= 0)
		close(b->mnt_fd);
	*b = (struct overlay_base){.dir_fd = -EBADF, .mnt_fd = -EBADF, .userns_fd = -EBADF};
}

/* The root of the merged tree has the upper directory's owner and mode: take the lower's. */
static int make_layer(int dir_fd, const char *path, const struct stat *like, struct err *err)
{
	if (mkdirat(dir_fd, path, 0700) < 0) {
		if (errno == EEXIST)
			return 0; /* kept from an earlier run */
		return err_set(err, -errno, "cannot make '%s' in the container's directory", path);
	}
	if (like && (fchownat(dir_fd, path, like->st_uid, like->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
			    fchmodat(dir_fd, path, like->st_mode & 07777, 0) < 0))
		return err_set(err, -errno, "cannot set the owner of '%s'", path);
	return 0;
}

static int layer_open(const struct overlay_base *b, const char *path, struct err *err)
{
	int fd = openat(b->mnt_fd >= 0 ? b->mnt_fd : b->dir_fd, path,
		O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_set(err, -errno, "cannot open '%s' in the container's directory", path)
		      : fd;
}

/*
 * overlayfs makes its own files (work/, whiteouts) as the one who mounted it, and through an
 * idmapped layer only ids of the namespace can own any. So it is mounted as the namespace's root,
 * with our capabilities.
 */
static int become(const struct overlay_base *b, struct err *err)
{
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot keep capabilities over a change of user");
	(void)setfsgid(b->gid); /* these two return no errors */
	(void)setfsuid(b->uid);
	return 0;
}

static void become_self(void)
{
	(void)setfsuid(geteuid());
	(void)setfsgid(getegid());
	/* as it was: nothing could forbid that */
	(void)prctl(PR_SET_SECUREBITS, 0, 0, 0, 0);
}

static int merge(const struct overlay_base *b, int lower, int upper, int work, unsigned int attr,
	struct err *err)
{
	char layers[3][64];
	char *data[] = {
		layers[0], layers[1], layers[2], b->userxattr ? (char *)"userxattr" : NULL, NULL};
	struct statvfs st;
	int fd, r;

	snprintf(layers[0], sizeof(layers[0]), "lowerdir=/proc/self/fd/%d", lower);
	snprintf(layers[1], sizeof(layers[1]), "upperdir=/proc/self/fd/%d", upper);
	snprintf(layers[2], sizeof(layers[2]), "workdir=/proc/self/fd/%d", work);
	if (b->mnt_fd >= 0) {
		r = become(b, err);
		if (r < 0)
			return r;
	}
	fd = fs_new("overlay", "overlay", data, attr, err);
	if (b->mnt_fd >= 0)
		become_self();
	if (fd == -EINVAL)
		err_hint(err, UPPER_HINT);
	/* what the upper can't carry makes the kernel mount read-only, without an error */
	if (fd >= 0 && (fstatvfs(fd, &st) < 0 || st.f_flag & ST_RDONLY)) {
		close(fd);
		err_setx(err, -EROFS, "the container's directory can't hold an overlay's changes");
		err_hint(err, UPPER_HINT);
		return -EROFS;
	}
	return fd;
}

int overlay_new(const struct overlay_base *b, int lower_fd, const char *name, unsigned int attr,
	struct err *err)
{
	autoclose int map = -EBADF, upper = -EBADF, work = -EBADF;
	char upper_path[NAME_MAX + 16], work_path[NAME_MAX + 16];
	struct stat st;
	int r;

	if (fstat(lower_fd, &st) < 0)
		return err_set(err, -errno, "cannot stat the lower directory of '%s'", name);
	snprintf(upper_path, sizeof(upper_path), "upper/%s", name);
	snprintf(work_path, sizeof(work_path), "work/%s", name);
	r = make_layer(b->dir_fd, upper_path, &st, err);
	if (r == 0)
		r = make_layer(b->dir_fd, work_path, NULL, err);
	if (r < 0)
		return r;
	upper = layer_open(b, upper_path, err);
	if (upper < 0)
		return upper;
	work = layer_open(b, work_path, err);
	if (work < 0)
		return work;
	if (b->mnt_fd >= 0) {
		map = mapped(lower_fd, b->userns_fd, err);
		if (map < 0)
			return map;
	}
	return merge(b, map >= 0 ? map : lower_fd, upper, work, attr, err);
}
