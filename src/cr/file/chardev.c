// SPDX-License-Identifier: Apache-2.0
/* Character devices without a state of their own: /dev/null and its like. */
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "base/util.h"
#include "cr/file/path.h"

static const struct {
	unsigned int major, minor;
	const char *name;
} stateless[] = {
	{1, 3, "null"},
	{1, 5, "zero"},
	{1, 7, "full"},
	{1, 8, "random"},
	{1, 9, "urandom"},
	{1, 11, "kmsg"},
	{10, 183, "hwrng"},
};

static bool is_stateless(unsigned int maj, unsigned int min)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(stateless); i++)
		if (stateless[i].major == maj && stateless[i].minor == min)
			return true;
	return false;
}

static int chardev_probe(struct file_dump *d, const struct fd_view *v)
{
	return S_ISCHR(v->st.st_mode) && v->link[0] == '/';
}

static int chardev_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	Kist__Chardev msg = KIST__CHARDEV__INIT;
	Kist__FileDesc desc;
	Kist__FdOwner owner;
	struct path_dump p;
	int r;

	if (!is_stateless(major(v->st.st_rdev), minor(v->st.st_rdev))) {
		(void)file_refuse(v, err, -ENOTSUP, "device %u:%u cannot be saved",
			major(v->st.st_rdev), minor(v->st.st_rdev));
		return err_hint(err, "close it in the process before the checkpoint");
	}
	r = path_dump_device(d, v, id, &p, err);
	if (r < 0)
		return r;
	file_dump_desc(d, v, id, &desc, &owner);
	msg.desc = &desc;
	msg.path = &p.msg;
	r = file_dump_put(d, v, RECORD_CHARDEV, &msg, err);
	path_dump_done(&p);
	return r;
}

static int chardev_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Chardev *msg = (const Kist__Chardev *)m;
	const Kist__FilePath *p = msg->path;
	int c = path_check(p, err);

	if (c < 0)
		return c;
	if (!S_ISCHR(p->mode) || p->deleted || !is_stateless(p->rdev_major, p->rdev_minor))
		return err_setx(err, -EINVAL, "image: '%s' is no device that is saved", p->path);
	return 0;
}

static int chardev_open(
	struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Chardev *msg = (const Kist__Chardev *)m;
	int fd = -EBADF, c;

	c = path_open(r, msg->path, (int)msg->desc->flags, &fd, err);
	return c != 0 ? c : file_store(r, msg->desc->id, fd, err);
}

const struct file_kind file_kind_chardev = {
	.name = "device",
	.record = RECORD_CHARDEV,
	.probe = chardev_probe,
	.dump = chardev_dump,
	.check = chardev_check,
	.open = chardev_open,
};
