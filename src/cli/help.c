// SPDX-License-Identifier: Apache-2.0
/* `kist help`, `kist VERB --help` and `kist version`: all printed from the table of verbs. */
#include "cli/help.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

void verb_help_print(const struct verb *v)
{
	const struct verb_option *o;
	char left[64];

	printf("kist %s%s%s%s\n\n%s\n", v->name, v->options ? " [OPTIONS]" : "", v->args ? " " : "",
		v->args ? v->args : "", v->summary);
	if (v->text)
		printf("\n%s\n", v->text);
	if (v->options)
		printf("\nOptions:\n");
	for (o = v->options; o && o->name; o++) {
		snprintf(left, sizeof(left), "%s%c%s --%s%s%s", o->letter ? "-" : " ",
			o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
			o->value ? " " : "", o->value ? o->value : "");
		printf("  %-30s %s\n", left, o->help);
	}
}

const struct verb *verb_find(const char *name)
{
	size_t i;

	for (i = 0; verbs[i]; i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

static int help_run(int argc, char **argv, struct err *err)
{
	const struct verb *v;
	size_t i;

	if (argc > 1) {
		v = verb_find(argv[1]);
		if (!v)
			return err_setx(err, -EINVAL, "unknown verb '%s'", argv[1]);
		verb_help_print(v);
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
