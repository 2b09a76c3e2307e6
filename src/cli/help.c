// SPDX-License-Identifier: Apache-2.0
/* `kist help`, `kist VERB --help` and `kist version`: all printed from the table of verbs. */
#include "cli/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

static int help_run(int argc, char **argv, struct err *err)
{
	const struct verb *v;
	size_t i;

	if (argc > 1) {
		v = verb_find(verbs, argv[1]);
		if (!v)
			return err_setx(err, -EINVAL, "unknown verb '%s'", argv[1]);
		verb_help_print("kist", v);
		return 0;
	}
	printf("kist: runs, limits, freezes, copies and moves Linux containers\n\n"
	       "kist VERB [OPTIONS] [ARGS]\n\n");
	for (i = 0; verbs[i]; i++)
		printf("  %-12s %s\n", verbs[i]->name, verbs[i]->summary);
	printf("\n'kist VERB --help' tells more of a verb.\n");
	return 0;
}

static int version_run(int argc, char **argv, struct err *err)
{
	printf("kist version " KIST_VERSION "\n");
	return 0;
}

const struct verb verb_help = {
	.name = "help",
	.args = "[VERB]",
	.summary = "list the verbs, or tell of one",
	.run = help_run,
};

const struct verb verb_version = {
	.name = "version",
	.summary = "print the version",
	.run = version_run,
};
