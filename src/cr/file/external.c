// SPDX-License-Identifier: Apache-2.0
/* What the caller provides again at restore: the log pipe of a container, a socket of its own. */
#include <fcntl.h>

#include "base/util.h"
#include "cr/file/file-internal.h"

static int external_probe(struct file_dump *d, const struct fd_view *v)
{
	return !S_ISCHR(v->st.st_mode) && file_dump_external(d, v);
}

static int external_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	Kist__External msg = KIST__EXTERNAL__INIT;
	Kist__FileDesc desc;
	Kist__FdOwner owner;

	file_dump_desc(d, v, id, &desc, &owner);
	msg.desc = &desc;
	msg.key = (char *)file_dump_external(d, v)->key;
	return file_dump_put(d, v, RECORD_EXTERNAL, &msg, err);
}

static int external_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__External *msg = (const Kist__External *)m;

	if (file_restore_external(r, msg->key))
		return 0;
	return err_setx(err, -ENOENT, "the image wants '%.200s' from outside, and nobody gives it",
		msg->key);
}

static int external_open(
	struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__External *msg = (const Kist__External *)m;
	int fd = fcntl(file_restore_external(r, msg->key)->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return err_set(err, -errno, "cannot duplicate '%s'", msg->key);
	return file_store(r, msg->desc->id, fd, err);
}

const struct file_kind file_kind_external = {
	.name = "external file",
	.record = RECORD_EXTERNAL,
	.probe = external_probe,
	.dump = external_dump,
	.check = external_check,
	.open = external_open,
};
