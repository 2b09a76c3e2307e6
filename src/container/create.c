// SPDX-License-Identifier: Apache-2.0
/*
 * Creation as an ordered table of steps, each with its undo: what can be refused is refused in the
 * first one; after a failure the undos of the steps that were begun run backwards.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "cgroup/keys.h"
#include "container/dirs.h"
#include "container/embedded.h"
#include "container/making.h"
#include "container/oci.h"
#include "ns/ns.h"
#include "sys/proc.h"
#include "tty/tty.h"

#define KILL_MS	      10000
#define MOUNTINFO_MAX (16u << 20)

struct step {
	const char *name;
	int (*run)(struct container *c, struct err *err);
	void (*undo)(struct container *c); /* also when run failed half-way */
};

static void close_fd(int *fd)
{
	autoclose int old = TAKE_FD(*fd);
}

static struct container_making *making_new(void)
{
	struct container_making *m = calloc(1, sizeof(*m));
	size_t i;

	if (!m)
		return NULL;
	m->bundle = m->init_fd = m->listen = m->sync[0] = m->sync[1] = m->trees[0] = m->trees[1] =
		m->in = m->out = m->err = m->console = m->slave = m->agent.sock = m->agent.state =
			m->devices_ns = -EBADF;
	for (i = 0; i < ARRAY_SIZE(m->std); i++)
		m->std[i] = -EBADF;
	return m;
}

void container_making_free(struct container *c)
{
	struct container_making *m = c->making;
	int *fds[16], n = 0, i;

	if (!m)
		return;
	for (i = 0; i < 3; i++)
		fds[n++] = &m->std[i];
	fds[n++] = &m->bundle;
	fds[n++] = &m->devices_ns;
	fds[n++] = &m->init_fd;
	fds[n++] = &m->listen;
	fds[n++] = &m->sync[0];
	fds[n++] = &m->sync[1];
	fds[n++] = &m->trees[0];
	fds[n++] = &m->trees[1];
	fds[n++] = &m->in;
	fds[n++] = &m->out;
	fds[n++] = &m->err;
	fds[n++] = &m->console;
	fds[n++] = &m->slave;
	for (i = 0; i < n; i++)
		close_fd(fds[i]);
	seccomp_prog_done(&m->seccomp);
	container_agent_done(&m->agent);
	container_cgroup_done(&m->cg);
	if (m->masked)
		(void)sigprocmask(SIG_SETMASK, &m->mask, NULL); /* cannot fail */
	free(m);
	c->making = NULL;
}

/* What the spec asks for and kist does not do: refused, not ignored. */
static int check_unsupported(const struct spec *s, struct err *err)
{
	const char *what = NULL;

	if (s->linux_.intel_rdt)
		what = "'linux.intelRdt' (resctrl)";
	if (s->linux_.cgroups_path && strchr(s->linux_.cgroups_path, ':'))
		what = "cgroups made by systemd";
	return what ? err_setx(err, -EOPNOTSUPP, "this version of kist does not support %s", what)
		    : 0;
}

static int step_check(struct container *c, struct err *err)
{
	const struct container_params *p = c->params;
	const struct spec_linux *l = &p->spec->linux_;
	int r = container_userns_check(c, err);

	if (r == 0)
		r = spec_validate(p->spec, err);
	if (r == 0)
		r = check_unsupported(p->spec, err);
	if (r == 0)
		r = sysctl_check(p->spec, err);
	if (r == 0)
		r = lsm_check(p->spec, err);
	if (r < 0)
		return r;
	if (p->n_ports && p->net != CONTAINER_NET_BRIDGE)
		return err_setx(err, -EINVAL, "published ports (-p) need '--net bridge'");
	if (p->rootfs != ROOTFS_BIND && !(ns_new_flags(l) & CLONE_NEWNS))
		return err_setx(err, -EINVAL, "an overlay needs a new mount namespace");
	if (p->rootfs != ROOTFS_HOST && !p->spec->root_path)
		return err_setx(err, -EINVAL, "a root directory is missing");
	if (p->net == CONTAINER_NET_BRIDGE &&
		(!l->ns[SPEC_NS_NET].enabled || l->ns[SPEC_NS_NET].path))
		return err_setx(err, -EINVAL, "'--net bridge' needs a new network namespace");
	if (p->bundle) {
		c->making->bundle = open(p->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (c->making->bundle < 0)
			return err_set(err, -errno, "cannot open the directory '%s'", p->bundle);
	}
	return 0;
}

static int step_directory(struct container *c, struct err *err)
{
	const char *path = c->params->spec->linux_.cgroups_path;
	int r;

	if (c->making->again)
		return 0;
	r = container_dir_make(c, err);
	if (r < 0 || !path || !*path)
		return r;
	/* A path that the name does not tell must be known to who cleans up after us. */
	free(TAKE_PTR(c->cgroup));
	if (asprintf(&c->cgroup, "%s%s", path[0] == '/' ? "" : "/", path) < 0) {
		c->cgroup = NULL;
		return err_oom(err);
	}
	return container_save(c, err);
}

static void undo_directory(struct container *c)
{
	struct err err = {0};

	if (!c->making->again && c->dir_fd >= 0 && container_dir_remove(c, &err) < 0)
		log_warn("%s", err.text);
}

/* Compiled filters are kept below the state directory, as compiling one takes long. */
int container_seccomp_compile(
	const struct spec_seccomp *sc, struct seccomp_prog *ret, struct err *err)
{
	autoclose int root = container_root_open(true, NULL), dir = -EBADF;

	if (root >= 0 && (mkdirat(root, "seccomp", 0700) == 0 || errno == EEXIST))
		dir = openat(root, "seccomp", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return seccomp_compile_cached(sc, dir, ret, err);
}

static int step_ids(struct container *c, struct err *err)
{
	return container_userns_allocate(c, err);
}

static int step_prepare(struct container *c, struct err *err)
{
	const struct container_payload *p = c->making->payload;

	if (!p || !p->prepare)
		return 0;
	c->params_saved = false; /* it may change the spec */
	return p->prepare(p->arg, c, err);
}

static int step_programs(struct container *c, struct err *err)
{
	struct container_making *m = c->making;
	const struct spec_seccomp *sc = &c->params->spec->linux_.seccomp;
	int fd = embedded_open("kist-init", embedded_init, embedded_init_size, err);

	if (fd < 0)
		return fd;
	m->init_fd = fd;
	if (!sc->set || m->payload)
		return 0;
	fd = container_seccomp_compile(sc, &m->seccomp, err);
	return fd < 0 ? fd : container_agent_connect(sc, &m->seccomp, &m->agent, err);
}

static int set_limits(struct container *c, struct err *err)
{
	const struct spec_linux *l = &c->params->spec->linux_;
	autofree struct cgroup_setting *s = NULL;
	const struct cgroup_key *key;
	size_t i, n = 0;
	char size[32];
	int r = 0;

	if (l->n_limits) {
		s = calloc(l->n_limits, sizeof(*s));
		if (!s)
			return err_oom(err);
		for (i = 0; r == 0 && i < l->n_limits; i++)
			if (cgroup_key_find(l->limits[i].key, &key, size, sizeof(size), NULL) == 0)
				s[n++] = (struct cgroup_setting){
					l->limits[i].key, l->limits[i].value};
			else
				r = cgroup_set_raw(c->making->cg.cg, l->limits[i].key,
					l->limits[i].value, err);
		if (r == 0)
			r = cgroup_set(c->making->cg.cg, s, n, err);
	}
	if (r == 0 && l->n_device_rules)
		r = cgroup_set_devices(c->making->cg.cg, l->device_rules, l->n_device_rules, err);
	return r;
}

static int step_cgroup(struct container *c, struct err *err)
{
	struct container_making *m = c->making;
	int r = cgroup_host_open(&m->cg.host, err);

	if (r == 0)
		r = cgroup_create(m->cg.host, c->cgroup, &m->cg.cg, err);
	if (r == -EEXIST)
		err_hint(err, "it is of a container whose state directory was removed: end the "
			      "processes in its cgroup.procs, and remove it by rmdir");
	/* Others look for it in every hierarchy, and the container in its cgroup namespace. */
	if (r == 0 && c->params->later)
		r = cgroup_join_all(m->cg.cg, err);
	return r < 0 ? r : set_limits(c, err);
}

static void undo_cgroup(struct container *c)
{
	struct err err = {0};

	if (c->making->cg.cg && cgroup_destroy(c->making->cg.cg, true, KILL_MS, &err) < 0)
		log_warn("%s", err.text);
}

static int step_stdio(struct container *c, struct err *err)
{
	return container_stdio_make(c, err);
}

static int step_listen(struct container *c, struct err *err)
{
	return container_listen(c, err);
}

static int step_spawn(struct container *c, struct err *err)
{
	return container_spawn(c, err);
}

static int step_agent(struct container *c, struct err *err)
{
	return container_agent_describe(&c->making->agent, c, c->pid, "creating", err);
}

static int step_network(struct container *c, struct err *err)
{
	const struct container_params *p = c->params;
	const char *guard = c->making->payload ? c->making->payload->net_guard : NULL;

	return p->net == CONTAINER_NET_BRIDGE ? container_net_attach(c, guard, err) : 0;
}

static void undo_network(struct container *c)
{
	struct err err = {0};

	/* An address that was parked for a restore is parked again when the restore fails. */
	if (c->net_attached && container_net_leave(c, c->net.was_parked, &err) < 0)
		log_warn("%s", err.text);
	c->net_attached = false;
}

static int step_devices(struct container *c, struct err *err)
{
	/* a restored namespace has what the image says */
	return c->making->payload ? 0 : container_devices_move(c, err);
}

static const char *describe_death(struct container *c, char *text, size_t size)
{
	siginfo_t si = {0};

	if (waitid(P_PID, (id_t)c->pid, &si, WEXITED | WNOWAIT) < 0)
		return "it ended";
	if (si.si_code == CLD_EXITED)
		snprintf(text, size, "it ended with status %d", si.si_status);
	else
		snprintf(text, size, "it was killed by signal %d", si.si_status);
	return text;
}

/* The first process has its namespaces and mounts, and is about to enter its root. */
static int run_hooks(struct container *c, struct err *err)
{
	int r = container_hooks(c, SPEC_HOOK_PRESTART, "created", err);

	if (r == 0)
		r = container_hooks(c, SPEC_HOOK_CREATE_RUNTIME, "creating", err);
	if (r < 0)
		return r;
	r = start_send(c->making->sync[0], START_GO, 0, -EBADF);
	return r < 0 ? err_set(err, r, "cannot reach the container's first process") : 0;
}

static int step_ready(struct container *c, struct err *err)
{
	struct container_making *m = c->making;
	struct start_msg msg;
	char text[64];
	int fd = -EBADF, r;

	r = start_recv(m->sync[0], &msg, &fd, err);
	if (r == START_HOOKS) {
		r = run_hooks(c, err);
		if (r < 0)
			return r;
		r = start_recv(m->sync[0], &msg, &fd, err);
	}
	m->console = fd;
	if (r == -EPIPE) {
		err_setx(err, r, "the container's first process died while it was set up: %s",
			describe_death(c, text, sizeof(text)));
		return err_hint(err, "a memory.max below 1M leaves no room to start anything");
	}
	if (r < 0)
		return r;
	if (r != START_READY)
		return err_setx(err, -EPROTO, "unexpected message of the container");
	if (fd < 0)
		return 0;
	m->slave = tty_open_peer(fd);
	if (m->slave < 0 || ioctl(fd, FIONBIO, &(int){1}) < 0)
		return err_set(err, -errno, "cannot hold the container's terminal");
	return 0;
}

static int step_mounts(struct container *c, struct err *err)
{
	autobuf struct buf b = {0};
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)c->pid);
	r = file_read_at(AT_FDCWD, path, &b, MOUNTINFO_MAX);
	if (r < 0)
		return err_set(err, r, "cannot read '%s'", path);
	r = file_swap_at(c->dir_fd, CONTAINER_MOUNTS_FILE, b.data, b.len, 0600);
	return r < 0 ? err_set(err, r, "cannot note the container's mounts") : 0;
}

static int step_oom(struct container *c, struct err *err)
{
	return process_oom_score(c->pid, c->params->spec->process.oom_score_adj, err);
}

static int step_sched(struct container *c, struct err *err)
{
	const struct spec_process *p = &c->params->spec->process;

	/* a restored process has its own, from the image */
	return c->making->payload ? 0 : container_sched_apply(p, c->pid, err);
}

static int step_record(struct container *c, struct err *err)
{
	c->created = time(NULL);
	c->status = CONTAINER_CREATED;
	if (c->making->payload) {
		c->status = CONTAINER_RUNNING;
		c->started = c->created;
	}
	c->exit_status = -1;
	if (c->making->again)
		(void)unlinkat(c->dir_fd, EXIT_FILE, 0); /* of the life before, if at all */
	return container_save(c, err);
}

static int step_payload(struct container *c, struct err *err)
{
	const struct container_payload *p = c->making->payload;
	int r;

	if (!p)
		return 0;
	r = start_send(c->making->sync[0], START_GO, 0, -EBADF);
	if (r < 0)
		return err_set(err, r, "cannot reach the container's first process");
	return p->parent ? p->parent(p->arg, c, err) : 0;
}

/* From here the first process waits by itself, for somebody who starts it. */
static int step_hand_over(struct container *c, struct err *err)
{
	int r;

	if (!c->params->later || c->making->payload)
		return 0;
	r = start_send(c->making->sync[0], START_GO, 0, -EBADF);
	if (r < 0)
		return err_set(err, r, "cannot reach the container's first process");
	return 0;
}

static const struct step steps[] = {
	{"check", step_check, NULL},
	{"directory", step_directory, undo_directory},
	{"ids", step_ids, NULL},
	{"prepare", step_prepare, NULL},
	{"programs", step_programs, NULL},
	{"cgroup", step_cgroup, undo_cgroup},
	{"stdio", step_stdio, NULL},
	{"listen", step_listen, NULL},
	{"spawn", step_spawn, container_unspawn},
	{"agent", step_agent, NULL},
	{"network", step_network, undo_network},
	{"devices", step_devices, container_devices_return},
	{"ready", step_ready, NULL},
	{"mounts", step_mounts, NULL},
	{"oom", step_oom, NULL},
	{"sched", step_sched, NULL},
	{"record", step_record, NULL},
	{"payload", step_payload, NULL},
	{"hand-over", step_hand_over, NULL},
};

static void undo(struct container *c, size_t n)
{
	while (n-- > 0) {
		if (!steps[n].undo)
			continue;
		(void)fault("undo", steps[n].name, NULL); /* an undo does not fail */
		steps[n].undo(c);
	}
}

int container_console(const struct container *c)
{
	return c->making ? c->making->console : -EBADF;
}

void container_undo(struct container *c)
{
	undo(c, ARRAY_SIZE(steps));
}

/* A child that failed has said why; what broke on our side because of that is less telling. */
static void prefer_child_error(struct container *c, const char *step, struct err *err)
{
	struct start_msg msg;
	struct err theirs = {0};

	if ((strcmp(step, "network") != 0 && strcmp(step, "payload") != 0) ||
		c->making->sync[0] < 0)
		return;
	if (fcntl(c->making->sync[0], F_SETFL, O_NONBLOCK) == 0 &&
		start_recv(c->making->sync[0], &msg, NULL, &theirs) < 0 && theirs.code < 0 &&
		theirs.code != -EAGAIN)
		*err = theirs;
}

static int make(struct container *c, struct err *err)
{
	size_t i;
	int r;

	(void)sigemptyset(&c->making->mask); /* cannot fail */
	container_signals_block(&c->making->mask);
	c->making->masked = true;
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		r = fault("create", steps[i].name, err);
		if (r == 0)
			r = steps[i].run(c, err);
		if (r < 0) {
			log_debug("creation of '%s' failed in step '%s'", c->name, steps[i].name);
			prefer_child_error(c, steps[i].name, err);
			undo(c, i + 1);
			return r;
		}
	}
	(void)fault("create", "end", NULL); /* all is done: it can only be killed here */
	return 0;
}

int container_create(struct container_params *params, const struct container_payload *payload,
	struct container **ret, struct err *err)
{
	struct container *c = NULL;
	int r = 0;

	if (!params->name)
		r = container_name_make(&params->name, err);
	if (r == 0)
		r = container_name_check(params->name, err);
	if (r == 0 && (!(c = container_new(params->name)) || !(c->making = making_new())))
		r = err_oom(err);
	if (r < 0) {
		container_params_free(params);
		container_free(c);
		return r;
	}
	c->params = params;
	c->making->payload = payload;
	r = make(c, err);
	if (r < 0)
		container_free(c);
	else
		*ret = c;
	return r;
}

int container_recreate(const char *name, bool detach, struct container **ret, struct err *err)
{
	struct container *c;
	int r = container_open_locked(name, &c, err);

	if (r < 0)
		return r;
	if (c->status != CONTAINER_STOPPED || !c->params)
		r = err_setx(err, -EBUSY, "container '%s' is %s, and not stopped", name,
			c->params ? container_status_name(c->status)
				  : "left over from a failed creation");
	if (r == 0) {
		c->net_parked = false;
		r = container_release(c, err);
	}
	if (r == 0 && !(c->making = making_new()))
		r = err_oom(err);
	if (r == 0) {
		c->making->again = true;
		c->params->detach = detach;
		c->params_saved = false;
		r = make(c, err);
	}
	if (r < 0)
		container_free(c);
	else
		*ret = c;
	return r;
}
