// SPDX-License-Identifier: Apache-2.0
/* `restore`: a tree of processes runs again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/image/image.h"
#include "cr/restore/restore.h"
#include "criu/criu-internal.h"

extern const struct verb criu_restore;

static const struct verb_option options[] = {
	{'d', "restore-detached", NULL, "return when it runs"},
	{'j', "shell-job", NULL, "standard input is the terminal it had from outside"},
	{0, "pidfile", "FILE", "where the root's pid is written"},
	{'x', "ext-unix-sk", NULL, "accepted: so they were saved"},
	{0, "tcp-established", NULL, "accepted: so they were saved"},
	CRIU_COMMON_OPTIONS,
	CRIU_ACCEPTED_OPTIONS,
	{0},
};

struct request {
	struct criu_common c;
	bool detached, shell_job;
	const char *pidfile;
};

static int write_pid(const char *path, pid_t pid, struct err *err)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", (int)pid);
	int r = file_swap_at(AT_FDCWD, path, text, (size_t)n, 0644);

	return r < 0 ? err_set(err, r, "cannot write the pid file '%s'", path) : 0;
}

static int restore(const struct request *q, struct restore_result *res, struct err *err)
{
	const struct file_external tty = {.key = "tty", .fd = 0};
	const struct restore_opts opts = {
		.root_fd = -EBADF, .externals = &tty, .n_externals = q->shell_job};
	autoclose int dirfd = criu_open_images(&q->c, err);
	struct image *img;
	int r;

	if (dirfd < 0)
		return dirfd;
	r = image_open(dirfd, &img, err);
	if (r < 0)
		return r;
	r = restore_tree(img, &opts, res, err);
	image_free(img);
	return r < 0 || !q->pidfile ? r : write_pid(q->pidfile, res->root, err);
}

static int run(int argc, char **argv, struct err *err)
{
	struct request q = {0};
	const struct verb_option *o;
	struct restore_result res;
	struct verb_args a;
	int status = 0, r = 0;

	verb_args_init(&a, &criu_restore, argc, argv);
	while ((o = verb_args_next(&a, err))) {
		if (criu_common_option(&q.c, o, a.value) == 0)
			continue;
		if (o->letter == 'd')
			q.detached = true;
		else if (o->letter == 'j')
			q.shell_job = true;
		else if (strcmp(o->name, "pidfile") == 0)
			q.pidfile = a.value;
	}
	r = err->code;
	if (r == 0 && a.next < argc)
		r = err_setx(err, -EINVAL, "unexpected argument '%s'", argv[a.next]);
	if (r == 0)
		r = restore(&q, &res, err);
	r = criu_finish(&q.c, "Restore", r, err);
	if (r < 0 || q.detached)
		return r;
	while (waitpid(res.root, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot wait for process %d", res.root);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

const struct verb criu_restore = {
	.name = "restore",
	.summary = "make what an image holds run again",
	.options = options,
	.run = run,
};
