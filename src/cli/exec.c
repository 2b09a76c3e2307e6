// SPDX-License-Identifier: Apache-2.0
/* `kist exec`: one more process in a running container. */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "cli/options.h"
#include "container/exec.h"

extern const struct verb verb_exec;

static const struct verb_option options[] = {
	{'i', "interactive", NULL, "pass stdin on"},
	{'t', "tty", NULL, "give the command a terminal"},
	{'d', "detach", NULL, "do not wait for it; its output is dropped"},
	{'e', "env", "NAME[=VALUE]", "set a variable, or pass on the caller's"},
	{'w', "workdir", "DIR", "working directory of the command"},
	{'u', "user", "UID[:GID]", "run as this user"},
	{0},
};

/* The process is the container's own one with these changes. */
static int apply(struct container_exec *x, struct spec_process *p, char letter, const char *value,
	struct err *err)
{
	switch (letter) {
	case 'i':
		x->interactive = true;
		return 0;
	case 't':
		option_tty(p);
		return 0;
	case 'd':
		x->detach = true;
		return 0;
	case 'e':
		return option_env(p, value, err);
	case 'w':
		free(p->cwd);
		p->cwd = strdup(value);
		return p->cwd ? 0 : err_oom(err);
	default:
		return option_user(p, value, err);
	}
}

static int exec_in(struct container *c, struct verb_args *args, struct err *err)
{
	struct spec_process *p = &c->params->spec->process;
	struct container_exec x = {.process = p};
	const struct verb_option *o;
	int r, status = 0;

	p->terminal = false;
	verb_args_init(args, args->verb, args->argc, args->argv);
	while ((o = verb_args_next(args, err))) {
		r = apply(&x, p, o->letter, args->value, err);
		if (r < 0)
			return r;
	}
	if (args->next + 1 < args->argc && strcmp(args->argv[args->next + 1], "--") == 0)
		args->next++;
	args->next++;
	r = option_command(args, p, err);
	if (r == 0 && p->cwd[0] != '/')
		r = err_setx(err, -EINVAL, "the working directory '%s' is not absolute", p->cwd);
	if (r == 0)
		r = container_exec(c, &x, &status, err);
	return r < 0 ? r : status;
}

static int exec_run(int argc, char **argv, struct err *err)
{
	struct verb_args args;
	struct container *c;
	int r;

	/* The options change what the container's state says: its name is needed first. */
	verb_args_init(&args, &verb_exec, argc, argv);
	while (verb_args_next(&args, err))
		;
	if (err->code)
		return err->code;
	if (args.next >= argc)
		return err_setx(err, -EINVAL, "needs the name of a container and a command");
	r = container_open(argv[args.next], &c, err);
	if (r < 0)
		return r;
	if (!c->params)
		r = err_setx(err, -ESRCH, "container not running: '%s' is %s", c->name,
			container_status_name(c->status));
	else
		r = exec_in(c, &args, err);
	container_free(c);
	return r;
}

const struct verb verb_exec = {
	.name = "exec",
	.args = "NAME -- CMD [ARG…]",
	.summary = "run one more command in a container",
	.text = "It gets the container's environment, user, capabilities and limits.",
	.options = options,
	.run = exec_run,
};
