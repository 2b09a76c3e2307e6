// SPDX-License-Identifier: Apache-2.0
/* See names.h. */
#include "cli/names.h"

#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"

#define SECONDS_MAX 86400

const char *names_only(const struct verb *v, int argc, char **argv, struct err *err)
{
	struct verb_args args;

	verb_args_init(&args, v, argc, argv);
	if (!verb_args_next(&args, err) && err->code)
		return NULL;
	if (argc - args.next != 1) {
		err_setx(err, -EINVAL, "needs the name of one container");
		return NULL;
	}
	return argv[args.next];
}

int names_each(const struct verb_args *args,
	int (*each)(const char *name, void *arg, struct err *err), void *arg, struct err *err)
{
	int i, status = 0, n = args->argc - args->next;

	if (n < 1)
		return err_setx(err, -EINVAL, "needs the name of a container");
	if (n == 1)
		return each(args->argv[args->next], arg, err);
	for (i = args->next; i < args->argc; i++) {
		struct err e = {0};

		if (each(args->argv[i], arg, &e) >= 0)
			continue;
		fprintf(stderr, "kist %s: %s\n", args->verb->name, e.text);
		status = 1;
	}
	return status;
}

int names_signal(const char *text, int *ret, struct err *err)
{
	if (parse_signal(text, ret) == 0)
		return 0;
	err_setx(err, -EINVAL, "'%s' is no signal", text);
	return err_hint(err, "'kill -l' lists the names");
}

int names_seconds(const char *text, int *ret, struct err *err)
{
	int n;

	if (parse_int(text, &n) < 0 || n < 0 || n > SECONDS_MAX)
		return err_setx(err, -EINVAL, "'%s' is no number of seconds from 0 to %d", text,
			SECONDS_MAX);
	*ret = n;
	return 0;
}
