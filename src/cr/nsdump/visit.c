// SPDX-License-Identifier: Apache-2.0
/* A thread's visit to a namespace of another process, setns(2). */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/util.h"
#include "cr/nsdump/nsdump-internal.h"

static int ns_path(const char *name, const char *dir, char *ret, size_t size)
{
	int n = snprintf(ret, size, "%sns/%s", dir, name);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int visit_differs(int proc_pid_fd, const char *name, struct err *err)
{
	char theirs[64], ours[64];
	struct stat a, b;

	if (ns_path(name, "", theirs, sizeof(theirs)) < 0 ||
		ns_path(name, "/proc/thread-self/", ours, sizeof(ours)) < 0)
		return err_setx(err, -EINVAL, "no namespace '%s'", name);
	if (stat(ours, &b) < 0) {
		if (errno == ENOENT)
			return 0; /* this kernel has none of the kind */
		return err_set(err, -errno, "cannot look at '%s'", ours);
	}
	if (fstatat(proc_pid_fd, theirs, &a, 0) < 0)
		return err_set(err, -errno, "cannot look at the container's '%s'", theirs);
	return a.st_ino != b.st_ino || a.st_dev != b.st_dev;
}

int visit_enter(struct visit *v, int proc_pid_fd, const char *name, int type, struct err *err)
{
	autoclose int home = -EBADF, there = -EBADF;
	char path[64];

	v->home = -EBADF;
	v->type = type;
	if (ns_path(name, "", path, sizeof(path)) < 0)
		return err_setx(err, -EINVAL, "no namespace '%s'", name);
	there = openat(proc_pid_fd, path, O_RDONLY | O_CLOEXEC);
	if (there < 0)
		return err_set(err, -errno, "cannot open the container's '%s'", path);
	if (ns_path(name, "/proc/thread-self/", path, sizeof(path)) < 0)
		return err_setx(err, -EINVAL, "no namespace '%s'", name);
	home = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0)
		return err_set(err, -errno, "cannot open '%s'", path);
	if (setns(there, type) < 0)
		return err_set(err, -errno, "cannot enter the container's %s namespace", name);
	v->home = TAKE_FD(home);
	return 0;
}

void visit_leave(struct visit *v)
{
	if (v->home < 0)
		return;
	if (setns(v->home, v->type) < 0) {
		log_write(LOG_LEVEL_ERROR, "cannot return from a namespace: %s", strerror(errno));
		_exit(1);
	}
	(void)close(TAKE_FD(v->home)); /* a namespace fd: close cannot lose data */
}
