// SPDX-License-Identifier: Apache-2.0
/*
 * Memory of mmap(MAP_SHARED | MAP_ANONYMOUS): a nameless file of the kernel's own tmpfs that shows
 * as "/dev/zero (deleted)". It has no fd, but /proc/PID/map_files opens it, on both sides.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "base/util.h"
#include "cr/file/file-internal.h"

static bool is_hugetlb(const struct fd_view *v)
{
	struct statfs fs;

	return strncmp(v->link, "/anon_hugepage", strlen("/anon_hugepage")) == 0 &&
	       fstatfs(v->local, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;
}

/* After memfd in the table: the rest of that file system. */
static int shanon_probe(struct file_dump *d, const struct fd_view *v)
{
	return file_dump_is_shmem(d, v) || is_hugetlb(v);
}

static int shanon_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	Kist__Shanon msg = KIST__SHANON__INIT;
	Kist__FileDesc desc;
	Kist__FdOwner owner;
	uint32_t first;
	int r;

	r = file_dump_inode(d, v, id, &first, err);
	if (r < 0)
		return r;
	if (first != id) {
		msg.has_inode_of = true;
		msg.inode_of = first;
	} else {
		msg.has_size = msg.has_content = true;
		msg.size = v->st.st_size;
		if (is_hugetlb(v)) {
			msg.has_hugetlb_shift = true;
			msg.hugetlb_shift = __builtin_ctzl(v->st.st_blksize);
		}
		r = image_put_content(
			file_dump_writer(d), v->local, v->st.st_size, &msg.content, err);
		if (r < 0)
			return r;
	}
	file_dump_desc(d, v, id, &desc, &owner);
	msg.desc = &desc;
	return file_dump_put(d, v, RECORD_SHANON, &msg, err);
}

static int shanon_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Shanon *msg = (const Kist__Shanon *)m;

	if (!msg->inode_of && (!msg->size || msg->size > INT64_MAX || !msg->has_content ||
				      msg->hugetlb_shift > 40))
		return err_setx(err, -EINVAL, "image: the shared memory makes no sense");
	return file_check_inode_of(r, msg->desc->id, msg->inode_of, RECORD_SHANON, err);
}

/* The memory as an fd: through map_files, where we may (the initial user namespace). */
static int make_memory(struct file_restore *r, const Kist__Shanon *msg)
{
	int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE;
	char name[64];
	void *p;
	int fd;

	if (msg->hugetlb_shift)
		flags |= MAP_HUGETLB | (int)(msg->hugetlb_shift << MAP_HUGE_SHIFT);
	p = mmap(NULL, msg->size, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	snprintf(name, sizeof(name), "self/map_files/%lx-%lx", (unsigned long)p,
		(unsigned long)p + msg->size);
	fd = openat(file_restore_procfd(r), name, O_RDWR | O_CLOEXEC);
	(void)munmap(p, msg->size); /* the fd holds it */
	if (fd >= 0)
		return fd;
	flags = MFD_CLOEXEC;
	if (msg->hugetlb_shift)
		flags |= MFD_HUGETLB | (int)(msg->hugetlb_shift << MFD_HUGE_SHIFT);
	fd = memfd_create("shared", flags);
	return fd < 0 ? -errno : fd;
}

static int shanon_open(struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Shanon *msg = (const Kist__Shanon *)m;
	int fd, c;

	if (msg->inode_of) {
		fd = file_restore_fd(r, msg->inode_of);
		if (fd < 0)
			return 1;
		fd = file_reopen(r, fd, (int)msg->desc->flags & O_ACCMODE);
	} else {
		fd = make_memory(r, msg);
	}
	if (fd < 0)
		return err_set(err, fd, "cannot make shared memory of %llu bytes",
			(unsigned long long)msg->size);
	c = msg->inode_of ? 0 : image_get_content(file_restore_image(r), msg->content, fd, err);
	if (c < 0) {
		(void)close(fd); /* the memory goes with it */
		return c;
	}
	return file_store(r, msg->desc->id, fd, err);
}

const struct file_kind file_kind_shanon = {
	.name = "shared memory",
	.record = RECORD_SHANON,
	.probe = shanon_probe,
	.dump = shanon_dump,
	.check = shanon_check,
	.open = shanon_open,
};
