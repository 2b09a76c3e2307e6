// SPDX-License-Identifier: Apache-2.0
/* `kist inspect`: all that is known of a container, as JSON. */
#include <errno.h>
#include <stdio.h>

#include "base/util.h"
#include "cli/names.h"

extern const struct verb verb_inspect;

static int inspect_run(int argc, char **argv, struct err *err)
{
	const char *name = names_only(&verb_inspect, argc, argv, err);
	struct container *c;
	json_t *j = NULL;
	int r;

	if (!name)
		return err->code;
	r = container_open(name, &c, err);
	if (r < 0)
		return r;
	if (!c->params)
		r = err_setx(err, -EINVAL, "container '%s' was never made completely", name);
	else
		r = container_to_json(c, &j, err);
	container_free(c);
	if (r < 0)
		return r;
	r = json_dumpf(j, stdout, JSON_INDENT(2));
	json_decref(j);
	putchar('\n');
	return r < 0 || fflush(stdout) != 0 ? err_setx(err, -EIO, "cannot print") : 0;
}

const struct verb verb_inspect = {
	.name = "inspect",
	.args = "NAME",
	.summary = "print all that is known of a container as JSON",
	.run = inspect_run,
};
