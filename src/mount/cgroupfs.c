// SPDX-License-Identifier: Apache-2.0
/*
 * /sys/fs/cgroup inside. On v2 one mount; on v1 and hybrid hosts a tmpfs with every hierarchy below
 * it, always read-only (a writable release_agent or devices.allow is a way out). The mounts are new
 * ones of the container's cgroup namespace; without a namespace only its own cgroup is bound.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/util.h"
#include "mount/mount-internal.h"
#include "sys/mountinfo.h"

#define TEXT_MAX     ((size_t)64 << 20)
#define CGROUP_MOUNT "/sys/fs/cgroup"
#define FLAGS	     (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* A hierarchy of the host: "cpu,cpuacct", "unified", … */
struct hierarchy {
	const char *name; /* its directory below /sys/fs/cgroup, "" for v2's only one */
	bool v2;
	char *controllers; /* of a v1 hierarchy: "cpu,cpuacct", "name=systemd" */
	char *mountpoint;
};

/*
 * What names a v1 hierarchy among its super options, e.g. "rw,xattr,cpu,cpuacct". The words that
 * are left out are settings, not names, and do not have to be repeated.
 */
static int hierarchy_words(const char *options, char ***ret)
{
	static const char *const settings[] = {"rw", "ro", "xattr", "noprefix", "clone_children",
		"cpuset_v2_mode", "favordynmods"};
	autofree char *copy = strdup(options);
	char *save = NULL, *word;
	bool named = false, controller = false;
	int r = copy ? 0 : -ENOMEM;

	for (word = copy ? strtok_r(copy, ",", &save) : NULL; word && r == 0;
		word = strtok_r(NULL, ",", &save)) {
		size_t i;

		for (i = 0; i < ARRAY_SIZE(settings) && strcmp(word, settings[i]) != 0; i++)
			;
		if (i < ARRAY_SIZE(settings) || !strncmp(word, "release_agent=", 14))
			continue;
		named |= !strncmp(word, "name=", 5);
		controller |= strncmp(word, "name=", 5) != 0;
		r = strv_push(ret, word);
	}
	if (r == 0 && named && !controller)
		r = strv_push(ret, "none");
	return r;
}

/* Is @word one of the words in "a,b,c"? */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL)
		if (!strncmp(list, word, n) && (list[n] == ',' || !list[n]))
			return true;
	return false;
}

/* The caller's path in the hierarchy, from /proc/self/cgroup ("3:cpu:/a"); "/" if not found. */
static int own_path(const struct hierarchy *h, char **ret)
{
	autobuf struct buf text = {0};
	char *save = NULL, *line, **words = NULL;
	int r = file_read_at(AT_FDCWD, "/proc/self/cgroup", &text, TEXT_MAX);

	if (r == 0 && !h->v2)
		r = hierarchy_words(h->controllers, &words);
	for (line = r == 0 && text.data ? strtok_r(text.data, "\n", &save) : NULL; line;
		line = strtok_r(NULL, "\n", &save)) {
		char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		list++;
		if (h->v2 ? !*list : *list && words && has_word(list, words[0])) {
			*ret = strdup(path);
			strv_free(words);
			return *ret ? 0 : -ENOMEM;
		}
	}
	strv_free(words);
	if (r < 0)
		return r;
	*ret = strdup("/");
	return *ret ? 0 : -ENOMEM;
}

/* The container's own cgroup, as the host's mount shows it. */
static int bind_own(const struct hierarchy *h, uint64_t flags, struct err *err)
{
	autofree char *path = NULL;
	autobuf struct buf full = {0};
	autoclose int fd = -EBADF;
	int r = own_path(h, &path);

	if (r < 0 || buf_addf(&full, "%s%s", h->mountpoint, path) < 0)
		return err_set(err, r < 0 ? r : -ENOMEM, "cannot find the own cgroup");
	fd = fs_clone(AT_FDCWD, full.data, 0);
	r = fd < 0 ? fd : fs_set_attr(fd, flags, 0, false);
	if (r == 0)
		r = fs_set_propagation(fd, MS_PRIVATE, false);
	return r < 0 ? err_set(err, r, "cannot bind the cgroup '%s'", full.data) : TAKE_FD(fd);
}

static int open_hierarchy(
	const struct rootfs_plan *plan, const struct hierarchy *h, uint64_t flags, struct err *err)
{
	char **words = NULL;
	int fd = -EPERM, r = 0;

	/*
	 * A new mount of cgroup2 outside of a namespace would set the host's mount options anew;
	 * one that is joined may be another one's, but then it is not the host's.
	 */
	if (plan->spec->linux_.ns[SPEC_NS_CGROUP].enabled) {
		if (!h->v2)
			r = hierarchy_words(h->controllers, &words);
		if (r < 0) {
			strv_free(words);
			return err_oom(err);
		}
		fd = fs_new(
			h->v2 ? "cgroup2" : "cgroup", "cgroup", words, (unsigned int)flags, err);
		strv_free(words);
	}
	/* in a user namespace the kernel may refuse */
	return fd == -EPERM || fd == -EBUSY ? bind_own(h, flags, err) : fd;
}

static int attach_below(int dir_fd, const char *name, int mnt_fd, struct err *err)
{
	autoclose int at = -EBADF;
	int r = 0;

	at = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = at < 0 ? -errno : fs_attach(mnt_fd, at);
	return r < 0 ? err_set(err, r, "cannot attach the cgroup hierarchy '%s'", name) : 0;
}

/* "cpu,cpuacct" is also known as "cpu" and as "cpuacct". */
static void link_parts(int dir_fd, const char *name)
{
	autofree char *copy = strchr(name, ',') ? strdup(name) : NULL;
	char *save = NULL, *word;

	for (word = copy ? strtok_r(copy, ",", &save) : NULL; word;
		word = strtok_r(NULL, ",", &save))
		(void)symlinkat(name, dir_fd, word); /* only a convenience */
}

/* The rows of mountinfo that are hierarchies below /sys/fs/cgroup; they point into @text. */
static int find(struct buf *text, struct hierarchy **ret, size_t *ret_n, struct err *err)
{
	struct hierarchy *list = NULL;
	size_t n = 0, cap = 0, i;
	struct mountinfo m;
	char *p;
	int r = file_read_at(AT_FDCWD, "/proc/self/mountinfo", text, TEXT_MAX);

	if (r < 0)
		return err_set(err, r, "cannot read '/proc/self/mountinfo'");
	for (p = text->data; p && (r = mountinfo_next(&p, &m)) > 0;) {
		struct hierarchy h = {.v2 = !strcmp(m.fstype, "cgroup2"),
			.controllers = m.super_options,
			.mountpoint = m.mountpoint};
		size_t k = strlen(CGROUP_MOUNT);

		if ((!h.v2 && strcmp(m.fstype, "cgroup") != 0) ||
			strncmp(m.mountpoint, CGROUP_MOUNT, k) != 0)
			continue;
		h.name = m.mountpoint + k + (m.mountpoint[k] == '/');
		for (i = 0; i < n && strcmp(list[i].name, h.name) != 0; i++)
			;
		if (strchr(h.name, '/') || i < n) /* deeper, or mounted twice */
			continue;
		if (array_reserve(&list, &cap, n + 1, sizeof(*list)) < 0) {
			free(list);
			return err_oom(err);
		}
		list[n++] = h;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

static int mount_v1(const struct rootfs_plan *plan, const struct hierarchy *list, size_t n,
	int target_fd, struct err *err)
{
	char *data[] = {(char *)"mode=755", (char *)"size=64k", NULL};
	autoclose int dir = fs_new("tmpfs", "cgroup", data, FLAGS, err);
	size_t i;
	int r;

	if (dir < 0)
		return dir;
	/* read-only before it is attached: later not every kernel lets a shared namespace do that
	 */
	for (i = 0; i < n; i++) {
		if (*list[i].name && mkdirat(dir, list[i].name, 0755) < 0)
			return err_set(
				err, -errno, "cannot make '%s/%s'", CGROUP_MOUNT, list[i].name);
		link_parts(dir, list[i].name);
	}
	r = fs_set_attr(dir, MOUNT_ATTR_RDONLY, 0, false);
	if (r < 0)
		return err_set(err, r, "cannot make '%s' read-only", CGROUP_MOUNT);
	r = fs_attach(dir, target_fd);
	if (r < 0)
		return err_set(err, r, "cannot attach '%s'", CGROUP_MOUNT);
	for (i = 0; i < n; i++) {
		autoclose int mnt = -EBADF;

		if (!*list[i].name)
			continue;
		mnt = open_hierarchy(plan, &list[i], FLAGS | MOUNT_ATTR_RDONLY, err);
		if (mnt < 0)
			return err_wrap(err, "cgroup hierarchy '%s'", list[i].name);
		r = attach_below(dir, list[i].name, mnt, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int cgroupfs_mount(const struct rootfs_plan *plan, const struct mount_options *o, int target_fd,
	struct err *err)
{
	const struct hierarchy v2 = {.v2 = true, .mountpoint = (char *)CGROUP_MOUNT};
	autobuf struct buf text = {0};
	autofree struct hierarchy *list = NULL;
	autoclose int mnt = -EBADF;
	size_t n = 0, i;
	int r = find(&text, &list, &n, err);

	if (r < 0)
		return r;
	for (i = 0; i < n; i++)
		if (!list[i].v2)
			return mount_v1(plan, list, n, target_fd, err);
	mnt = open_hierarchy(plan, &v2, o->set, err);
	if (mnt < 0)
		return mnt;
	r = fs_attach(mnt, target_fd);
	return r < 0 ? err_set(err, r, "cannot attach '%s'", CGROUP_MOUNT) : 0;
}
