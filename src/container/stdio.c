// SPDX-License-Identifier: Apache-2.0
/* What fds 0-2 of a container's first process are: the caller's, pipes to the monitor, /dev/null.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/util.h"
#include "container/making.h"

static int make_pipe(int *ret_ours, int *ret_theirs, bool input, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe");
	*ret_ours = fds[input];
	*ret_theirs = fds[!input];
	if (ioctl(*ret_ours, FIONBIO, &(int){1}) < 0)
		return err_set(err, -errno, "cannot set up a pipe");
	return 0;
}

static int make_null(int *ret, struct err *err)
{
	*ret = open("/dev/null", O_RDWR | O_CLOEXEC);
	return *ret < 0 ? err_set(err, -errno, "cannot open '/dev/null'") : 0;
}

/* As readlink(2) tells it, so that a checkpoint finds these among the fds of the tasks. */
static void note(struct container *c, int i)
{
	int fd = c->making->std[i] >= 0 ? c->making->std[i] : i;
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, c->stdio[i], sizeof(c->stdio[i]) - 1);
	c->stdio[i][n < 0 ? 0 : n] = '\0';
}

int container_stdio_make(struct container *c, struct err *err)
{
	struct container_making *m = c->making;
	const struct container_params *p = c->params;
	int i, r = 0;

	if (p->spec->process.terminal) {
		for (i = 0; i < 3; i++)
			strcpy(c->stdio[i], "console");
		return 0;
	}
	if (!p->interactive)
		r = make_null(&m->std[0], err);
	else if (p->detach)
		r = make_pipe(&m->in, &m->std[0], true, err);
	if (r == 0 && p->detach)
		r = make_pipe(&m->out, &m->std[1], false, err);
	if (r == 0 && p->detach)
		r = make_pipe(&m->err, &m->std[2], false, err);
	for (i = 0; r == 0 && i < 3; i++)
		note(c, i);
	return r;
}
