// SPDX-License-Identifier: Apache-2.0
/*
 * Mounts by fd, also those that others hide. A thread makes a private copy of the mount namespace
 * and takes it apart from the last mount to the first: each one then stands free for a moment.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/util.h"
#include "cr/nsdump/mount-internal.h"
#include "sys/syscall.h"

struct job {
	int ns_fd;
	const struct mounts *m;
	const bool *want;
	int *fds;
	int result;
	const char *failed; /* what, when result < 0 */
};

/* A copy of mount @mi alone; -ENOENT when another mount stands where it should be seen. */
static int copy_mount(const struct mountinfo *mi)
{
	struct mount_attr a = {
		.attr_set = MOUNT_ATTR_NOATIME, .attr_clr = MOUNT_ATTR__ATIME | MOUNT_ATTR_RDONLY};
	autoclose int fd =
		sys_open_tree(AT_FDCWD, mi->mountpoint, OPEN_TREE_CLONE | AT_SYMLINK_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != makedev(mi->major, mi->minor))
		return -ENOENT;
	/* Locked flags stay as they are; what they forbid is told where it is tried. */
	(void)sys_mount_setattr(fd, "", AT_EMPTY_PATH, &a, sizeof(a));
	return TAKE_FD(fd);
}

static void *take_apart(void *arg)
{
	struct job *j = arg;
	size_t i;

	j->result = -1;
	j->failed = "cannot make a private copy of the container's mounts";
	/* setns(2) of a mount namespace wants an fs struct that no other thread shares */
	if (unshare(CLONE_FS) < 0 || (j->ns_fd >= 0 && setns(j->ns_fd, CLONE_NEWNS) < 0) ||
		unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		j->result = -errno;
		return NULL;
	}
	for (i = j->m->n; i-- > 0;) {
		if (j->want[i]) {
			int fd = copy_mount(&j->m->v[i]);

			j->fds[i] = fd < 0 ? -EBADF : fd;
		}
		/* Fails for the root and in foreign user namespaces: what it hides stays hidden. */
		(void)umount2(j->m->v[i].mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
	j->result = 0;
	return NULL;
}

int mounts_open(int ns_fd, const struct mounts *m, const bool *want, int *ret_fds, struct err *err)
{
	struct job j = {.ns_fd = ns_fd, .m = m, .want = want, .fds = ret_fds};
	pthread_t thread;
	size_t i;
	int r;

	for (i = 0; i < m->n; i++)
		ret_fds[i] = -EBADF;
	r = pthread_create(&thread, NULL, take_apart, &j);
	if (r != 0)
		return err_set(err, -r, "cannot start a thread");
	r = pthread_join(thread, NULL);
	if (r != 0)
		return err_set(err, -r, "cannot wait for a thread");
	return j.result < 0 ? err_set(err, j.result, "%s", j.failed) : 0;
}
