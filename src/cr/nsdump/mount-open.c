// SPDX-License-Identifier: Apache-2.0
/*
 * Mounts by fd, also those that others hide. A helper process that shares our fds enters the mount
 * namespace; for what it cannot reach, it makes a private copy of the namespace and takes it apart
 * from the last mount to the first: each one then stands free for a moment.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/util.h"
#include "cr/nsdump/mount-internal.h"
#include "sys/syscall.h"

struct answer { /* shared with the helper */
	int result;
	int fds[];
};

/* A copy of mount @mi alone; -EBADF when another mount stands where it should be seen. */
static int copy_mount(const struct mountinfo *mi)
{
	struct mount_attr a = {
		.attr_set = MOUNT_ATTR_NOATIME, .attr_clr = MOUNT_ATTR__ATIME | MOUNT_ATTR_RDONLY};
	autoclose int fd =
		sys_open_tree(AT_FDCWD, mi->mountpoint, OPEN_TREE_CLONE | AT_SYMLINK_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != makedev(mi->major, mi->minor))
		return -EBADF;
	/* Locked flags stay as they are; what they forbid is told where it is tried. */
	(void)sys_mount_setattr(fd, "", AT_EMPTY_PATH, &a, sizeof(a));
	return TAKE_FD(fd);
}

/* In the helper. Mounts of a foreign user namespace cannot be taken off the copy: they stay. */
static int look(int ns_fd, const struct mounts *m, const bool *want, struct answer *a)
{
	size_t i, missing = 0;

	if (ns_fd >= 0 && setns(ns_fd, CLONE_NEWNS) < 0)
		return -errno;
	for (i = 0; i < m->n; i++) {
		if (want[i])
			a->fds[i] = copy_mount(&m->v[i]);
		missing += want[i] && a->fds[i] < 0;
	}
	if (!missing)
		return 0;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	for (i = m->n; i-- > 0;) {
		if (want[i] && a->fds[i] < 0)
			a->fds[i] = copy_mount(&m->v[i]);
		(void)umount2(m->v[i].mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW); /* see above */
	}
	return 0;
}

int mounts_open(int ns_fd, const struct mounts *m, const bool *want, int *ret_fds, struct err *err)
{
	const size_t size = sizeof(struct answer) + m->n * sizeof(int);
	struct clone_args args = {.flags = CLONE_FILES};
	struct answer *a =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, r;
	size_t i;
	pid_t pid;

	if (a == MAP_FAILED)
		return err_oom(err);
	for (i = 0; i < m->n; i++)
		a->fds[i] = -EBADF;
	/* No signal at its end, so that nobody else's wait sees it; its pid is free when we go on.
	 */
	pid = sys_clone3(&args);
	if (pid == 0) {
		a->result = look(ns_fd, m, want, a);
		_exit(0);
	}
	r = pid < 0 ? pid : waitpid(pid, &status, __WALL) < 0 ? -errno : a->result;
	for (i = 0; i < m->n; i++)
		ret_fds[i] = a->fds[i];
	(void)munmap(a, size); /* ours */
	return r < 0 ? err_set(err, r, "cannot look into the container's mount namespace") : 0;
}
