// SPDX-License-Identifier: Apache-2.0
/* The mounts of the spec, in its order, each attached by fd to a target that was walked by fd. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/util.h"
#include "mount/mount-internal.h"
#include "sys/lsm.h"
#include "sys/proc.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* What is particular about a file system; the others have no row. */
static const struct kind {
	const char *type;
	bool strict;	      /* no symbolic link may lead to it: its files steer the kernel */
	const char *fallback; /* bound from the host when the kernel refuses a new one */
	bool cgroup, tmpfs, devpts;
} kinds[] = {
	{"cgroup", .cgroup = true},
	{"cgroup2", .cgroup = true},
	{"devpts", .devpts = true},
	{"mqueue", .fallback = "/dev/mqueue"},
	{"proc", .strict = true},
	{"sysfs", .strict = true, .fallback = "/sys"},
	{"tmpfs", .tmpfs = true},
};

static const struct kind *find_kind(const char *type)
{
	static const struct kind other = {0};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].type, type))
			return &kinds[i];
	return &other;
}

static bool is_path(const char *path, const char *what)
{
	size_t n = strlen(what);

	path += strspn(path, "/");
	return strncmp(path, what, n) == 0 && strspn(path + n, "/") == strlen(path + n);
}

static int open_target(
	const struct kind *k, int root_fd, const struct spec_mount *m, bool dir, struct err *err)
{
	int fd = dir ? walk_mkdir(root_fd, m->destination) : walk_mkfile(root_fd, m->destination);

	if (fd >= 0 && k->strict) {
		close(fd);
		fd = walk_open_strict(root_fd, m->destination, O_PATH | O_DIRECTORY);
		if (fd == -ELOOP)
			return err_setx(err, fd,
				"'%s' in the rootfs is reached through a symbolic link",
				m->destination);
	}
	if (fd < 0)
		return err_set(
			err, fd, "cannot make the mount point '%s' in the rootfs", m->destination);
	return fd;
}

/*
 * A copy that is younger than all mounts before it: the kernel lists mounts by age, and the spec's
 * order is to be seen. Where it does not copy unattached mounts (before Linux 6.15), the source.
 */
static int renew(int mnt_fd, const struct mount_options *o, int *ret_copy)
{
	int fd = fs_clone(mnt_fd, "", AT_EMPTY_PATH | (o->rec ? AT_RECURSIVE : 0));

	*ret_copy = fd;
	return fd < 0 ? mnt_fd : fd;
}

static int mount_bind(int root_fd, const struct spec_mount *m, const struct mount_options *o,
	int source_fd, struct err *err)
{
	autoclose int target = -EBADF, copy = -EBADF;
	int mnt_fd = renew(source_fd, o, &copy);
	struct stat st;
	int r;

	if (mnt_fd < 0 || fstat(mnt_fd, &st) < 0)
		return err_setx(err, -EBADF, "the source of the bind mount at '%s' is missing",
			m->destination);
	target = open_target(find_kind(""), root_fd, m, S_ISDIR(st.st_mode), err);
	if (target < 0)
		return target;
	r = mount_options_apply(mnt_fd, o, m->destination, err);
	if (r < 0)
		return r;
	r = o->propagation == MS_UNBINDABLE
		    ? fs_set_propagation(mnt_fd, o->propagation, o->propagation_rec)
		    : 0;
	if (r == 0)
		r = fs_attach(mnt_fd, target);
	return r < 0 ? err_set(err, r, "cannot mount at '%s'", m->destination) : 0;
}

/* Without gid=5, when the user namespace does not have that group. */
static int new_devpts(const struct mount_options *o, const char *source, struct err *err)
{
	autostrv char **data = NULL;
	char **s;
	int fd = fs_new("devpts", source, o->data, (unsigned int)o->set, err);

	if (fd != -EINVAL)
		return fd;
	for (s = o->data; s && *s; s++)
		if (strncmp(*s, "gid=", 4) != 0 && strv_push(&data, *s) < 0)
			return err_oom(err);
	return fs_new("devpts", source, data, (unsigned int)o->set, err);
}

static bool has_key(char *const *data, const char *key)
{
	size_t n = strlen(key);

	for (; data && *data; data++)
		if (!strncmp(*data, key, n) && (*data)[n] == '=')
			return true;
	return false;
}

/* Like what it covers: its mode, unless one is given, and its content, if that is asked for. */
static int new_tmpfs(
	const struct spec_mount *m, struct mount_options *o, int target, struct err *err)
{
	autoclose int fd = -EBADF;
	char mode[32];
	struct stat st;
	int r = 0;

	if (!has_key(o->data, "mode") && fstat(target, &st) == 0) {
		snprintf(mode, sizeof(mode), "mode=%o", st.st_mode & 07777);
		if (strv_push(&o->data, mode) < 0)
			return err_oom(err);
	}
	fd = fs_new("tmpfs", m->source, o->data,
		(unsigned int)o->set & ~(unsigned int)MOUNT_ATTR_RDONLY, err);
	if (fd < 0)
		return fd;
	if (o->copy_up)
		r = copyup(target, fd);
	if (r < 0)
		return err_set(err, r, "cannot copy '%s' into its tmpfs", m->destination);
	if (o->set & MOUNT_ATTR_RDONLY && !is_path(m->destination, "dev"))
		r = fs_set_attr(fd, MOUNT_ATTR_RDONLY, 0, false);
	return r < 0 ? err_set(err, r, "cannot make '%s' read-only", m->destination) : TAKE_FD(fd);
}

/* The host's own: shows the host's view, so only where the container shares that with the host. */
static int bind_fallback(const struct rootfs_plan *plan, const struct kind *k,
	const struct mount_options *o, struct err *err)
{
	bool host_pids = !plan->spec->linux_.ns[SPEC_NS_PID].enabled;
	const char *path = k->fallback;
	autoclose int fd = -EBADF;
	int r;

	if (k->strict && !path && host_pids)
		path = "/proc";
	if (!path || !plan->userns)
		return -EPERM; /* the text is the first attempt's */
	fd = fs_clone(AT_FDCWD, path, AT_RECURSIVE);
	r = fd < 0 ? fd : fs_set_propagation(fd, MS_PRIVATE, true);
	if (r == 0)
		r = fs_set_attr(fd, o->set, 0, true);
	return r < 0 ? err_set(err, r, "cannot bind the host's '%s'", path) : TAKE_FD(fd);
}

static int new_mount(const struct rootfs_plan *plan, const struct kind *k,
	const struct spec_mount *m, struct mount_options *o, int target, struct err *err)
{
	int fd;

	if (k->tmpfs)
		return new_tmpfs(m, o, target, err);
	if (k->devpts)
		return new_devpts(o, m->source, err);
	fd = fs_new(m->type, m->source, o->data, (unsigned int)o->set, err);
	return fd == -EPERM ? bind_fallback(plan, k, o, err) : fd;
}

/* linux.mountLabel: the files of a new file system get it; those of the kernel keep their own. */
static int add_label(const struct rootfs_plan *plan, const struct kind *k,
	const struct spec_mount *m, struct mount_options *o)
{
	const char *label = plan->spec->linux_.mount_label;
	autoclose int proc = -EBADF;
	autofree char *word = NULL;

	if (!label || !*label || k->strict || !strcmp(m->type, "sysfs"))
		return 0;
	proc = proc_open(NULL);
	if (proc < 0 || !lsm_active(proc, LSM_SELINUX))
		return 0; /* the caller has been warned */
	if (asprintf(&word, "context=%s", label) < 0) {
		word = NULL;
		return -ENOMEM;
	}
	return strv_push(&o->data, word);
}

static int mount_fs(const struct rootfs_plan *plan, int root_fd, const struct spec_mount *m,
	struct mount_options *o, int *ret_fd, struct err *err)
{
	const struct kind *k = find_kind(m->type);
	autoclose int target = open_target(k, root_fd, m, true, err), fd = -EBADF;
	int r;

	if (target < 0)
		return target;
	if (k->cgroup)
		return cgroupfs_mount(plan, o, target, err);
	r = add_label(plan, k, m, o);
	if (r < 0)
		return err_oom(err);
	fd = new_mount(plan, k, m, o, target, err);
	if (fd < 0)
		return err_wrap(err, "mount at '%s'", m->destination);
	r = o->propagation ? fs_set_propagation(fd, o->propagation, o->propagation_rec) : 0;
	if (r == 0)
		r = fs_attach(fd, target);
	if (r < 0)
		return err_set(err, r, "cannot mount at '%s'", m->destination);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int mount_one(const struct rootfs_plan *plan, int root_fd, const struct spec_mount *m,
	int *mnt_fd, struct err *err)
{
	autooptions struct mount_options o = {0};
	int r;

	if (!m->destination || is_path(m->destination, ""))
		return err_setx(err, -EINVAL, "nothing can be mounted over the container's '/'");
	r = mount_options_parse(m, &o, err);
	if (r < 0)
		return r;
	if (o.bind)
		return mount_bind(root_fd, m, &o, *mnt_fd, err);
	if (!m->type)
		return err_setx(err, -EINVAL, "the mount at '%s' has no type", m->destination);
	return mount_fs(plan, root_fd, m, &o, mnt_fd, err);
}

static const struct spec_mount *find_mount(const struct spec *spec, const char *path, size_t *ret_i)
{
	size_t i;

	for (i = spec->n_mounts; i > 0; i--)
		if (is_path(spec->mounts[i - 1].destination, path)) {
			*ret_i = i - 1;
			return &spec->mounts[i - 1];
		}
	return NULL;
}

/* A host's /tmp and /run hold sockets and files of its running programs: the container's are new.
 */
static int mount_own(const struct rootfs_plan *plan, int root_fd, struct err *err)
{
	static const char *const own[][2] = {{"tmp", "mode=1777"}, {"run", "mode=755"}};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(own); i++) {
		char *data[] = {(char *)own[i][1], NULL};
		autoclose int fd = -EBADF, target = -EBADF;
		int r;

		if (find_mount(plan->spec, own[i][0], &k))
			continue;
		fd = fs_new("tmpfs", "tmpfs", data, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
		if (fd < 0)
			return fd;
		target = walk_mkdir(root_fd, own[i][0]);
		r = target < 0 ? target : fs_attach(fd, target);
		if (r < 0)
			return err_set(err, r, "cannot mount at '/%s'", own[i][0]);
	}
	return 0;
}

/* /dev of the spec: filled by us, unless it is the host's or another's directory. */
static int finish_dev(
	const struct rootfs_plan *plan, int root_fd, struct trees *trees, struct err *err)
{
	size_t i = 0;
	const struct spec_mount *m = find_mount(plan->spec, "dev", &i);
	autooptions struct mount_options o = {0};
	int r = m ? mount_options_parse(m, &o, err) : 0;

	if (r < 0 || o.bind)
		return r;
	r = dev_setup(plan, root_fd, err);
	if (r == 0 && o.set & MOUNT_ATTR_RDONLY) {
		r = fs_set_attr(trees->mount_fds[i], MOUNT_ATTR_RDONLY, 0, false);
		if (r < 0)
			err_set(err, r, "cannot make '/dev' read-only");
	}
	return r;
}

int mounts_all(const struct rootfs_plan *plan, int root_fd, struct trees *trees, struct err *err)
{
	size_t i;
	int r = 0;

	if (plan->kind == ROOTFS_HOST)
		r = mount_own(plan, root_fd, err);
	for (i = 0; i < plan->spec->n_mounts && r == 0; i++)
		r = mount_one(plan, root_fd, &plan->spec->mounts[i], &trees->mount_fds[i], err);
	return r < 0 ? r : finish_dev(plan, root_fd, trees, err);
}
