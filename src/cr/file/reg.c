// SPDX-License-Identifier: Apache-2.0
/* Regular files, directories, block devices, and whatever is open by O_PATH only. */
#include <fcntl.h>

#include "base/util.h"
#include "cr/file/path.h"

static int reg_probe(struct file_dump *d, const struct fd_view *v)
{
	mode_t type = v->st.st_mode & S_IFMT;

	if (file_dump_is_shmem(d, v) || v->link[0] != '/')
		return 0;
	return type == S_IFREG || type == S_IFDIR || (v->flags & O_PATH);
}

static int reg_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	Kist__Reg msg = KIST__REG__INIT;
	Kist__FileDesc desc;
	Kist__FdOwner owner;
	struct path_dump p;
	int r;

	r = path_dump(d, v, id, &p, err);
	if (r < 0)
		return r;
	file_dump_desc(d, v, id, &desc, &owner);
	msg.desc = &desc;
	msg.path = &p.msg;
	msg.has_pos = v->pos != 0;
	msg.pos = v->pos;
	r = file_dump_put(d, v, RECORD_REG, &msg, err);
	path_dump_done(&p);
	return r;
}

static int reg_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Reg *msg = (const Kist__Reg *)m;
	mode_t type = msg->path->mode & S_IFMT;
	int c = path_check(msg->path, err);

	if (c < 0)
		return c;
	if (type != S_IFREG && type != S_IFDIR && !(msg->desc->flags & O_PATH))
		return err_setx(err, -EINVAL, "image: '%s' is no regular file", msg->path->path);
	return 0;
}

static int reg_open(struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Reg *msg = (const Kist__Reg *)m;
	int fd = -EBADF, c;

	c = path_open(r, msg->path, (int)msg->desc->flags, &fd, err);
	if (c != 0)
		return c;
	if (msg->pos && lseek(fd, msg->pos, SEEK_SET) < 0) {
		c = err_set(err, -errno, "cannot go to position %lld of '%s'", (long long)msg->pos,
			msg->path->path);
		(void)close(fd); /* only positioned */
		return c;
	}
	return file_store(r, msg->desc->id, fd, err);
}

const struct file_kind file_kind_reg = {
	.name = "file",
	.record = RECORD_REG,
	.probe = reg_probe,
	.dump = reg_dump,
	.check = reg_check,
	.open = reg_open,
};
