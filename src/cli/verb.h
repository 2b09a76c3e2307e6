/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verb of the command line: one file a verb, one row a verb in verbs.c. The row feeds the
 * dispatcher, `kist help` and `kist VERB --help`.
 */
#pragma once

#include "base/err.h"

struct verb_option {
	char letter;	   /* 0: none */
	const char *name;  /* long name without dashes */
	const char *value; /* placeholder in the help, NULL: a flag */
	const char *help;
};

struct verb {
	const char *name;
	const char *args;		   /* "NAME -- CMD [ARG…]" */
	const char *summary;		   /* one line, for `kist help` */
	const char *text;		   /* further lines of `--help`, or NULL */
	const struct verb_option *options; /* ends with an empty row, or NULL */
	/* argv[0] is the verb. Returns kist's exit status, or -errno with @err filled. */
	int (*run)(int argc, char **argv, struct err *err);
};

extern const struct verb *const verbs[]; /* NULL-terminated */

/*
 * Walks argv by a verb's options, as getopt_long(3) does without its globals; stops at the first
 * operand when the verb takes a command. Long options also as --name=value.
 */
struct verb_args {
	const struct verb *verb;
	int argc, next;
	char **argv;
	const char *cluster; /* the rest of "-abc" */
	const char *value;   /* of the option just returned */
};
void verb_args_init(struct verb_args *a, const struct verb *v, int argc, char **argv);
/* Returns the option's row, or NULL at the first operand, after "--", or with err->code set. */
const struct verb_option *verb_args_next(struct verb_args *a, struct err *err);
