// SPDX-License-Identifier: Apache-2.0
/* The order of saving and restoring what is inside the namespaces. */
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include "base/util.h"
#include "cr/nsdump/mount-internal.h"
#include "cr/nsdump/net.h"
#include "sys/proc.h"
#include "sys/syscall.h"

static int net_save(struct nsdump *d, struct err *err)
{
	autoclose int ns = openat(d->env->proc_pid_fd, "ns/net", O_RDONLY | O_CLOEXEC);

	if (ns < 0)
		return err_set(err, -errno, "cannot open the container's network namespace");
	return net_ns_dump(d->w, ns, err);
}

static int upper_save(struct nsdump *d, struct err *err)
{
	struct mount_attr a = {
		.attr_set = MOUNT_ATTR_NOATIME | MOUNT_ATTR_RDONLY, .attr_clr = MOUNT_ATTR__ATIME};
	autoclose int fd = -EBADF;
	int r;

	if (d->env->upper_fd < 0)
		return 0;
	/* through a mount of its own, so that reading leaves no access times */
	fd = sys_open_tree(d->env->upper_fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	r = fd < 0 ? fd : sys_mount_setattr(fd, "", AT_EMPTY_PATH, &a, sizeof(a));
	if (r < 0)
		return err_set(err, r, "cannot look at the container's changed files");
	return tree_save(d, fd, 0, "/", d->env->upper_shifted ? NULL : &d->ids, err);
}

static const struct step {
	const char *ns; /* only when the tree has one of its own; NULL: always */
	int (*save)(struct nsdump *d, struct err *err);
} save_steps[] = {
	{NULL, time_save},
	{"uts", uts_save},
	{"ipc", ipc_save},
	{"net", net_save},
	{"mnt", mount_save},
	{NULL, upper_save},
	{NULL, cgroups_save},
};

int nsdump_save(struct image_writer *w, const struct nsdump_env *env, struct err *err)
{
	struct nsdump d = {.env = env, .w = w};
	autoclose int procfd = proc_open(err);
	size_t i;
	int r;

	if (procfd < 0)
		return procfd;
	d.procfd = procfd;
	r = idmaps_read(env->proc_pid_fd, &d.ids, err);
	for (i = 0; r >= 0 && i < ARRAY_SIZE(save_steps); i++) {
		r = save_steps[i].ns ? visit_differs(env->proc_pid_fd, save_steps[i].ns, err) : 1;
		if (r > 0)
			r = save_steps[i].save(&d, err);
	}
	return r < 0 ? r : 0;
}

int nsdump_restore_prepare(const struct image *img, struct spec *spec, int upper_fd,
	bool upper_shifted, struct err *err)
{
	static int (*const checks[])(const struct image *, struct err *) = {uts_check,
		sysctl_restore_check, ipc_check, net_ns_check, mount_check, tree_check,
		cgroups_check};
	struct idmaps ids;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < ARRAY_SIZE(checks); i++)
		r = checks[i](img, err);
	if (r == 0)
		r = time_restore_spec(img, spec, err);
	if (r < 0 || upper_fd < 0)
		return r;
	idmaps_from_spec(spec, &ids);
	return tree_restore(img, 0, upper_fd, upper_shifted ? NULL : &ids, err);
}

/*
 * procfs without the read-only and masking mounts that a container has on top: a copy of its mount
 * alone, or a new one where none is mounted.
 */
static int open_bare_proc(struct err *err)
{
	autoclose int fs = -EBADF;
	struct statfs st;
	int r;

	r = sys_open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (r >= 0 && fstatfs(r, &st) == 0 && st.f_type == PROC_SUPER_MAGIC)
		return r;
	if (r >= 0)
		(void)close(r); /* not procfs */
	r = fs = sys_fsopen("proc");
	if (r >= 0)
		r = sys_fsconfig_create(fs);
	if (r >= 0)
		r = sys_fsmount(fs, 0);
	return r < 0 ? err_set(err, r, "cannot reach procfs inside the container") : r;
}

int nsdump_restore_inside(const struct image *img, struct err *err)
{
	autoclose int procfd = open_bare_proc(err);
	int r;

	if (procfd < 0)
		return procfd;
	r = uts_restore(img, err);
	if (r == 0)
		r = ipc_restore(img, procfd, err);
	if (r == 0)
		r = net_ns_restore(img, procfd, err);
	if (r == 0)
		r = mount_restore(img, err);
	return r;
}

int nsdump_restore_late(const struct image *img, struct err *err)
{
	autoclose int procfd = open_bare_proc(err);
	int r;

	if (procfd < 0)
		return procfd;
	r = shm_restore_late(img, err);
	return r < 0 ? r : sysctl_restore(img, procfd, true, err);
}
