// SPDX-License-Identifier: Apache-2.0
/* `kist restore`: what an image holds runs again. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/util.h"
#include "cli/verb.h"
#include "cr/image/image.h"
#include "cr/restore/container.h"

extern const struct verb verb_restore;

/* Options may stand behind the directory. */
static int parse(int argc, char **argv, const char **dir, const char **name, struct err *err)
{
	struct verb_args va;

	verb_args_init(&va, &verb_restore, argc, argv);
	for (;;) {
		if (verb_args_next(&va, err))
			*name = va.value; /* the only option */
		else if (err->code)
			return err->code;
		else if (va.next >= argc)
			break;
		else if (*dir)
			return err_setx(err, -EINVAL, "unexpected argument '%s'", argv[va.next]);
		else
			*dir = argv[va.next++];
	}
	return *dir ? 0 : err_setx(err, -EINVAL, "the directory of an image is needed");
}

static int run(int argc, char **argv, struct err *err)
{
	const struct restore_opts opts = {.root_fd = -EBADF};
	struct restore_result res;
	struct image *img = NULL;
	autoclose int dirfd = -EBADF;
	const char *dir = NULL, *name = NULL;
	int r;

	r = parse(argc, argv, &dir, &name, err);
	if (r < 0)
		return r;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_set(err, -errno, "cannot open the image '%s'", dir);
	r = image_open(dirfd, &img, err);
	if (r == 0 && name && !restore_is_container(img))
		r = err_setx(err, -EINVAL,
			"the image '%s' is of a tree of processes: -n does not apply", dir);
	if (r == 0)
		r = restore_is_container(img) ? restore_container(img, name, &res, err)
					      : restore_tree(img, &opts, &res, err);
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
			{0},
		},
	.run = run,
};
