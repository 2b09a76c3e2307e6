// SPDX-License-Identifier: Apache-2.0
/* Starting the container's first process: by one clone3(2) into its cgroup and namespaces where
 * that does, else by a stage process in between. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/util.h"
#include "container/making.h"
#include "ns/ns.h"
#include "sys/proc.h"
#include "sys/syscall.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static bool needs_stage(const struct spec_linux *l)
{
	return (ns_new_flags(l) & (CLONE_NEWUSER | CLONE_NEWTIME)) ||
	       ns_is_joined(l, SPEC_NS_USER) || ns_is_joined(l, SPEC_NS_PID) ||
	       ns_is_joined(l, SPEC_NS_TIME);
}

static int clone_error(int r, struct err *err)
{
	err_set(err, r, "cannot start the container's first process");
	if (r == -ENOSPC)
		err_hint(err, "a limit of namespaces is reached: see the sysctls user.max_*");
	if (r == -EAGAIN)
		err_hint(err, "a limit of processes is reached: see ulimit -u and pids.max");
	return r;
}

static pid_t start(struct container *c, bool stage, int *ret_pidfd, struct err *err)
{
	int fd2 = cgroup_fd2(c->making->cg.cg), pidfd = -EBADF;
	int flags = ns_new_flags(&c->params->spec->linux_) & ~CLONE_NEWCGROUP;
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid;

	if (!stage)
		args.flags |= (uint64_t)flags;
	if (fd2 >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)fd2;
	}
	pid = sys_clone3(&args);
	if (pid == 0) {
		(void)close(TAKE_FD(c->making->sync[0])); /* kist's end */
		if (stage)
			container_stage(c);
		container_child(c);
	}
	if (pid < 0)
		return clone_error(pid, err);
	*ret_pidfd = pidfd;
	return pid;
}

/* The user namespace has its maps: what only the host's root may open is sent into it. */
static int send_trees(struct container *c, struct err *err)
{
	struct rootfs_plan plan = container_rootfs_plan(c);
	autoclose int userns = -EBADF, sock = TAKE_FD(c->making->trees[0]);
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)c->making->stage);
	userns = open(path, O_RDONLY | O_CLOEXEC);
	if (userns < 0)
		return err_set(err, -errno, "cannot open '%s'", path);
	return rootfs_send_trees(&plan, userns, sock, err);
}

static int serve_request(struct container *c, int type, struct err *err)
{
	const struct spec_linux *l = &c->params->spec->linux_;
	pid_t stage = c->making->stage;
	int r;

	switch (type) {
	case START_MAPS:
		r = ns_write_idmaps(stage, l, err);
		return r < 0 ? r : send_trees(c, err);
	case START_OFFSETS:
		return ns_write_time_offsets(stage, l, err);
	default:
		return err_setx(err, -EPROTO, "unexpected message of the stage process");
	}
}

/* Serves the stage process until it has made the first one. */
static int serve_stage(struct container *c, struct err *err)
{
	struct container_making *m = c->making;
	struct start_msg msg;
	int r;

	for (;;) {
		r = start_recv(m->sync[0], &msg, NULL, err);
		if (r == -EPIPE)
			return err_setx(err, r, "the container's stage process died");
		if (r < 0)
			return r;
		if (r == START_PID)
			break;
		r = serve_request(c, r, err);
		if (r == 0)
			r = start_send(m->sync[0], START_GO, 0, -EBADF);
		if (r < 0)
			return r;
	}
	c->pid = msg.pid;
	c->pidfd = sys_pidfd_open(c->pid, 0);
	if (c->pidfd < 0)
		return err_set(err, c->pidfd, "cannot hold the container's first process");
	(void)waitpid(m->stage, NULL, 0); /* it has said all */
	m->stage = 0;
	return 0;
}

static int read_start_time(struct container *c, struct err *err)
{
	autobuf struct buf b = {0};
	struct proc_stat st;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)c->pid);
	r = file_read_at(AT_FDCWD, path, &b, 4096);
	if (r == 0)
		r = proc_parse_stat(buf_str(&b), b.len, &st);
	if (r < 0)
		return err_set(err, r, "cannot read '%s'", path);
	c->start_time = st.start_time;
	return 0;
}

int container_spawn(struct container *c, struct err *err)
{
	bool stage = needs_stage(&c->params->spec->linux_);
	struct container_making *m = c->making;
	int pidfd = -EBADF, r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, m->sync) < 0)
		return err_set(err, -errno, "cannot make a socket pair");
	if ((ns_new_flags(&c->params->spec->linux_) & CLONE_NEWUSER) &&
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, m->trees) < 0)
		return err_set(err, -errno, "cannot make a socket pair");
	pid = start(c, stage, &pidfd, err);
	(void)close(TAKE_FD(m->sync[1])); /* the child's */
	if (m->trees[1] >= 0)
		(void)close(TAKE_FD(m->trees[1])); /* the child's */
	if (pid < 0)
		return pid;
	if (!stage) {
		c->pid = pid;
		c->pidfd = pidfd;
		return read_start_time(c, err);
	}
	m->stage = pid;
	(void)close(pidfd); /* our child: its pid stays until we wait */
	r = serve_stage(c, err);
	return r < 0 ? r : read_start_time(c, err);
}

void container_unspawn(struct container *c)
{
	struct container_making *m = c->making;

	if (m->stage > 0) {
		(void)kill(m->stage, SIGKILL); /* our child, not reaped yet */
		(void)waitpid(m->stage, NULL, 0);
	}
	if (c->pid > 0) {
		(void)kill(c->pid, SIGKILL); /* the same */
		(void)waitpid(c->pid, NULL, __WALL);
	}
	if (c->pidfd >= 0)
		(void)close(c->pidfd); /* only a handle */
	m->stage = c->pid = 0;
	c->pidfd = -EBADF;
}
