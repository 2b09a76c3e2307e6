// SPDX-License-Identifier: Apache-2.0
/* `kist freeze` and `kist thaw`. */
#include <errno.h>

#include "base/util.h"
#include "cli/names.h"

extern const struct verb verb_freeze, verb_thaw;

static int freeze_one(const char *name, void *arg, struct err *err)
{
	struct container *c;
	int r = container_open(name, &c, err);

	if (r < 0)
		return r;
	r = container_freeze(c, *(const bool *)arg, err);
	container_free(c);
	return r;
}

static int run(const struct verb *v, int argc, char **argv, bool freeze, struct err *err)
{
	struct verb_args args;

	verb_args_init(&args, v, argc, argv);
	if (!verb_args_next(&args, err) && err->code)
		return err->code;
	return names_each(&args, freeze_one, &freeze, err);
}

static int freeze_run(int argc, char **argv, struct err *err)
{
	return run(&verb_freeze, argc, argv, true, err);
}

static int thaw_run(int argc, char **argv, struct err *err)
{
	return run(&verb_thaw, argc, argv, false, err);
}

const struct verb verb_freeze = {
	.name = "freeze",
	.args = "NAME…",
	.summary = "stop all processes of containers where they are",
	.run = freeze_run,
};

const struct verb verb_thaw = {
	.name = "thaw",
	.args = "NAME…",
	.summary = "let frozen containers go on",
	.run = thaw_run,
};
