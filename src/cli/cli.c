// SPDX-License-Identifier: Apache-2.0
/* See cli.h. The one place of the front that prints errors. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verbs.h"
#include "container/container.h"

static int fail(const char *verb, const struct err *err)
{
	fprintf(stderr, "kist%s%s: %s\n", verb ? " " : "", verb ? verb : "", err->text);
	if (err->hint[0])
		fprintf(stderr, "hint: %s\n", err->hint);
	return err->exit_status ? err->exit_status : 1;
}

/* Options in front of the verb. Returns how many words they are, or -errno. */
static int global_options(int argc, char **argv, struct err *err)
{
	const char *root = NULL;
	int n = 0;

	if (argc > 1 && strncmp(argv[1], "--root=", 7) == 0) {
		root = argv[1] + 7;
		n = 1;
	} else if (argc > 1 && strcmp(argv[1], "--root") == 0) {
		if (argc < 3)
			return err_setx(err, -EINVAL, "option '--root' requires an argument (DIR)");
		root = argv[2];
		n = 2;
	}
	if (root && setenv("KIST_ROOT", root, 1) < 0)
		return err_oom(err);
	return n;
}

/* Started by the monitor of a container that has ended. */
static int finish(const char *name)
{
	struct err err = {0};

	return container_finish(name, -1, &err) < 0 ? fail("finish", &err) : 0;
}

int cli_main(int argc, char **argv)
{
	struct err err = {0};
	const struct verb *v;
	int r;

	if (argc == 2 && strcmp(argv[0], CONTAINER_FINISH) == 0)
		return finish(argv[1]);
	r = global_options(argc, argv, &err);
	if (r < 0)
		return fail(NULL, &err);
	argc -= r;
	argv += r;
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return verb_find(verbs, "help")->run(1, argv, &err);
	v = verb_find(verbs, strcmp(argv[1], "--version") == 0 ? "version" : argv[1]);
	if (!v) {
		err_setx(&err, -EINVAL, "unknown verb '%s'", argv[1]);
		err_hint(&err, "'kist help' lists the verbs");
		return fail(NULL, &err);
	}
	if (argc > 2 && strcmp(argv[2], "--help") == 0) {
		verb_help_print("kist", v);
		return 0;
	}
	r = v->run(argc - 1, argv + 1, &err);
	return r < 0 ? fail(v->name, &err) : r;
}
