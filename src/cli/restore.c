// SPDX-License-Identifier: Apache-2.0
/* `kist restore`: what an image holds runs again. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/util.h"
#include "base/verb.h"
#include "cr/image/image.h"
#include "cr/restore/container.h"

extern const struct verb verb_restore;

struct args {
	const char *dir, *name;
	bool shell_job;
};

/* Options may stand behind the directory. */
static int parse(int argc, char **argv, struct args *a, struct err *err)
{
	const struct verb_option *o;
	struct verb_args va;

	verb_args_init(&va, &verb_restore, argc, argv);
	for (;;) {
		o = verb_args_next(&va, err);
		if (o && o->letter == 'n')
			a->name = va.value;
		else if (o)
			a->shell_job = true;
		else if (err->code)
			return err->code;
		else if (va.next >= argc)
			break;
		else if (a->dir)
			return err_setx(err, -EINVAL, "unexpected argument '%s'", argv[va.next]);
		else
			a->dir = argv[va.next++];
	}
	return a->dir ? 0 : err_setx(err, -EINVAL, "the directory of an image is needed");
}

static int run(int argc, char **argv, struct err *err)
{
	const struct file_external tty = {.key = "tty", .fd = 0};
	struct restore_opts opts = {.root_fd = -EBADF, .externals = &tty};
	struct args a = {0};
	struct restore_result res;
	struct image *img = NULL;
	autoclose int dirfd = -EBADF;
	int r;

	r = parse(argc, argv, &a, err);
	if (r < 0)
		return r;
	dirfd = open(a.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_set(err, -errno, "cannot open the image '%s'", a.dir);
	opts.n_externals = a.shell_job;
	r = image_open(dirfd, &img, err);
	if (r == 0)
		r = restore_image(img, a.name, &opts, &res, err);
	image_free(img);
	if (r < 0)
		return r;
	printf("%d: %zu processes, %zu threads, restored in %" PRIu64 ".%03" PRIu64 " s\n",
		res.root, res.tasks, res.threads, res.total_us / 1000000,
		res.total_us / 1000 % 1000);
	return 0;
}

const struct verb verb_restore = {
	.name = "restore",
	.args = "DIR",
	.summary = "make what an image holds run again",
	.text = "Returns when it runs. A failed restore leaves nothing behind.",
	.options =
		(const struct verb_option[]){
			{'n', "name", "NAME", "restore a container under this name"},
			{0, "shell-job", NULL,
				"standard input is the terminal that a tree of "
				"processes had from outside"},
			{0},
		},
	.run = run,
};
