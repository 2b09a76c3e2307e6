// SPDX-License-Identifier: Apache-2.0
/*
 * Removal of a directory tree that a container has filled as it liked: no link is followed, no path
 * is built, one fd at a time is held however deep it is.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/util.h"
#include "container/container-internal.h"
#include "container/dirs.h"

/*
 * Unlinks what can be unlinked in @fd. Returns 1 with the name of the first directory that is left
 * in @name, 0 when @fd is empty.
 */
static int clear_flat(int fd, char name[NAME_MAX + 1])
{
	autodir DIR *dir = dir_open_at(fd, ".");
	struct dirent *e;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (e = dir_next(dir))) {
		if (unlinkat(fd, e->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM)
			r = -errno;
		else if (unlinkat(fd, e->d_name, AT_REMOVEDIR) == 0)
			continue;
		else if (errno != ENOTEMPTY && errno != EEXIST)
			r = -errno;
		else {
			strcpy(name, e->d_name);
			r = 1;
		}
	}
	return r;
}

int container_tree_clear(int fd, struct err *err)
{
	autoclose int cur = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_MAX + 1] = ".";
	size_t depth = 0;
	int r, next;

	if (cur < 0)
		return err_set(err, -errno, "cannot open the directory to remove");
	for (;;) {
		r = clear_flat(cur, name);
		if (r < 0)
			return err_set(err, r, "cannot remove what is in a directory '%s'", name);
		if (r == 0 && depth == 0)
			return 0;
		next = openat(
			cur, r ? name : "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (next < 0)
			return err_set(err, -errno, "cannot open a directory '%s'", name);
		(void)close(cur); /* only read from */
		cur = next;
		depth += r ? 1 : -1;
	}
}
