// SPDX-License-Identifier: Apache-2.0
/* `kist start`: a stopped container again, with the files that it has changed. */
#include <errno.h>
#include <stdio.h>

#include "base/util.h"
#include "cli/names.h"

extern const struct verb verb_start;

static const struct verb_option options[] = {
	{'a', "attach", NULL, "stay in the foreground"},
	{0},
};

struct starting {
	const char *name;
	bool detach;
};

static int make(void *arg, struct container **ret, struct err *err)
{
	const struct starting *s = arg;

	return container_recreate(s->name, s->detach, ret, err);
}

static int start_run(int argc, char **argv, struct err *err)
{
	struct starting s = {.detach = true};
	struct verb_args args;
	int r, status = 0;

	verb_args_init(&args, &verb_start, argc, argv);
	while (verb_args_next(&args, err))
		s.detach = false;
	if (err->code)
		return err->code;
	if (argc - args.next != 1)
		return err_setx(err, -EINVAL, "needs the name of one container");
	s.name = argv[args.next];
	r = s.detach ? container_detach(make, &s, err)
		     : container_foreground(make, &s, &status, err);
	return r < 0 ? r : status;
}

const struct verb verb_start = {
	.name = "start",
	.args = "NAME",
	.summary = "start a stopped container again",
	.options = options,
	.run = start_run,
};
