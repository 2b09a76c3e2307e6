// SPDX-License-Identifier: Apache-2.0
/* See ns.h. The table of types is the spec's (spec_ns_name, spec_ns_clone_flag). */
#include "ns/ns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/util.h"

/* Names below /proc/PID/ns, which are not all those of config.json. */
static const char *const proc_names[SPEC_NS_COUNT] = {
	[SPEC_NS_USER] = "user",
	[SPEC_NS_CGROUP] = "cgroup",
	[SPEC_NS_IPC] = "ipc",
	[SPEC_NS_UTS] = "uts",
	[SPEC_NS_NET] = "net",
	[SPEC_NS_PID] = "pid",
	[SPEC_NS_TIME] = "time",
	[SPEC_NS_MNT] = "mnt",
};

int ns_new_flags(const struct spec_linux *l)
{
	int i, flags = 0;

	for (i = 0; i < SPEC_NS_COUNT; i++)
		if (l->ns[i].enabled && !l->ns[i].path)
			flags |= spec_ns_clone_flag(i);
	return flags;
}

bool ns_is_joined(const struct spec_linux *l, enum spec_ns ns)
{
	return l->ns[ns].enabled && l->ns[ns].path;
}

static int join_one(const char *path, enum spec_ns ns, struct err *err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int type;

	if (fd < 0)
		return err_set(
			err, -errno, "cannot open the %s namespace '%s'", spec_ns_name(ns), path);
	type = ioctl(fd, NS_GET_NSTYPE);
	if (type != spec_ns_clone_flag(ns))
		return err_setx(err, -EINVAL, "'%s' is not a %s namespace", path, spec_ns_name(ns));
	if (setns(fd, type) < 0)
		return err_set(
			err, -errno, "cannot enter the %s namespace '%s'", spec_ns_name(ns), path);
	return 0;
}

int ns_join(const struct spec_linux *l, int mask, struct err *err)
{
	int i, r = 0;

	for (i = 0; r == 0 && i < SPEC_NS_COUNT; i++)
		if (ns_is_joined(l, i) && (spec_ns_clone_flag(i) & mask))
			r = join_one(l->ns[i].path, i, err);
	return r;
}

int ns_differing(pid_t pid, int *ret_flags, struct err *err)
{
	char theirs[64], ours[64];
	struct stat a, b;
	int i, flags = 0;

	for (i = 0; i < SPEC_NS_COUNT; i++) {
		snprintf(ours, sizeof(ours), "/proc/self/ns/%s", proc_names[i]);
		snprintf(theirs, sizeof(theirs), "/proc/%d/ns/%s", (int)pid, proc_names[i]);
		if (stat(ours, &a) < 0) /* a kernel without this type */
			continue;
		if (stat(theirs, &b) < 0)
			return err_set(err, errno == ENOENT ? -ESRCH : -errno,
				"cannot look at the %s namespace of process %d", spec_ns_name(i),
				(int)pid);
		if (a.st_ino != b.st_ino || a.st_dev != b.st_dev)
			flags |= spec_ns_clone_flag(i);
	}
	*ret_flags = flags;
	return 0;
}

int ns_enter(int pidfd, int flags, struct err *err)
{
	if (flags && setns(pidfd, flags) < 0)
		return err_set(err, -errno, "cannot enter the namespaces of the container");
	return 0;
}
