// SPDX-License-Identifier: Apache-2.0
/*
 * The host's own files as a root: an overlay over each mounted file system, so that the container
 * sees all of them and changes none. What no overlay can take as its lower layer (files, some
 * network and FUSE file systems) is bound read-only. The kernel's own file systems and the
 * directories of the running system (/dev, /run, /tmp, …) are left out: the container has its own.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "mount/mount-internal.h"
#include "sys/mountinfo.h"

#define MOUNTINFO_MAX ((size_t)64 << 20)

/* no files of the host's, but views of the kernel */
static const char *const kernel_types[] = {"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2",
	"configfs", "debugfs", "devpts", "devtmpfs", "efivarfs", "fusectl", "hugetlbfs", "mqueue",
	"nsfs", "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs"};

/* the container has its own, or what lies there are other containers' roots */
static const char *const own_paths[] = {"/dev", "/proc", "/run", "/sys", "/tmp",
	"/var/lib/containerd", "/var/lib/containers", "/var/lib/docker", "/var/lib/kist",
	"/var/run"};

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static bool wanted(const struct mountinfo *m)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kernel_types); i++)
		if (!strcmp(m->fstype, kernel_types[i]))
			return false;
	for (i = 0; i < ARRAY_SIZE(own_paths); i++)
		if (is_below(m->mountpoint, own_paths[i]))
			return false;
	return true;
}

char *hostroot_upper_name(const char *mountpoint)
{
	autobuf struct buf b = {0};
	const unsigned char *p;

	if (!strcmp(mountpoint, "/"))
		return strdup("root");
	/* failed adds come out of buf_take */
	for (p = (const unsigned char *)mountpoint; *p; p++)
		if (*p == '/')
			(void)buf_adds(&b, "-");
		else if ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
			 (*p >= 'A' && *p <= 'Z') || *p == '_' || *p == '.')
			(void)buf_add(&b, p, 1);
		else
			(void)buf_addf(&b, "\\x%02x", *p);
	if (b.len > NAME_MAX) { /* too long for a name: by a hash */
		buf_reset(&b);
		(void)buf_addf(&b, "-%016llx",
			(unsigned long long)XXH3_64bits(mountpoint, strlen(mountpoint)));
	}
	return buf_take(&b);
}

/* nodev, as /dev is the container's own: a stray node must not be a way to the host's disks. */
static unsigned int flags_of(const struct mountinfo *m)
{
	static const struct {
		const char *name;
		unsigned int flag;
	} words[] = {{"nosuid", MOUNT_ATTR_NOSUID}, {"noexec", MOUNT_ATTR_NOEXEC}};
	unsigned int flags = MOUNT_ATTR_NODEV;
	const char *p = m->options;
	size_t i, n;

	for (; *p; p += n + (p[n] == ',')) {
		n = strcspn(p, ",");
		for (i = 0; i < ARRAY_SIZE(words); i++)
			if (n == strlen(words[i].name) && !strncmp(p, words[i].name, n))
				flags |= words[i].flag;
	}
	return flags;
}

/* The mount's root by its path, unless a later mount hides it (-ENOENT). O_PATH. */
static int open_mount(const struct mountinfo *m)
{
	autoclose int fd = open(m->mountpoint, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct statx st;

	if (fd < 0)
		return -errno;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &st) < 0)
		return -errno;
	if (st.stx_mask & STATX_MNT_ID && st.stx_mnt_id != (uint64_t)m->id)
		return -ENOENT;
	return TAKE_FD(fd);
}

static int bind_read_only(int fd, unsigned int flags, struct err *err)
{
	autoclose int mnt = fs_clone(fd, "", AT_EMPTY_PATH);
	int r = mnt < 0 ? mnt : fs_set_attr(mnt, flags | MOUNT_ATTR_RDONLY, 0, false);

	if (r == 0)
		r = fs_set_propagation(mnt, MS_PRIVATE, false);
	return r < 0 ? err_set(err, r, "cannot copy a mount") : TAKE_FD(mnt);
}

/* An unattached mount that shows what @m does. -ENOENT: there is nothing to show. */
static int present(const struct overlay_base *b, const struct mountinfo *m, struct err *err)
{
	autoclose int fd = open_mount(m);
	autofree char *name = NULL;
	struct err why = {0};
	struct stat st;
	int mnt;

	if (fd < 0 || fstat(fd, &st) < 0) {
		log_info("'%s' is left out: hidden, or not to be opened", m->mountpoint);
		return -ENOENT;
	}
	if (!S_ISDIR(st.st_mode))
		return bind_read_only(fd, flags_of(m), err);
	name = hostroot_upper_name(m->mountpoint);
	if (!name)
		return err_oom(err);
	mnt = overlay_new(b, fd, name, flags_of(m), &why);
	if (mnt >= 0)
		return mnt;
	if (!strcmp(m->mountpoint, "/")) {
		if (err)
			*err = why;
		return err_wrap(err, "cannot overlay the host's '/'");
	}
	log_info("'%s' is read-only inside: %s", m->mountpoint, why.text);
	return bind_read_only(fd, flags_of(m), err);
}

struct shown {
	char *path;
	int fd;
};

struct shown_list {
	struct shown *v;
	size_t n, cap;
};

static int add(struct shown_list *list, const struct overlay_base *b, const struct mountinfo *m,
	struct err *err)
{
	struct shown s = {.fd = present(b, m, err)};

	if (s.fd == -ENOENT)
		return 0;
	if (s.fd < 0)
		return s.fd;
	s.path = strdup(m->mountpoint);
	if (!s.path || array_reserve(&list->v, &list->cap, list->n + 1, sizeof(s)) < 0) {
		close(s.fd);
		free(s.path);
		return err_oom(err);
	}
	list->v[list->n++] = s;
	return 0;
}

/* Unattached mounts of all that is to be seen, parents first as mountinfo lists them. */
static int collect(const struct overlay_base *b, struct shown_list *list, struct err *err)
{
	autobuf struct buf text = {0};
	struct mountinfo m;
	char *p;
	int r;

	r = file_read_at(AT_FDCWD, "/proc/self/mountinfo", &text, MOUNTINFO_MAX);
	if (r < 0)
		return err_set(err, r, "cannot read '/proc/self/mountinfo'");
	for (p = text.data; p && (r = mountinfo_next(&p, &m)) > 0;) {
		if (wanted(&m))
			r = add(list, b, &m, err);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return err_setx(err, r, "'/proc/self/mountinfo' is not understood");
	if (!list->n || strcmp(list->v[0].path, "/") != 0)
		return err_setx(err, -ENOTSUP, "the host's '/' is no mount of its own");
	return 0;
}

static int attach_all(const struct shown_list *list, struct err *err)
{
	autoclose int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	size_t i;
	int r;

	r = slash < 0 ? -errno : fs_attach(list->v[0].fd, slash);
	if (r < 0)
		return err_set(err, r, "cannot attach the container's root");
	for (i = 1; i < list->n; i++) {
		autoclose int at = walk_open(list->v[0].fd, list->v[i].path, O_PATH | O_NOFOLLOW);

		/* below what is left out (a mount point in an overmounted directory) */
		if (at == -ENOENT || at == -ENOTDIR)
			continue;
		r = at < 0 ? at : fs_attach(list->v[i].fd, at);
		if (r < 0)
			return err_set(
				err, r, "cannot show '%s' in the container", list->v[i].path);
	}
	return 0;
}

int hostroot_mount(const struct overlay_base *b, int *ret_root_fd, struct err *err)
{
	struct shown_list list = {0};
	size_t i;
	int r;

	r = collect(b, &list, err);
	if (r == 0)
		r = attach_all(&list, err);
	if (r == 0)
		*ret_root_fd = TAKE_FD(list.v[0].fd);
	for (i = 0; i < list.n; i++) {
		if (list.v[i].fd >= 0)
			close(list.v[i].fd);
		free(list.v[i].path);
	}
	free(list.v);
	return r;
}
