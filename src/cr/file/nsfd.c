// SPDX-License-Identifier: Apache-2.0
/* Fds of namespaces (/proc/PID/ns/KIND): those that the root task lives in. */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>

#include "base/util.h"
#include "cr/file/file-internal.h"

static const char *const ns_kinds[] = {
	"cgroup",
	"ipc",
	"mnt",
	"net",
	"pid",
	"pid_for_children",
	"time",
	"time_for_children",
	"user",
	"uts",
};

static int nsfd_probe(struct file_dump *d, const struct fd_view *v)
{
	struct statfs fs;

	return S_ISREG(v->st.st_mode) && !(v->flags & O_PATH) && fstatfs(v->local, &fs) == 0 &&
	       fs.f_type == NSFS_MAGIC;
}

static bool lives_in(const struct target *t, const char *kind, const struct fd_view *v)
{
	struct stat st;
	char name[32];

	snprintf(name, sizeof(name), "ns/%s", kind);
	return t->procfd >= 0 && fstatat(t->procfd, name, &st, 0) == 0 &&
	       st.st_ino == v->st.st_ino && st.st_dev == v->st.st_dev;
}

static int nsfd_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	const struct target *root = file_dump_root_task(d);
	Kist__Nsfd msg = KIST__NSFD__INIT;
	Kist__FileDesc desc;
	Kist__FdOwner owner;
	size_t i;

	for (i = 0; root && i < ARRAY_SIZE(ns_kinds) && !msg.kind; i++)
		if (lives_in(root, ns_kinds[i], v))
			msg.kind = (char *)ns_kinds[i];
	if (!msg.kind) {
		(void)file_refuse(
			v, err, -ENOTSUP, "a namespace that is not the one of the tree's root");
		return err_hint(err, "close it in the process before the checkpoint");
	}
	msg.task = root->id;
	file_dump_desc(d, v, id, &desc, &owner);
	msg.desc = &desc;
	return file_dump_put(d, v, RECORD_NSFD, &msg, err);
}

static int nsfd_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Nsfd *msg = (const Kist__Nsfd *)m;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ns_kinds); i++)
		if (strcmp(msg->kind, ns_kinds[i]) == 0)
			return 0;
	return err_setx(err, -EINVAL, "image: namespace '%.40s'", msg->kind);
}

static int nsfd_open(struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Nsfd *msg = (const Kist__Nsfd *)m;
	char name[48];
	int fd;

	snprintf(name, sizeof(name), "self/ns/%s", msg->kind);
	fd = openat(file_restore_procfd(r), name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "cannot open the %s namespace", msg->kind);
	return file_store(r, msg->desc->id, fd, err);
}

const struct file_kind file_kind_nsfd = {
	.name = "namespace",
	.record = RECORD_NSFD,
	.probe = nsfd_probe,
	.dump = nsfd_dump,
	.check = nsfd_check,
	.open = nsfd_open,
};
