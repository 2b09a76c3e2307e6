// SPDX-License-Identifier: Apache-2.0
/* See criu.h: the table of verbs, the log, and the one place where errors are told. */
#include "criu/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/util.h"
#include "criu/criu-internal.h"

#define PROGRAM "kist-criu"

extern const struct verb criu_check, criu_dump, criu_restore, criu_swrk;

static const struct verb *const verbs[] = {
	&criu_check, &criu_dump, &criu_restore, &criu_swrk, NULL};

int criu_common_option(struct criu_common *c, const struct verb_option *o, const char *value)
{
	if (strcmp(o->name, "images-dir") == 0)
		c->images = value;
	else if (strcmp(o->name, "work-dir") == 0)
		c->work = value;
	else if (strcmp(o->name, "log-file") == 0)
		c->log = value;
	else if (strncmp(o->help, "accepted", 8) != 0)
		return 1;
	return 0;
}

int criu_open_images(const struct criu_common *c, struct err *err)
{
	const char *path = c->images ? c->images : ".";
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_set(err, -errno, "cannot open the images' directory '%s'", path) : fd;
}

int criu_finish(const struct criu_common *c, const char *verb, int r, const struct err *err)
{
	const char *dir = c->work ? c->work : c->images ? c->images : ".";
	autoclose int dirfd = -EBADF, fd = -EBADF;
	autobuf struct buf b = {0};

	if (!c->log)
		return r;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(dirfd, c->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (r < 0)
		(void)buf_addf(&b, "Error (%s): %s\n%s%s%s", verb, err->text,
			err->hint[0] ? "hint: " : "", err->hint, err->hint[0] ? "\n" : "");
	else
		(void)buf_addf(&b, "%s finished successfully\n", verb);
	if (fd >= 0 && !b.failed)
		(void)io_write(fd, b.data, b.len); /* the exit status says it too */
	return r;
}

static int fail(const struct err *err)
{
	fprintf(stderr, PROGRAM ": Error: %s\n", err->text);
	if (err->hint[0])
		fprintf(stderr, "hint: %s\n", err->hint);
	return 1;
}

static int help(void)
{
	size_t i;

	printf("Usage: " PROGRAM
	       " VERB [OPTIONS]\n\nCRIU's command line over kist's engine; images "
	       "are kist's own.\n\n");
	for (i = 0; verbs[i]; i++)
		printf("  %-12s %s\n", verbs[i]->name, verbs[i]->summary);
	return 0;
}

/* "-v4", "-vvv" and "-v" take no separate word: the next would be eaten. */
static void drop_verbosity(int *argc, char **argv)
{
	int i, n = 0;

	for (i = 0; i < *argc; i++)
		if (strncmp(argv[i], "-v", 2) != 0 || argv[i][2 + strspn(argv[i] + 2, "v01234")])
			argv[n++] = argv[i];
	*argc = n;
}

int criu_main(int argc, char **argv)
{
	struct err err = {0};
	const struct verb *v;
	int r;

	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help();
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("Version: " CRIU_COMPATIBLE "\nkist " KIST_VERSION "\n");
		return 0;
	}
	v = verb_find(verbs, argv[1]);
	if (!v) {
		err_setx(&err, -EINVAL, "this version of kist has no verb '%s' of CRIU's", argv[1]);
		return fail(&err);
	}
	if (argc > 2 && strcmp(argv[2], "--help") == 0) {
		verb_help_print(PROGRAM, v);
		return 0;
	}
	argc--;
	argv++;
	drop_verbosity(&argc, argv);
	r = v->run(argc, argv, &err);
	return r < 0 ? fail(&err) : r;
}
