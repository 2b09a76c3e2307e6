// SPDX-License-Identifier: Apache-2.0
/* See cli.h. The one place of the front that prints errors. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/help.h"

static int fail(const char *verb, const struct err *err)
{
	fprintf(stderr, "kist%s%s: %s\n", verb ? " " : "", verb ? verb : "", err->text);
	if (err->hint[0])
		fprintf(stderr, "hint: %s\n", err->hint);
	return 1;
}

int cli_main(int argc, char **argv)
{
	struct err err = {0};
	const struct verb *v;
	int r;

	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return verb_find("help")->run(1, argv, &err);
	v = verb_find(strcmp(argv[1], "--version") == 0 ? "version" : argv[1]);
	if (!v) {
		err_setx(&err, -EINVAL, "unknown verb '%s'", argv[1]);
		err_hint(&err, "'kist help' lists the verbs");
		return fail(NULL, &err);
	}
	if (argc > 2 && strcmp(argv[2], "--help") == 0) {
		verb_help_print(v);
		return 0;
	}
	r = v->run(argc - 1, argv + 1, &err);
	return r < 0 ? fail(v->name, &err) : r;
}
