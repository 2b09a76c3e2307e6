// SPDX-License-Identifier: Apache-2.0
/* See names.h. */
#include "cli/names.h"

#include <signal.h>
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

static int realtime_signal(const char *name, int *ret)
{
	int n = 0;

	if (strncmp(name, "RTMIN", 5) == 0) {
		if (name[5] && (name[5] != '+' || parse_int(name + 6, &n) < 0))
			return -EINVAL;
		*ret = SIGRTMIN + n;
	} else if (strncmp(name, "RTMAX", 5) == 0) {
		if (name[5] && (name[5] != '-' || parse_int(name + 6, &n) < 0))
			return -EINVAL;
		*ret = SIGRTMAX - n;
	} else {
		return -EINVAL;
	}
	return n >= 0 && *ret >= SIGRTMIN && *ret <= SIGRTMAX ? 0 : -EINVAL;
}

int names_signal(const char *text, int *ret, struct err *err)
{
	const char *name = strncmp(text, "SIG", 3) == 0 ? text + 3 : text, *abbrev;
	int sig;

	if (parse_int(text, &sig) == 0 && sig > 0 && sig < NSIG) {
		*ret = sig;
		return 0;
	}
	for (sig = 1; sig < NSIG; sig++) {
		abbrev = sigabbrev_np(sig);
		if (abbrev && strcmp(abbrev, name) == 0) {
			*ret = sig;
			return 0;
		}
	}
	if (realtime_signal(name, ret) == 0)
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
