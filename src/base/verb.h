/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verb of a command line, as the fronts have them: one file a verb, one row a verb in a table.
 * The row feeds the dispatcher and `VERB --help`.
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

/* The row of that name in a NULL-terminated table, or NULL. */
const struct verb *verb_find(const struct verb *const *table, const char *name);
/* Prints what `@program VERB --help` says. */
void verb_help_print(const char *program, const struct verb *v);

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
