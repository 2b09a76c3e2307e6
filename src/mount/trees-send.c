// SPDX-License-Identifier: Apache-2.0
/*
 * Trees for a container in a user namespace. Its first process has no right to clone the host's
 * mounts one by one or to idmap them, so a process with the host's privileges, in a mount namespace
 * of its own, makes them and sends the fds.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/util.h"
#include "mount/mount-internal.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

#define FDS_MAX 16 /* of one fd_send */

struct packet {
	struct err err; /* code 0, or why nothing comes */
	size_t first;	/* the number of the first fd: 0 is the root, i + 1 mount i */
	size_t n;
	bool has[FDS_MAX]; /* which of them follow */
	bool last;
};

static int send_trees(int sock, const struct trees *t, int root_fd)
{
	size_t i, all = t->n + 1;
	int r = 0;

	for (i = 0; i < all && r == 0; i += FDS_MAX) {
		struct packet p = {.first = i, .n = MIN(all - i, (size_t)FDS_MAX)};
		int fds[FDS_MAX];
		size_t k, n = 0;

		for (k = 0; k < p.n; k++) {
			int fd = i + k == 0 ? root_fd : t->mount_fds[i + k - 1];

			p.has[k] = fd >= 0;
			if (fd >= 0)
				fds[n++] = fd;
		}
		p.last = i + p.n == all;
		r = n ? fd_send(sock, fds, n, &p, sizeof(p)) : io_write(sock, &p, sizeof(p));
	}
	return r;
}

/* In the helper process, whose namespace goes with it. */
static int serve(const struct rootfs_plan *plan, int userns_fd, int sock)
{
	struct trees t = {.root_fd = -EBADF};
	autoclose int tree = -EBADF;
	struct packet p = {0};
	int r;

	if (unshare(CLONE_NEWNS) < 0)
		r = err_set(&p.err, -errno, "cannot make a mount namespace");
	else
		r = trees_open(plan, userns_fd, &t, &p.err);
	if (r == 0) {
		/* with all that is mounted below it, and attached nowhere */
		tree = fs_clone(t.root_fd, "", AT_EMPTY_PATH | AT_RECURSIVE);
		if (tree < 0)
			r = err_set(&p.err, tree, "cannot copy the container's root");
	}
	if (r == 0)
		r = send_trees(sock, &t, tree);
	else
		(void)io_write(sock, &p, sizeof(p)); /* the receiver sees the end instead */
	trees_done(&t);
	return r;
}

int rootfs_send_trees(const struct rootfs_plan *plan, int userns_fd, int sock, struct err *err)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return err_set(err, -errno, "cannot fork");
	if (pid == 0)
		_exit(serve(plan, userns_fd, sock) < 0 ? 1 : 0);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot wait for the process that mounts");
	if (WIFSIGNALED(status))
		return err_setx(err, -EIO, "the process that mounts was killed by signal %d",
			WTERMSIG(status));
	return 0; /* a failure of its own is on its way through the socket */
}

static int take(const struct packet *p, const int *fds, size_t n_fds, struct trees *t)
{
	size_t k, used = 0;

	if (p->first > t->n || p->n > FDS_MAX || p->first + p->n > t->n + 1)
		return -EPROTO;
	for (k = 0; k < p->n; k++) {
		int *to = p->first + k == 0 ? &t->root_fd : &t->mount_fds[p->first + k - 1];

		if (!p->has[k])
			continue;
		if (used == n_fds || *to >= 0)
			return -EPROTO;
		*to = fds[used++];
	}
	return used == n_fds ? 0 : -EPROTO;
}

int trees_receive(int sock, size_t n_mounts, struct trees *ret, struct err *err)
{
	struct trees t = {.root_fd = -EBADF};
	struct packet p = {0};
	int r = 0;

	t.mount_fds = calloc(n_mounts + 1, sizeof(*t.mount_fds));
	if (!t.mount_fds)
		return err_oom(err);
	for (; t.n < n_mounts; t.n++)
		t.mount_fds[t.n] = -EBADF;
	while (r == 0 && !p.last) {
		int fds[FDS_MAX];
		size_t n = FDS_MAX;
		ssize_t len = fd_recv(sock, fds, &n, &p, sizeof(p));

		if (len != sizeof(p)) {
			r = err_set(err, len < 0 ? (int)len : -ECONNRESET,
				"cannot get the container's root from its parent");
		} else if (p.err.code) {
			if (err)
				*err = p.err;
			r = p.err.code;
		} else {
			r = take(&p, fds, n, &t);
			if (r < 0)
				err_setx(err, r, "the container's root came garbled");
		}
	}
	if (r == 0 && t.root_fd < 0)
		r = err_setx(err, -EPROTO, "the container's root did not come");
	if (r < 0) {
		trees_done(&t);
		return r;
	}
	*ret = t;
	return 0;
}
