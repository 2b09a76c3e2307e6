// SPDX-License-Identifier: Apache-2.0
/* `kist stop`, `kist kill`: ending containers. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "cli/names.h"

extern const struct verb verb_stop, verb_kill;

#define STOP_SECONDS 10

static const struct verb_option stop_options[] = {
	{'t', "time", "SECONDS", "wait so long between SIGTERM and SIGKILL (default 10)"},
	{0},
};

static int stop_one(const char *name, void *arg, struct err *err)
{
	struct container *c;
	int r = container_open(name, &c, err);

	if (r < 0)
		return r;
	/* One that has ended is what was wanted. */
	r = c->status == CONTAINER_STOPPED ? 0 : container_stop(c, *(int *)arg, err);
	container_free(c);
	return r < 0 ? r : container_finish(name, -1, err);
}

static int stop_run(int argc, char **argv, struct err *err)
{
	int seconds = STOP_SECONDS;
	struct verb_args args;

	verb_args_init(&args, &verb_stop, argc, argv);
	while (verb_args_next(&args, err))
		if (names_seconds(args.value, &seconds, err) < 0)
			return err->code;
	return err->code ? err->code : names_each(&args, stop_one, &seconds, err);
}

static const struct verb_option kill_options[] = {
	{'s', "signal", "SIGNAL", "a name or number (default KILL)"},
	{0},
};

static int kill_one(const char *name, void *arg, struct err *err)
{
	struct container *c;
	int r = container_open(name, &c, err);

	if (r < 0)
		return r;
	r = container_kill(c, *(int *)arg, err);
	container_free(c);
	return r;
}

static int kill_run(int argc, char **argv, struct err *err)
{
	struct verb_args args;
	int sig = SIGKILL;

	verb_args_init(&args, &verb_kill, argc, argv);
	while (verb_args_next(&args, err))
		if (names_signal(args.value, &sig, err) < 0)
			return err->code;
	return err->code ? err->code : names_each(&args, kill_one, &sig, err);
}

const struct verb verb_stop = {
	.name = "stop",
	.args = "NAME…",
	.summary = "end containers: SIGTERM, later SIGKILL",
	.options = stop_options,
	.run = stop_run,
};

const struct verb verb_kill = {
	.name = "kill",
	.args = "NAME…",
	.summary = "send a signal to the first process of containers",
	.text = "kist's init passes it on to the command.",
	.options = kill_options,
	.run = kill_run,
};
