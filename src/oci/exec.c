// SPDX-License-Identifier: Apache-2.0
/* `exec`: one more process, described by a document or by options. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/util.h"
#include "container/exec.h"
#include "oci/oci-internal.h"
#include "security/security.h"

extern const struct verb oci_exec;

struct request {
	struct container_exec x;
	const char *process, *pid_file, *console_socket;
	struct spec *spec; /* the container's, changed: its process is the new one */
};

static const struct verb_option options[] = {
	{'p', "process", "FILE", "the process, as in config.json"},
	{'d', "detach", NULL, "do not wait for its end"},
	{'t', "tty", NULL, "give it a terminal"},
	{'u', "user", "UID[:GID]", "run as this user"},
	{'e', "env", "NAME=VALUE", "set a variable"},
	{'g', "additional-gids", "GID", "a further group"},
	{'c', "cap", "NAME", "add a capability"},
	{0, "cwd", "DIR", "its working directory"},
	{0, "no-new-privs", NULL, "no more privileges by execve"},
	{0, "pid-file", "FILE", "where its pid is written"},
	{0, "console-socket", "SOCKET", "where the terminal's master is sent"},
	{0, "preserve-fds", "N", "pass so many fds on, from 3"},
	{0, "ignore-paused", NULL, "accepted: a paused container refuses"},
	{0, "apparmor", "PROFILE", "its AppArmor profile"},
	{0, "process-label", "LABEL", "its SELinux label"},
	{0, "cgroup", "PATH", "refused: the container's own cgroup is used"},
	{0},
};

static int set_user(struct spec_process *p, const char *value, struct err *err)
{
	autofree char *copy = strdup(value);
	char *group = copy, *user = copy ? strsep(&group, ":") : NULL;

	if (!user)
		return err_oom(err);
	if (parse_u32(user, 10, &p->uid) < 0 || (group && parse_u32(group, 10, &p->gid) < 0))
		return err_setx(err, -EINVAL, "'%s' is no UID[:GID]", value);
	return 0;
}

static int add_gid(struct spec_process *p, const char *value, struct err *err)
{
	uint32_t *grown, gid;

	if (parse_u32(value, 10, &gid) < 0)
		return err_setx(err, -EINVAL, "'%s' is no group id", value);
	grown = reallocarray(p->additional_gids, p->n_additional_gids + 1, sizeof(*grown));
	if (!grown)
		return err_oom(err);
	p->additional_gids = grown;
	grown[p->n_additional_gids++] = gid;
	return 0;
}

static int add_cap(struct spec_process *p, const char *value, struct err *err)
{
	uint64_t bit;
	int cap;

	if (caps_from_name(value, &cap) < 0)
		return err_setx(err, -EINVAL, "'%s' is no capability", value);
	bit = UINT64_C(1) << cap;
	p->caps.set = true;
	p->caps.bounding |= bit;
	p->caps.effective |= bit;
	p->caps.permitted |= bit;
	return 0;
}

static int replace(char **where, const char *value, struct err *err)
{
	char *copy = strdup(value);

	if (!copy)
		return err_oom(err);
	free(*where);
	*where = copy;
	return 0;
}

static int apply(struct request *q, struct spec_process *p, const struct verb_option *o,
	const char *value, struct err *err)
{
	int n;

	switch (o->letter) {
	case 'p':
		q->process = value;
		return 0;
	case 'd':
		q->x.detach = true;
		return 0;
	case 't':
		p->terminal = true;
		return 0;
	case 'u':
		return set_user(p, value, err);
	case 'e':
		return env_put(&p->env, value) < 0 ? err_oom(err) : 0;
	case 'g':
		return add_gid(p, value, err);
	case 'c':
		return add_cap(p, value, err);
	default:
		break;
	}
	if (strcmp(o->name, "cwd") == 0)
		return replace(&p->cwd, value, err);
	if (strcmp(o->name, "apparmor") == 0)
		return replace(&p->apparmor_profile, value, err);
	if (strcmp(o->name, "process-label") == 0)
		return replace(&p->selinux_label, value, err);
	if (strcmp(o->name, "no-new-privs") == 0)
		p->no_new_privileges = true;
	else if (strcmp(o->name, "cgroup") == 0)
		return err_setx(err, -EOPNOTSUPP,
			"this version of kist does not support a cgroup of exec's own");
	else if (strcmp(o->name, "pid-file") == 0)
		q->pid_file = value;
	else if (strcmp(o->name, "console-socket") == 0)
		q->console_socket = value;
	else if (strcmp(o->name, "preserve-fds") == 0) {
		if (parse_int(value, &n) < 0 || n < 0 || n > 1024)
			return err_setx(err, -EINVAL, "'%s' is no number of fds", value);
		q->x.preserve_fds = n;
	}
	return 0;
}

static int started(void *arg, pid_t pid, int console, struct err *err)
{
	const struct request *q = arg;
	int r = 0;

	if (q->console_socket && console >= 0)
		r = oci_send_console(q->console_socket, console, err);
	if (r == 0 && q->pid_file)
		r = oci_write_pid(q->pid_file, pid, err);
	return r;
}

static int read_process(struct request *q, struct spec *spec, struct err *err)
{
	autofree char *text = NULL;
	size_t len;
	int r = oci_read_file(q->process, &text, &len, err);

	if (r == 0)
		r = spec_parse_process(text, len, spec, err);
	return r < 0 ? err_wrap(err, "'%s'", q->process) : 0;
}

static int exec_in(struct container *c, struct oci_args *a, struct err *err)
{
	struct spec_process *p = &c->params->spec->process;
	struct request q = {.x = {.process = p, .interactive = true, .inherit = true}};
	const struct verb_option *o;
	int r = 0, status = 0;
	char **args = NULL;

	q.x.started = started;
	q.x.arg = &q;
	p->terminal = false;
	oci_args_init(a, &oci_exec, a->args.argc, a->args.argv);
	a->command = true;
	while (r == 0 && (o = oci_args_next(a, err)))
		r = apply(&q, p, o, a->args.value, err);
	if (r == 0 && q.process)
		r = read_process(&q, c->params->spec, err);
	else if (r == 0 && a->args.next >= a->args.argc)
		r = err_setx(err, -EINVAL, "a process (--process) or a command is needed");
	else if (r == 0) {
		args = strv_dup(a->args.argv + a->args.next);
		if (!args)
			return err_oom(err);
		strv_free(p->args);
		p->args = args;
	}
	if (r == 0 && q.x.detach && p->terminal && !q.console_socket)
		r = err_setx(
			err, -EINVAL, "a detached process with a terminal needs --console-socket");
	if (r == 0)
		r = container_exec(c, &q.x, &status, err);
	return r < 0 ? r : status;
}

static int exec_run(int argc, char **argv, struct err *err)
{
	struct oci_args a;
	struct container *c;
	const char *id;
	int r;

	/* The options change what the container's state says: its id is needed first. */
	oci_args_init(&a, &oci_exec, argc, argv);
	a.command = true;
	while (oci_args_next(&a, err))
		;
	id = err->code ? NULL : oci_args_id(&a, err);
	if (!id)
		return err->code;
	r = container_open(id, &c, err);
	if (r < 0)
		return r;
	if (c->status == CONTAINER_FROZEN)
		r = err_setx(err, -EBUSY, "cannot exec in container '%s': it is paused", id);
	else if (!c->params || c->pidfd < 0)
		r = err_setx(err, -ESRCH,
			"cannot exec in a stopped container: container not running: '%s' is %s", id,
			oci_status(c->status));
	else
		r = exec_in(c, &a, err);
	container_free(c);
	return r;
}

const struct verb oci_exec = {
	.name = "exec",
	.args = "ID [COMMAND [ARG…]]",
	.summary = "run one more process in a container",
	.options = options,
	.run = exec_run,
};
