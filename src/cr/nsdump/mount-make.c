// SPDX-License-Identifier: Apache-2.0
/* Mounts that need nothing from the host, made anew as a record says. fsopen(2), open_tree(2). */
#include <fcntl.h>
#include <sys/mount.h>

#include "base/util.h"
#include "cr/nsdump/mount-internal.h"
#include "sys/syscall.h"

struct remake {
	const char *fstype;
	const char *keep; /* options passed on: " a b ", or "*": all; NULL: none */
};

/* Contents of tmpfs and ramfs come from the image; hugetlbfs only without files. */
static const struct remake kinds[] = {
	{"binfmt_misc"},
	{"cgroup", "*"},
	{"cgroup2"},
	{"configfs"},
	{"debugfs"},
	{"devpts", " gid max mode ptmxmode uid "},
	{"fusectl"},
	{"hugetlbfs", " gid min_size mode nr_inodes pagesize size uid "},
	{"mqueue"},
	{"proc", " gid hidepid subset "},
	{"pstore"},
	{"ramfs"},
	{"securityfs"},
	{"sysfs"},
	{"tmpfs", " gid huge mode mpol noswap nr_blocks nr_inodes size uid "},
	{"tracefs"},
};

static const struct remake *find(const char *fstype)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].fstype, fstype) == 0)
			return &kinds[i];
	return NULL;
}

bool mount_remakable(const char *fstype)
{
	return find(fstype) != NULL;
}

static bool kept(const struct remake *k, const char *option)
{
	const char *p;
	size_t len = strlen(option);

	if (!k->keep || strcmp(option, "rw") == 0 || strcmp(option, "ro") == 0)
		return false;
	if (strcmp(k->keep, "*") == 0)
		return true;
	p = strstr(k->keep, option);
	return p && p[-1] == ' ' && p[len] == ' ';
}

static int set_options(int fs, const struct remake *k, char *options)
{
	char *option, *value;
	int r;

	while ((option = strsep(&options, ","))) {
		value = strchr(option, '=');
		if (value)
			*value++ = '\0';
		if (!*option || !kept(k, option))
			continue;
		r = sys_fsconfig_string(fs, option, value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_fresh(const Kist__Mount *m, const char *place, struct err *err)
{
	const struct remake *k = find(m->fstype);
	autofree char *options = bytes_dup(&m->super_options);
	autofree char *source = bytes_dup(&m->source);
	autoclose int fs = -EBADF;
	int r;

	if (!options || !source)
		return err_oom(err);
	if (!k)
		return err_setx(err, -EOPNOTSUPP, "a mount of '%s' at '%s' cannot be made again",
			m->fstype, place);
	r = fs = sys_fsopen(m->fstype);
	if (r >= 0 && *source)
		(void)sys_fsconfig_string(fs, "source", source); /* only a name to show */
	if (r >= 0)
		r = set_options(fs, k, options);
	if (r >= 0)
		r = sys_fsconfig_create(fs);
	if (r >= 0)
		r = sys_fsmount(fs, 0);
	return r < 0 ? err_set(err, r, "cannot mount '%s' at '%s' again", m->fstype, place) : r;
}

int mount_make(const Kist__Mount *m, struct err *err)
{
	autofree char *place = bytes_dup(&m->mountpoint);
	autofree char *bound = NULL;
	autoclose int fd = -EBADF;
	int r;

	if (!place)
		return err_oom(err);
	if (m->has_bound_path) {
		bound = bytes_dup(&m->bound_path);
		if (!bound)
			return err_oom(err);
		fd = sys_open_tree(AT_FDCWD, bound, OPEN_TREE_CLONE | AT_SYMLINK_NOFOLLOW);
		if (fd < 0)
			return err_set(err, fd, "cannot bind '%s' on '%s' again", bound, place);
	} else {
		fd = make_fresh(m, place, err);
		if (fd < 0)
			return fd;
	}
	r = mount_set_attrs(fd, m->options);
	return r < 0 ? err_set(err, r, "cannot set the options '%s' of the mount '%s'", m->options,
			       place)
		     : TAKE_FD(fd);
}
