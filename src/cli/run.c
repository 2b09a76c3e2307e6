// SPDX-License-Identifier: Apache-2.0
/* `kist run`: a new container for a command. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "cli/options.h"

extern const struct verb verb_run;

static int make(void *arg, struct container **ret, struct err *err)
{
	return container_create(arg, NULL, ret, err);
}

static int run_detached(struct container_params *p, struct err *err)
{
	int r = container_detach(make, p, err);

	if (r == 0)
		printf("%s\n", p->name);
	container_params_free(p);
	return r;
}

static int run_run(int argc, char **argv, struct err *err)
{
	struct container_params *p;
	int status, r = run_params_parse(&verb_run, argc, argv, &p, err);

	if (r < 0)
		return r;
	if (p->detach)
		return run_detached(p, err);
	r = container_foreground(make, p, &status, err);
	return r < 0 ? r : status;
}

const struct verb verb_run = {
	.name = "run",
	.args = "-- CMD [ARG…]",
	.summary = "run a command in a new container",
	.text = "Without --rootfs the container sees the host's own files, and changes none of "
		"them.\n"
		"The exit status is the command's, 128+N when signal N ended it.",
	.options = run_options,
	.run = run_run,
};
