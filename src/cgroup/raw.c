// SPDX-License-Identifier: Apache-2.0
/*
 * Files of cgroup2 that the key table does not know ("misc.max", those of a kernel to come), as OCI
 * descriptions may name them: written as they are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/util.h"
#include "cgroup/cgroup-internal.h"
#include "cgroup/cgroup.h"

/* The controller from the top down to the parent of @fd, which lies @depth directories deep. */
static void enable(int fd, unsigned int depth, const char *word)
{
	autoclose int parent = depth ? openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC) : -EBADF;

	if (parent < 0)
		return;
	enable(parent, depth - 1, word);
	(void)file_write_at(parent, "cgroup.subtree_control", word); /* then the file is missing */
}

static unsigned int depth_of(const char *path)
{
	unsigned int n = 0;

	for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
		path += strcspn(path, "/");
		n++;
	}
	return n;
}

int cgroup_set_raw(struct cgroup *cg, const char *file, const char *value, struct err *err)
{
	int fd = cgroup_fd2(cg), r;
	const char *dot = strchr(file, '.');
	char word[64] = "+";

	if (cgroup_host_mode(cg->host) != CGROUP_V2 || fd < 0)
		return err_setx(err, -EOPNOTSUPP,
			"'%s' is no key that kist knows, and this host has no pure cgroup v2",
			file);
	if (!dot || dot - file > 60 || strchr(file, '/') || strncmp(file, "cgroup.", 7) == 0)
		return err_setx(err, -EINVAL, "'%s' is no limit of cgroup v2", file);
	memcpy(word + 1, file, (size_t)(dot - file));
	if (faccessat(fd, file, F_OK, 0) < 0)
		enable(fd, depth_of(cg->path), word);
	r = file_write_at(fd, file, value);
	if (r == -ENOENT)
		return err_setx(err, r, "this kernel has no '%s', or not the controller '%s' here",
			file, word + 1);
	return r < 0 ? err_set(err, r, "cannot set '%s' to '%s'", file, value) : 0;
}
