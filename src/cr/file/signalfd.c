// SPDX-License-Identifier: Apache-2.0
/* signalfd(2): a set of signals; those that wait belong to the tasks. */
#include <sys/signalfd.h>

#include "base/util.h"
#include "cr/file/file-internal.h"
#include "sys/proc.h"

static int signalfd_probe(struct file_dump *d, const struct fd_view *v)
{
	return strcmp(v->link, "anon_inode:[signalfd]") == 0;
}

static int signalfd_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	Kist__Signalfd msg = KIST__SIGNALFD__INIT;
	Kist__FileDesc desc;
	Kist__FdOwner owner;

	if (proc_field_u64(buf_str(&v->fdinfo), v->fdinfo.len, "sigmask", 16, &msg.mask) < 0)
		return file_refuse(v, err, -ENOTSUP, "the kernel does not tell its signals");
	file_dump_desc(d, v, id, &desc, &owner);
	msg.desc = &desc;
	return file_dump_put(d, v, RECORD_SIGNALFD, &msg, err);
}

static int signalfd_open(
	struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Signalfd *msg = (const Kist__Signalfd *)m;
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	memcpy(&set, &msg->mask, sizeof(msg->mask)); /* the kernel's 64 signals stand first */
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "cannot make a signalfd");
	return file_store(r, msg->desc->id, fd, err);
}

const struct file_kind file_kind_signalfd = {
	.name = "signalfd",
	.record = RECORD_SIGNALFD,
	.probe = signalfd_probe,
	.dump = signalfd_dump,
	.open = signalfd_open,
};
