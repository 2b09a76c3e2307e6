// SPDX-License-Identifier: Apache-2.0
/* `kist rm`: removing containers and all that was left of them. */
#include <errno.h>

#include "base/util.h"
#include "cli/names.h"

extern const struct verb verb_rm;

static const struct verb_option options[] = {
	{'f', "force", NULL, "kill it first if it runs; no error if it is not there"},
	{0},
};

static int rm_one(const char *name, void *arg, struct err *err)
{
	bool force = *(bool *)arg;
	int r = container_delete(name, force, err);

	return r == -ENOENT && force ? 0 : r;
}

static int rm_run(int argc, char **argv, struct err *err)
{
	struct verb_args args;
	bool force = false;

	verb_args_init(&args, &verb_rm, argc, argv);
	while (verb_args_next(&args, err))
		force = true;
	return err->code ? err->code : names_each(&args, rm_one, &force, err);
}

const struct verb verb_rm = {
	.name = "rm",
	.args = "NAME…",
	.summary = "remove containers",
	.options = options,
	.run = rm_run,
};
