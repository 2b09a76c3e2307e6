// SPDX-License-Identifier: Apache-2.0
/* eventfd(2): a counter. */
#include <fcntl.h>
#include <sys/eventfd.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/file/file-internal.h"
#include "sys/proc.h"

static int eventfd_probe(struct file_dump *d, const struct fd_view *v)
{
	return strcmp(v->link, "anon_inode:[eventfd]") == 0;
}

static int eventfd_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	Kist__Eventfd msg = KIST__EVENTFD__INIT;
	const char *text = buf_str(&v->fdinfo);
	Kist__FileDesc desc;
	Kist__FdOwner owner;
	uint64_t semaphore;

	if (proc_field_u64(text, v->fdinfo.len, "eventfd-count", 16, &msg.count) < 0)
		return file_refuse(v, err, -ENOTSUP, "the kernel does not tell its count");
	if (proc_field_u64(text, v->fdinfo.len, "eventfd-semaphore", 10, &semaphore) == 0)
		msg.has_semaphore = msg.semaphore = semaphore != 0;
	file_dump_desc(d, v, id, &desc, &owner);
	msg.desc = &desc;
	return file_dump_put(d, v, RECORD_EVENTFD, &msg, err);
}

static int eventfd_open(
	struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Eventfd *msg = (const Kist__Eventfd *)m;
	/* the largest count cannot be written: the kernel alone makes it */
	uint64_t count = MIN(msg->count, UINT64_MAX - 1);
	autoclose int fd = eventfd(0, EFD_CLOEXEC | (msg->semaphore ? EFD_SEMAPHORE : 0));
	int c;

	if (fd < 0)
		return err_set(err, -errno, "cannot make an eventfd");
	c = count ? io_write(fd, &count, sizeof(count)) : 0;
	if (c < 0)
		return err_set(err, c, "cannot set the count of an eventfd");
	return file_store(r, msg->desc->id, TAKE_FD(fd), err);
}

const struct file_kind file_kind_eventfd = {
	.name = "eventfd",
	.record = RECORD_EVENTFD,
	.probe = eventfd_probe,
	.dump = eventfd_dump,
	.open = eventfd_open,
};
