// SPDX-License-Identifier: Apache-2.0
/* `kist attach`: the caller's terminal for a detached container. */
#include <errno.h>
#include <stdio.h>

#include "base/util.h"
#include "cli/names.h"
#include "container/exec.h"

extern const struct verb verb_attach;

static int attach_run(int argc, char **argv, struct err *err)
{
	const char *name = names_only(&verb_attach, argc, argv, err);
	struct container *c;
	int r, status = 0;

	if (!name)
		return err->code;
	r = container_open(name, &c, err);
	if (r < 0)
		return r;
	r = container_attach(c, &status, err);
	container_free(c);
	if (r < 0)
		return r;
	if (status < 0)
		fprintf(stderr, "\nkist attach: '%s' runs on\n", name);
	return status < 0 ? 0 : status;
}

const struct verb verb_attach = {
	.name = "attach",
	.args = "NAME",
	.summary = "connect to the output and input of a detached container",
	.text = "Leave a container that has a terminal by ctrl-p ctrl-q. Otherwise the exit status "
		"is\n"
		"the container's.",
	.run = attach_run,
};
