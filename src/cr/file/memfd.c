// SPDX-License-Identifier: Apache-2.0
/* memfd_create(2): an inode without a name; content, seals and attributes go with the first fd. */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "base/util.h"
#include "cr/file/file-internal.h"
#include "cr/file/view.h"

#define PREFIX	"/memfd:"
#define DELETED " (deleted)"
#define SEALS_KNOWN \
	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | 0x20)

static bool is_hugetlb(const struct fd_view *v)
{
	struct statfs fs;

	return fstatfs(v->local, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;
}

static int memfd_probe(struct file_dump *d, const struct fd_view *v)
{
	return strncmp(v->link, PREFIX, strlen(PREFIX)) == 0 &&
	       (file_dump_is_shmem(d, v) || is_hugetlb(v));
}

/* Everything that belongs to the inode. *ret_name is the caller's to free. */
static int dump_inode(struct file_dump *d, const struct fd_view *v, Kist__Memfd *msg,
	char **ret_name, struct err *err)
{
	size_t len = strlen(v->link) - strlen(PREFIX), cut = strlen(DELETED);
	autoclose int fd = file_view_reopen(v, O_RDONLY);
	int seals = fcntl(fd, F_GET_SEALS), r;

	if (fd < 0 || seals < 0)
		return file_refuse(v, err, -EACCES, "its content or seals cannot be read: %m");
	*ret_name = strndup(v->link + strlen(PREFIX), len > cut ? len - cut : 0);
	if (!*ret_name)
		return err_oom(err);
	msg->name = *ret_name;
	msg->has_size = msg->has_seals = msg->has_content = true;
	msg->size = v->st.st_size;
	msg->seals = seals;
	msg->has_uid = msg->has_gid = msg->has_mode = true;
	r = file_view_owner(v, &v->st, &msg->uid, &msg->gid, err);
	if (r < 0)
		return r;
	msg->mode = v->st.st_mode & 07777;
	if (is_hugetlb(v)) {
		msg->has_hugetlb_shift = true;
		msg->hugetlb_shift = __builtin_ctzl(v->st.st_blksize);
	}
	return image_put_content(file_dump_writer(d), fd, v->st.st_size, &msg->content, err);
}

static int memfd_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	Kist__Memfd msg = KIST__MEMFD__INIT;
	autofree char *name = NULL;
	Kist__FileDesc desc;
	Kist__FdOwner owner;
	uint32_t first;
	int r;

	r = file_dump_inode(d, v, id, &first, err);
	if (r == 0 && first == id)
		r = dump_inode(d, v, &msg, &name, err);
	if (r < 0)
		return r;
	if (first != id) {
		msg.has_inode_of = true;
		msg.inode_of = first;
	}
	file_dump_desc(d, v, id, &desc, &owner);
	msg.desc = &desc;
	msg.has_pos = v->pos != 0;
	msg.pos = v->pos;
	return file_dump_put(d, v, RECORD_MEMFD, &msg, err);
}

static int memfd_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Memfd *msg = (const Kist__Memfd *)m;

	if (!msg->inode_of && (!msg->name || !msg->has_content || strlen(msg->name) > NAME_MAX ||
				      (msg->seals & ~SEALS_KNOWN) || msg->hugetlb_shift > 40))
		return err_setx(err, -EINVAL, "image: the memfd makes no sense");
	return file_check_inode_of(r, msg->desc->id, msg->inode_of, RECORD_MEMFD, err);
}

/* The inode, with everything but its seals. */
static int make_inode(struct file_restore *r, const Kist__Memfd *msg, struct err *err)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	autoclose int fd = -EBADF;
	int c;

	if (msg->hugetlb_shift)
		flags |= MFD_HUGETLB | (msg->hugetlb_shift << MFD_HUGE_SHIFT);
	fd = memfd_create(msg->name, flags);
	if (fd < 0) {
		(void)err_set(err, -errno, "cannot make memfd '%s'", msg->name);
		return msg->hugetlb_shift ? err_hint(err, "huge pages: see vm.nr_hugepages")
					  : -errno;
	}
	c = image_get_content(file_restore_image(r), msg->content, fd, err);
	if (c < 0)
		return c;
	if (fchown(fd, msg->uid, msg->gid) < 0 || fchmod(fd, msg->mode & 07777) < 0)
		return err_set(err, -errno, "cannot set owner and mode of memfd '%s'", msg->name);
	return TAKE_FD(fd);
}

static int memfd_open(struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Memfd *msg = (const Kist__Memfd *)m;
	autoclose int inode = -EBADF;
	int fd;

	if (msg->inode_of) {
		fd = file_restore_fd(r, msg->inode_of);
		if (fd < 0)
			return 1;
	} else {
		fd = inode = make_inode(r, msg, err);
		if (fd < 0)
			return fd;
	}
	/* the reopened one has the access mode of old: a sealed exec memfd must not stay writable
	 */
	fd = file_reopen(r, fd,
		(int)msg->desc->flags &
			(O_ACCMODE | O_APPEND | O_NONBLOCK | O_PATH | FILE_O_LARGEFILE));
	if (fd < 0)
		return err_set(err, fd, "cannot open memfd again");
	if (msg->pos && lseek(fd, msg->pos, SEEK_SET) < 0) {
		(void)close(fd); /* only positioned */
		return err_set(err, -errno, "cannot set the position in a memfd");
	}
	if (inode >= 0 && msg->seals && fcntl(inode, F_ADD_SEALS, msg->seals) < 0) {
		(void)close(fd); /* only opened */
		return err_set(err, -errno, "cannot seal memfd '%s' again", msg->name);
	}
	return file_store(r, msg->desc->id, fd, err);
}

const struct file_kind file_kind_memfd = {
	.name = "memfd",
	.record = RECORD_MEMFD,
	.probe = memfd_probe,
	.dump = memfd_dump,
	.check = memfd_check,
	.open = memfd_open,
};
