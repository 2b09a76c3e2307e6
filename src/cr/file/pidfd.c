// SPDX-License-Identifier: Apache-2.0
/* pidfd_open(2): of tasks of the tree, which live when slots are filled, and of dead processes. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/parse.h"
#include "base/util.h"
#include "cr/file/file-internal.h"
#include "sys/proc.h"
#include "sys/syscall.h"

static int pidfd_probe(struct file_dump *d, const struct fd_view *v)
{
	char value[32];

	return strstr(v->link, "[pidfd]") &&
	       proc_field(buf_str(&v->fdinfo), v->fdinfo.len, "Pid", value, sizeof(value)) == 0;
}

static int pidfd_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	Kist__Pidfd msg = KIST__PIDFD__INIT;
	Kist__FileDesc desc;
	Kist__FdOwner owner;
	char value[32];
	int pid;

	if (proc_field(buf_str(&v->fdinfo), v->fdinfo.len, "Pid", value, sizeof(value)) < 0 ||
		parse_int(value, &pid) < 0)
		return file_refuse(v, err, -EINVAL, "its process cannot be read");
	msg.pid = pid <= 0 ? pid : file_dump_vpid(d, pid);
	if (msg.pid == 0) {
		(void)file_refuse(v, err, -EXDEV, "its process %d is outside of the tree", pid);
		return err_hint(err, "checkpoint that process too, or close this fd");
	}
	file_dump_desc(d, v, id, &desc, &owner);
	msg.desc = &desc;
	return file_dump_put(d, v, RECORD_PIDFD, &msg, err);
}

static int pidfd_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Pidfd *msg = (const Kist__Pidfd *)m;

	if (msg->pid == 0 || msg->pid < -1)
		return err_setx(err, -EINVAL, "image: pidfd of process %d", msg->pid);
	return 0;
}

/* A pidfd of a process that is dead and gone. */
static int dead_pidfd(unsigned int flags, struct err *err)
{
	pid_t pid = fork();
	int fd;

	if (pid < 0)
		return err_set(err, -errno, "cannot fork");
	if (pid == 0)
		_exit(0);
	fd = sys_pidfd_open(pid, flags);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return fd < 0 ? err_set(err, fd, "cannot make a pidfd") : fd;
}

static int pidfd_open_record(
	struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Pidfd *msg = (const Kist__Pidfd *)m;
	int fd;

	if (msg->pid > 0)
		return 0; /* pidfd_place */
	fd = dead_pidfd(msg->desc->flags & O_NONBLOCK, err);
	return fd < 0 ? fd : file_store(r, msg->desc->id, fd, err);
}

static int pidfd_place(
	struct file_restore *r, const ProtobufCMessage *m, uint32_t task, int fd, struct err *err)
{
	const Kist__Pidfd *msg = (const Kist__Pidfd *)m;
	autoclose int pidfd = -EBADF;

	if (msg->pid < 0)
		return 0;
	/* O_EXCL is PIDFD_THREAD */
	pidfd = sys_pidfd_open(msg->pid, msg->desc->flags & (O_NONBLOCK | O_EXCL));
	if (pidfd < 0)
		return err_set(err, pidfd, "cannot open process %d", msg->pid);
	if (pidfd == fd) {
		(void)TAKE_FD(pidfd);
		return fcntl(fd, F_SETFD, 0) < 0 ? err_set(err, -errno, "cannot fill it") : 0;
	}
	return dup3(pidfd, fd, 0) < 0 ? err_set(err, -errno, "cannot fill it") : 0;
}

const struct file_kind file_kind_pidfd = {
	.name = "pidfd",
	.record = RECORD_PIDFD,
	.probe = pidfd_probe,
	.dump = pidfd_dump,
	.check = pidfd_check,
	.open = pidfd_open_record,
	.place = pidfd_place,
};
