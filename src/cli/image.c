// SPDX-License-Identifier: Apache-2.0
/* `kist image show|check DIR`: looks into a checkpoint image without restoring it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "base/verb.h"
#include "cr/image/image.h"
#include "cr/image/show.h"

extern const struct verb verb_image;

static int show(const char *dir, const struct image *img, struct err *err)
{
	json_t *j = image_json(img);
	int r;

	if (!j)
		return err_oom(err);
	r = json_dumpf(j, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	json_decref(j);
	putchar('\n');
	if (r < 0 || fflush(stdout) != 0)
		return err_setx(err, -EIO, "cannot print the image '%s'", dir);
	return 0;
}

static int check(const char *dir, const struct image *img, struct err *err)
{
	const char *container = image_info(img, "container");

	printf("%s: sound: %zu records, %" PRIu64 " bytes%s%s, written %s by kist %s on Linux %s\n",
		dir, image_total(img), image_size(img), container ? ", container " : "",
		container ? container : "", image_info(img, "created"), image_info(img, "kist"),
		image_info(img, "kernel"));
	return 0;
}

static const struct {
	const char *name;
	int (*run)(const char *dir, const struct image *img, struct err *err);
} actions[] = {
	{"check", check},
	{"show", show},
};

static int image_run(int argc, char **argv, struct err *err)
{
	autoclose int dirfd = -EBADF;
	struct verb_args args;
	struct image *img;
	size_t i;
	int r;

	verb_args_init(&args, &verb_image, argc, argv);
	if (!verb_args_next(&args, err) && err->code)
		return err->code;
	if (argc - args.next != 2)
		return err_setx(
			err, -EINVAL, "'kist image' takes 'show' or 'check', and a directory");
	for (i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, argv[args.next]) == 0)
			break;
	if (i == ARRAY_SIZE(actions))
		return err_setx(err, -EINVAL, "'kist image' has no action '%s'", argv[args.next]);
	dirfd = open(argv[args.next + 1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_set(err, -errno, "cannot open '%s'", argv[args.next + 1]);
	r = image_open(dirfd, &img, err);
	if (r < 0)
		return r;
	r = actions[i].run(argv[args.next + 1], img, err);
	image_free(img);
	return r;
}

const struct verb verb_image = {
	.name = "image",
	.args = "show|check DIR",
	.summary = "show a checkpoint image as JSON, or verify it",
	.text = "Both verify the whole image first: version, sizes, checksums, every record.\n"
		"Exit status 0: the image is sound.",
	.run = image_run,
};
