// SPDX-License-Identifier: Apache-2.0
/*
 * The container's first process from its first instruction to its command, and the stage process
 * before it, which is needed when a user or time namespace is new or a pid namespace is joined:
 * they hold for children only, or for what is made inside of them.
 */
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "base/fault.h"
#include "base/util.h"
#include "container/making.h"
#include "net/bridge.h"
#include "ns/ns.h"
#include "sys/syscall.h"
#include "tty/tty.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/* What the stage process joins or makes; the rest is made with the first process. */
#define STAGE_NEW (CLONE_NEWUSER | CLONE_NEWTIME)
#define JOINABLE                                                                      \
	(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWTIME | CLONE_NEWIPC | CLONE_NEWUTS | \
		CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWNS)

struct child {
	struct container *c;
	struct container_making *m;
	const struct spec *spec;
	struct rootfs_plan plan;
	int root_fd, master, slave;
};

static _Noreturn void fail(int sync, const struct err *err)
{
	start_send_err(sync, err);
	_exit(1);
}

/* Tells kist @type and waits for its go. Without kist there is nothing to go on for. */
static int ask(int sync, int type, int fd, struct err *err)
{
	struct start_msg msg;
	int r = start_send(sync, type, 0, fd);

	if (r < 0)
		return err_set(err, r, "cannot reach kist");
	r = start_recv(sync, &msg, NULL, err);
	if (r == -EPIPE)
		_exit(1);
	return r < 0 ? r : r == START_GO ? 0 : err_setx(err, -EPROTO, "unexpected answer");
}

/* The session's own cgroup first, so that the namespace made next has it as its root. */
static int step_cgroup(struct child *k, struct err *err)
{
	int r = k->m->stage ? 0 : cgroup_enter(k->m->cg.cg, err);

	if (r < 0)
		return r;
	if ((ns_new_flags(&k->spec->linux_) & CLONE_NEWCGROUP) && unshare(CLONE_NEWCGROUP) < 0)
		return err_set(err, -errno, "cannot make a cgroup namespace");
	return 0;
}

static int step_session(struct child *k, struct err *err)
{
	if (setsid() < 0)
		return err_set(err, -errno, "cannot make a session");
	return k->m->stage ? 0 : ns_join(&k->spec->linux_, JOINABLE, err);
}

static int step_loopback(struct child *k, struct err *err)
{
	return ns_new_flags(&k->spec->linux_) & CLONE_NEWNET ? net_loopback_up(err) : 0;
}

static int step_names(struct child *k, struct err *err)
{
	const struct spec *s = k->spec;

	if (s->hostname && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return err_set(err, -errno, "cannot set the host name '%s'", s->hostname);
	if (s->domainname && setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return err_set(err, -errno, "cannot set the domain name '%s'", s->domainname);
	return 0;
}

static int step_keyring(struct child *k, struct err *err)
{
	if (k->c->params->keep_keyring)
		return 0;
	return keyring_new_session(k->c->name, err);
}

static int step_mount(struct child *k, struct err *err)
{
	return rootfs_mount(&k->plan, &k->root_fd, err);
}

static int step_hooks(struct child *k, struct err *err)
{
	const struct spec *s = k->spec;
	int r = 0;

	k->c->pid = getpid(); /* as it is called in here */
	if (s->n_hooks[SPEC_HOOK_PRESTART] || s->n_hooks[SPEC_HOOK_CREATE_RUNTIME])
		r = ask(k->m->sync[1], START_HOOKS, -EBADF, err);
	return r < 0 ? r : container_hooks(k->c, SPEC_HOOK_CREATE_CONTAINER, "creating", err);
}

static int step_enter(struct child *k, struct err *err)
{
	return rootfs_enter(&k->plan, k->root_fd, err);
}

/* Other runtimes make a working directory that is not there; images rely on it. */
static int step_cwd(struct child *k, struct err *err)
{
	autoclose int root = -EBADF, dir = -EBADF;

	if (!k->c->params->bundle || !k->spec->has_process)
		return 0;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	dir = root < 0 ? -errno : rootfs_make_dir(root, k->spec->process.cwd);
	if (dir < 0 && dir != -EROFS)
		return err_set(
			err, dir, "cannot make the working directory '%s'", k->spec->process.cwd);
	return 0;
}

static int step_sysctl(struct child *k, struct err *err)
{
	return sysctl_apply(k->spec, err);
}

static int step_console(struct child *k, struct err *err)
{
	int r;

	if (!k->spec->process.terminal)
		return 0;
	r = process_pty(&k->spec->process, &k->master, &k->slave, err);
	k->plan.console_fd = k->slave; /* rootfs_finish binds it at /dev/console */
	return r;
}

static int step_finish(struct child *k, struct err *err)
{
	return rootfs_finish(&k->plan, err);
}

static int step_stdio(struct child *k, struct err *err)
{
	const int console[3] = {k->slave, k->slave, k->slave};

	return process_stdio(k->slave >= 0 ? console : k->m->std, err);
}

/* Callers want to hear of a missing command when it is created, not when it is started. */
static int step_check(struct child *k, struct err *err)
{
	if (!k->c->params->later || k->m->payload || !k->spec->has_process)
		return 0;
	return process_check(&k->spec->process, err);
}

static int step_ready(struct child *k, struct err *err)
{
	int r = ask(k->m->sync[1], START_READY, k->master, err);

	autoclose int master = TAKE_FD(k->master); /* is kist's now */
	autoclose int slave = TAKE_FD(k->slave);   /* has its copies at 0-2 */

	return r;
}

static int step_wait(struct child *k, struct err *err)
{
	return k->c->params->later && !k->m->payload ? container_wait_start(k->m, err) : 0;
}

static int step_last(struct child *k, struct err *err)
{
	struct process_plan p = {
		.process = &k->spec->process,
		.agent = k->m->agent,
		.seccomp = k->spec->linux_.seccomp.set ? &k->m->seccomp : NULL,
		.params = k->c->params,
		.init_fd = k->m->init_fd,
		.init = k->c->params->init,
		.sync = k->m->sync[1],
		.preserve_fds = k->c->params->preserve_fds,
	};
	int r;

	if (!k->m->payload) {
		r = container_hooks(k->c, SPEC_HOOK_START_CONTAINER, "created", err);
		return r < 0 ? r : process_become(&p, err);
	}
	r = k->m->payload->child(k->m->payload->arg, err);
	return r < 0 ? r : err_setx(err, -EPROTO, "the restored process did not take over");
}

static const struct {
	const char *name;
	int (*run)(struct child *k, struct err *err);
} steps[] = {
	{"cgroup", step_cgroup},
	{"session", step_session},
	{"loopback", step_loopback},
	{"names", step_names},
	{"keyring", step_keyring},
	{"mount", step_mount},
	{"hooks", step_hooks},
	{"enter", step_enter},
	{"cwd", step_cwd},
	{"sysctl", step_sysctl},
	{"console", step_console},
	{"finish", step_finish},
	{"stdio", step_stdio},
	{"check", step_check},
	{"ready", step_ready},
	{"wait", step_wait},
	{"last", step_last},
};

struct rootfs_plan container_rootfs_plan(const struct container *c)
{
	const struct spec *spec = c->params->spec;
	bool userns = spec->linux_.ns[SPEC_NS_USER].enabled;

	return (struct rootfs_plan){
		.spec = spec,
		.kind = c->params->rootfs,
		.bundle_fd = c->making->bundle,
		.state_fd = c->data_fd,
		.console_fd = -EBADF,
		.foreign = !(ns_new_flags(&spec->linux_) & CLONE_NEWNS),
		.userns = userns,
		.idmap = userns && c->params->idmap,
		.trees_fd = c->making->trees[1],
	};
}

_Noreturn void container_child(struct container *c)
{
	struct container_making *m = c->making;
	const struct spec *spec = c->params->spec;
	struct err err = {0};
	struct child k = {
		.c = c,
		.m = m,
		.spec = spec,
		.plan = container_rootfs_plan(c),
		.root_fd = -EBADF,
		.master = -EBADF,
		.slave = -EBADF,
	};
	size_t i;

	(void)sigprocmask(SIG_SETMASK, &m->mask, NULL); /* cannot fail */
	(void)close(TAKE_FD(c->lock_fd)); /* the lock is kist's, also when it dies before us */
	for (i = 0; i < ARRAY_SIZE(steps); i++)
		if (fault("child", steps[i].name, &err) < 0 || steps[i].run(&k, &err) < 0)
			break;
	fail(m->sync[1], &err);
}

static int new_user_namespace(const struct spec_linux *l, int sync, struct err *err)
{
	int r;

	if (unshare(CLONE_NEWUSER) < 0) {
		err_set(err, r = -errno, "cannot make a user namespace");
		if (r == -ENOSPC)
			err_hint(err, "raise the sysctl user.max_user_namespaces");
		return r;
	}
	r = ask(sync, START_MAPS, -EBADF, err);
	if (r < 0)
		return r;
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_set(err, -errno, "cannot become root of the user namespace");
	/* The change made /proc/self root's of the host. Only in a pid namespace of others does
	 * somebody see us who could trace us. */
	if (!ns_is_joined(l, SPEC_NS_PID))
		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* at worst, less can be opened */
	return 0;
}

static int stage(struct container *c, struct err *err)
{
	const struct spec_linux *l = &c->params->spec->linux_;
	int flags = ns_new_flags(l), sync = c->making->sync[1], r;
	struct clone_args args = {
		.flags = (uint64_t)((flags & ~(STAGE_NEW | CLONE_NEWCGROUP)) | CLONE_PARENT)};
	struct start_gate gate;
	pid_t pid;

	r = cgroup_enter(c->making->cg.cg, err);
	if (r < 0)
		return r;
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* what we join may have tracers in it */
	r = ns_join(l, JOINABLE, err);
	if (r == 0 && (flags & CLONE_NEWUSER))
		r = new_user_namespace(l, sync, err);
	if (r < 0)
		return r;
	if (flags & CLONE_NEWTIME) {
		if (unshare(CLONE_NEWTIME) < 0)
			return err_set(err, -errno, "cannot make a time namespace");
		r = ask(sync, START_OFFSETS, -EBADF, err);
		if (r < 0)
			return r;
	}
	r = start_gate_make(&gate, err);
	if (r < 0)
		return r;
	pid = sys_clone3(&args);
	if (pid == 0) {
		start_gate_pass(&gate, false);
		container_child(c);
	}
	if (pid < 0)
		return err_set(err, pid, "cannot start the container's first process");
	r = start_send(sync, START_PID, pid, -EBADF);
	start_gate_pass(&gate, true);
	return r < 0 ? err_set(err, r, "cannot reach kist") : 0;
}

_Noreturn void container_stage(struct container *c)
{
	struct err err = {0};

	c->making->stage = getpid();
	if (stage(c, &err) < 0)
		fail(c->making->sync[1], &err);
	_exit(0);
}
