// SPDX-License-Identifier: Apache-2.0
/*
 * One more process in a running container: a stage process joins its cgroup and namespaces and
 * makes the real one as kist's own child. Neither is dumpable while it still has anything of kist
 * in it, for the container may have tracers.
 */
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/util.h"
#include "container/embedded.h"
#include "container/exec.h"
#include "container/making.h"
#include "container/supervise.h"
#include "ns/ns.h"
#include "sys/syscall.h"
#include "tty/tty.h"

struct joining {
	struct container *c;
	const struct container_exec *exec;
	struct container_cgroup cg;
	struct seccomp_prog seccomp;
	struct container_agent agent;
	sigset_t mask;
	int flags;    /* the namespaces in which the container differs from us */
	bool limited; /* to the CPUs of process.execCPUAffinity.initial, for a moment */
	int init_fd, null, sync[2];
	pid_t stage, pid;
	int pidfd, console;
};

static int joined(struct joining *j, struct err *err)
{
	const struct spec_process *p = j->exec->process;
	struct process_plan plan = {
		.process = p,
		.agent = j->agent,
		.seccomp = j->c->params->spec->linux_.seccomp.set ? &j->seccomp : NULL,
		.init_fd = j->init_fd,
		.sync = j->sync[1],
		.preserve_fds = j->exec->preserve_fds,
		.params = j->c->params,
	};
	int master = -EBADF, slave = -EBADF, r, std[3] = {-EBADF, -EBADF, -EBADF};
	struct start_msg msg;

	if ((j->flags & CLONE_NEWUSER) &&
		(setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		return err_set(err, -errno, "cannot become root of the user namespace");
	if (setsid() < 0)
		return err_set(err, -errno, "cannot make a session");
	r = keyring_new_session(j->c->name, err);
	if (r == 0 && p->terminal)
		r = process_pty(p, &master, &slave, err);
	if (r < 0)
		return r;
	if (p->terminal)
		std[0] = std[1] = std[2] = slave;
	else if (!j->exec->interactive)
		std[0] = j->null;
	if (!p->terminal && j->exec->detach && !j->exec->inherit)
		std[1] = std[2] = j->null;
	r = process_stdio(std, err);
	if (r == 0)
		r = start_send(j->sync[1], START_READY, 0, master);
	if (r == 0 && start_recv(j->sync[1], &msg, NULL, err) != START_GO)
		_exit(1); /* kist is gone */
	return r < 0 ? r : process_become(&plan, err);
}

static _Noreturn void joined_main(struct joining *j)
{
	struct err err = {0};

	(void)sigprocmask(SIG_SETMASK, &j->mask, NULL); /* cannot fail */
	(void)joined(j, &err);				/* returns only to fail */
	start_send_err(j->sync[1], &err);
	_exit(1);
}

/* Where the mount namespace is shared with others, its root is not the container's. */
static int open_root(const struct joining *j, int *ret, struct err *err)
{
	char path[32];
	int fd;

	if (ns_new_flags(&j->c->params->spec->linux_) & CLONE_NEWNS)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/root", (int)j->c->pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "cannot open the root of container '%s'", j->c->name);
	*ret = fd;
	return 0;
}

static int stage(struct joining *j, struct err *err)
{
	struct clone_args args = {.flags = CLONE_PARENT};
	autoclose int root = -EBADF;
	struct start_gate gate;
	pid_t pid;
	int r;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot become undumpable");
	r = cgroup_enter(j->cg.cg, err);
	if (r == 0)
		r = open_root(j, &root, err);
	if (r == 0)
		r = ns_enter(j->c->pidfd, j->flags, err);
	if (r == 0 && root >= 0 && (fchdir(root) < 0 || chroot(".") < 0))
		r = err_set(err, -errno, "cannot enter the container's root");
	if (r == 0)
		r = start_gate_make(&gate, err);
	if (r < 0)
		return r;
	pid = sys_clone3(&args);
	if (pid == 0) {
		start_gate_pass(&gate, false);
		joined_main(j);
	}
	if (pid < 0)
		return err_set(err, pid, "cannot start a process in container '%s'", j->c->name);
	r = start_send(j->sync[1], START_PID, pid, -EBADF);
	start_gate_pass(&gate, true);
	return r < 0 ? err_set(err, r, "cannot reach kist") : 0;
}

static _Noreturn void stage_main(struct joining *j)
{
	struct err err = {0};

	(void)close(TAKE_FD(j->sync[0])); /* kist's end */
	if (stage(j, &err) < 0) {
		start_send_err(j->sync[1], &err);
		_exit(1);
	}
	_exit(0);
}

/* The container's first process may have moved on to a cgroup below the container's own. */
static int use_cgroup_of_first(struct joining *j, struct err *err)
{
	cgroup_free(TAKE_PTR(j->cg.cg));
	return cgroup_open_pid(j->cg.host, j->c->pid, &j->cg.cg, err);
}

static int start_stage(struct joining *j, struct err *err)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	int tries, r = -EBUSY;

	for (tries = 0; r == -EBUSY && tries < 2; tries++) {
		if (tries && use_cgroup_of_first(j, err) < 0)
			return err->code;
		if (cgroup_fd2(j->cg.cg) >= 0) {
			args.flags = CLONE_INTO_CGROUP;
			args.cgroup = (uint64_t)cgroup_fd2(j->cg.cg);
		}
		r = sys_clone3(&args);
		if (r == 0)
			stage_main(j);
	}
	if (r < 0)
		return err_set(err, r, "cannot start a process for container '%s'", j->c->name);
	j->stage = r;
	return 0;
}

static int prepare(struct joining *j, struct err *err)
{
	const struct spec_seccomp *sc = &j->c->params->spec->linux_.seccomp;
	int r;

	if (j->c->status != CONTAINER_RUNNING &&
		!(j->c->status == CONTAINER_CREATED && j->c->params->later))
		return err_setx(err, -ESRCH, "container not running: '%s' is %s", j->c->name,
			container_status_name(j->c->status));
	r = ns_differing(j->c->pid, &j->flags, err);
	if (r == 0)
		r = container_cgroup_open(j->c, &j->cg, err);
	if (r == 0 && sc->set)
		r = container_seccomp_compile(sc, &j->seccomp, err);
	if (r == 0)
		r = container_agent_connect(sc, &j->seccomp, &j->agent, err);
	if (r < 0)
		return r;
	j->init_fd = embedded_open("kist-init", embedded_init, embedded_init_size, err);
	if (j->init_fd < 0)
		return j->init_fd;
	j->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (j->null < 0)
		return err_set(err, -errno, "cannot open '/dev/null'");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, j->sync) < 0)
		return err_set(err, -errno, "cannot make a socket pair");
	container_signals_block(&j->mask);
	return 0;
}

static int expect(struct joining *j, int type, struct start_msg *msg, int *ret_fd, struct err *err)
{
	int r = start_recv(j->sync[0], msg, ret_fd, err);

	if (r == -EPIPE)
		return err_setx(err, r, "the new process in container '%s' died", j->c->name);
	if (r < 0 || r == type)
		return r;
	return err_setx(err, -EPROTO, "unexpected message of the new process");
}

/* Until the command has been executed. */
static int follow(struct joining *j, struct err *err)
{
	struct start_msg msg;
	int r = expect(j, START_PID, &msg, NULL, err);

	if (r < 0)
		return r;
	j->pid = msg.pid;
	j->pidfd = sys_pidfd_open(j->pid, 0);
	if (j->pidfd < 0)
		return err_set(err, j->pidfd, "cannot hold the new process");
	r = expect(j, START_READY, &msg, &j->console, err);
	if (r >= 0)
		r = process_oom_score(j->pid, j->exec->process->oom_score_adj, err);
	if (r == 0)
		r = container_agent_describe(&j->agent, j->c, j->pid, "running", err);
	if (r < 0)
		return r;
	r = container_sched_apply(j->exec->process, j->pid, err);
	if (r == 0 && j->exec->process->exec_cpu_final)
		r = container_affinity(j->exec->process->exec_cpu_final, j->pid, err);
	if (r < 0)
		return r;
	/* before it may be handed to somebody who wants to wait in reads */
	if (j->console >= 0 && ioctl(j->console, FIONBIO, &(int){1}) < 0)
		return err_set(err, -errno, "cannot hold the new process's terminal");
	if (j->exec->started) {
		r = j->exec->started(j->exec->arg, j->pid, j->console, err);
		if (r < 0)
			return r;
	}
	r = start_send(j->sync[0], START_GO, 0, -EBADF);
	if (r < 0)
		return err_set(err, r, "cannot reach the new process");
	return process_wait_exec(j->exec->process->args[0], j->sync[0], err);
}

/* Before the cgroup is joined, so that isolated processors are not even touched for a moment. */
static int limit_cpus(struct joining *j, cpu_set_t *ret_old, struct err *err)
{
	const char *cpus = j->exec->process->exec_cpu_initial;

	if (!cpus)
		return 0;
	if (sched_getaffinity(0, sizeof(*ret_old), ret_old) < 0)
		return err_set(err, -errno, "cannot read the own processors");
	j->limited = true;
	return container_affinity(cpus, 0, err);
}

static int run(struct joining *j, int *ret_status, struct err *err)
{
	struct supervised s;
	cpu_set_t cpus;
	int r = prepare(j, err), slave;

	if (r == 0)
		r = limit_cpus(j, &cpus, err);
	if (r == 0)
		r = start_stage(j, err);
	if (j->limited)
		(void)sched_setaffinity(0, sizeof(cpus), &cpus); /* it was so */
	if (r < 0)
		return r;
	(void)close(TAKE_FD(j->sync[1])); /* the children's */
	r = follow(j, err);
	(void)waitpid(j->stage, NULL, 0); /* it has ended, or will without more from us */
	if (r < 0 || j->exec->detach) {
		if (r < 0 && j->pid > 0)
			(void)kill(j->pid, SIGKILL); /* our child, not reaped yet */
		if (r < 0 && j->pid > 0)
			(void)waitpid(j->pid, NULL, __WALL);
		*ret_status = 0;
		return r;
	}
	slave = j->console >= 0 ? tty_open_peer(j->console) : -EBADF;
	s = (struct supervised){j->pidfd, j->console, j->exec->interactive};
	r = supervise(&s, ret_status, err);
	if (slave >= 0)
		(void)close(slave); /* was held so that reading the master never ends */
	return r;
}

int container_exec(
	struct container *c, const struct container_exec *exec, int *ret_status, struct err *err)
{
	struct joining j = {
		.c = c,
		.exec = exec,
		.agent = {-EBADF, -EBADF},
		.init_fd = -EBADF,
		.null = -EBADF,
		.sync = {-EBADF, -EBADF},
		.pidfd = -EBADF,
		.console = -EBADF,
	};
	int *fds[] = {&j.init_fd, &j.null, &j.sync[0], &j.sync[1], &j.pidfd, &j.console};
	size_t i;
	int r = run(&j, ret_status, err);

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		if (*fds[i] >= 0)
			(void)close(*fds[i]); /* all said and done */
	seccomp_prog_done(&j.seccomp);
	container_agent_done(&j.agent);
	container_cgroup_done(&j.cg);
	return r;
}
