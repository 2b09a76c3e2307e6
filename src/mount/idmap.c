// SPDX-License-Identifier: Apache-2.0
/* Idmapped mounts: the owners on disk appear shifted by the maps of a user namespace. */
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/util.h"
#include "mount/mount-internal.h"
#include "sys/syscall.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

int idmap_apply(int mnt_fd, int userns_fd, bool rec)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (uint64_t)userns_fd,
	};

	return sys_mount_setattr(
		mnt_fd, "", AT_EMPTY_PATH | (rec ? AT_RECURSIVE : 0), &attr, sizeof(attr));
}

static int write_map(
	int proc_fd, const char *file, const struct spec_idmap *maps, size_t n, struct err *err)
{
	autobuf struct buf text = {0};
	size_t i;
	int r;

	for (i = 0; i < n; i++) /* a failed add is seen below */
		(void)buf_addf(&text, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", maps[i].container_id,
			maps[i].host_id, maps[i].size);
	if (text.failed)
		return err_oom(err);
	r = file_write_at(proc_fd, file, buf_str(&text));
	return r < 0 ? err_set(err, r, "cannot set the id map of a mount") : 0;
}

/*
 * The namespace lives in a process that does nothing. It shares our fd table, so that it can open
 * its own /proc/self for us: its pid may mean another process in the /proc that is mounted here.
 */
int idmap_userns(const struct spec_mount *m, struct err *err)
{
	autoclose int proc_fd = -EBADF, pidfd = -EBADF;
	int fd = -EBADF, pipefd[2], r;
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_FILES | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe");
	pid = sys_clone3(&args);
	if (pid == 0) {
		int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (write(pipefd[1], &self, sizeof(self)) == sizeof(self))
			for (;;)
				pause(); /* until killed */
		_exit(1);
	}
	if (pid < 0) {
		err_set(err, r = pid, "cannot make a user namespace for the maps of a mount");
	} else {
		/* the table is shared: only the message, not its end, can be waited for */
		r = read(pipefd[0], &proc_fd, sizeof(proc_fd)) == sizeof(proc_fd) ? 0 : -EIO;
		if (r < 0 || proc_fd < 0)
			err_set(err, r = -EIO, "cannot open the user namespace of a mount");
		if (r == 0)
			r = write_map(proc_fd, "uid_map", m->uid_maps, m->n_uid_maps, err);
		if (r == 0)
			r = write_map(proc_fd, "gid_map", m->gid_maps, m->n_gid_maps, err);
		if (r == 0) {
			fd = openat(proc_fd, "ns/user", O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				r = err_set(
					err, -errno, "cannot open the user namespace of a mount");
		}
		/* it is ours and does nothing: neither call can fail in a way that matters */
		(void)sys_pidfd_send_signal(pidfd, SIGKILL, NULL);
		(void)waitpid(pid, NULL, 0);
	}
	close(pipefd[0]);
	close(pipefd[1]);
	return r < 0 ? r : fd;
}
