// SPDX-License-Identifier: Apache-2.0
/*
 * Dump and restore of a plain tree, without the verbs' own checks:
 *   cr-tool dump PID DIR [leave]
 *   cr-tool restore DIR (prints the pid)
 */
#include <fcntl.h>
#include <stdio.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "cr/dump/dump.h"
#include "cr/restore/restore.h"

static int dump(const char *pid, const char *dir, bool leave, struct err *err)
{
	const struct dump_opts opts = {.leave_running = leave,
		.tcp_established = true,
		.file_locks = true,
		.shell_job = true};
	autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dump_result result;
	int p;

	if (fd < 0 || parse_int(pid, &p) < 0)
		return err_set(err, -EINVAL, "bad arguments");
	return dump_tree(p, fd, &opts, &result, err);
}

static int restore(const char *dir, struct err *err)
{
	const struct restore_opts opts = {.root_fd = -EBADF};
	autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct restore_result result;
	struct image *img;
	int r;

	if (fd < 0)
		return err_set(err, -errno, "cannot open '%s'", dir);
	r = image_open(fd, &img, err);
	if (r < 0)
		return r;
	r = restore_tree(img, &opts, &result, err);
	image_free(img);
	if (r == 0)
		printf("%d\n", result.root);
	return r;
}

int main(int argc, char **argv)
{
	struct err err = {0};
	int r;

	if (argc >= 4 && strcmp(argv[1], "dump") == 0)
		r = dump(argv[2], argv[3], argc > 4, &err);
	else if (argc == 3 && strcmp(argv[1], "restore") == 0)
		r = restore(argv[2], &err);
	else
		return 2;
	if (r < 0)
		fprintf(stderr, "%s [%s]\n", err.text, err.hint);
	return r < 0;
}
