// SPDX-License-Identifier: Apache-2.0
/* `kist logs`: what a detached container has written, and, with -f, what it writes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/util.h"
#include "cli/names.h"

extern const struct verb verb_logs;

static const struct verb_option options[] = {
	{'f', "follow", NULL, "go on until the container ends"},
	{0},
};

/* Prints the rest of @fd. Returns how much that was. */
static ssize_t print_rest(int fd, struct err *err)
{
	char data[16384];
	ssize_t n, all = 0;
	int r;

	while ((n = read(fd, data, sizeof(data))) > 0) {
		r = io_write(1, data, (size_t)n);
		if (r < 0)
			return err_set(err, r, "cannot write the log");
		all += n;
	}
	return n < 0 ? err_set(err, -errno, "cannot read the log") : all;
}

static int open_log(const struct container *c, const char *name)
{
	int fd = openat(c->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

/* The file by the log's name, when it is another one than @fd by now. */
static int successor(const struct container *c, int fd)
{
	autoclose int next = open_log(c, "log");
	struct stat a, b;

	if (next < 0 || fstat(fd, &a) < 0 || fstat(next, &b) < 0 || a.st_ino == b.st_ino)
		return -ENOENT;
	return TAKE_FD(next);
}

/* Follows the log by the name, since the monitor starts a new file when it is full. */
static int follow(const struct container *c, int fd, struct err *err)
{
	autoclose int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), cur = fd;
	struct pollfd p[] = {
		{.fd = watch, .events = POLLIN},
		{.fd = c->pidfd, .events = POLLIN},
	};
	char path[64], events[4096];
	bool ended;
	ssize_t n;
	int next;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", c->dir_fd);
	if (watch < 0 || inotify_add_watch(watch, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return err_set(err, -errno, "cannot watch the log of container '%s'", c->name);
	for (;;) {
		ended = c->pidfd < 0 || p[1].revents;
		n = print_rest(cur, err);
		if (n < 0)
			return (int)n;
		next = successor(c, cur);
		if (next >= 0) {
			(void)close(cur); /* only read from */
			cur = next;
			continue;
		}
		if (ended)
			return 0;
		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return err_set(err, -errno, "cannot wait for the log");
		while (read(watch, events, sizeof(events)) > 0)
			; /* that something happened is all they say */
	}
}

static int print_logs(const struct container *c, bool follow_it, struct err *err)
{
	autoclose int old = open_log(c, "log.1"), fd = open_log(c, "log");

	if (fd == -ENOENT) {
		err_setx(err, fd, "container '%s' has no log", c->name);
		return err_hint(err, "only containers run with -d have one");
	}
	if (fd < 0)
		return err_set(err, fd, "cannot open the log of container '%s'", c->name);
	if (old >= 0 && print_rest(old, err) < 0)
		return err->code;
	if (follow_it)
		return follow(c, TAKE_FD(fd), err);
	return print_rest(fd, err) < 0 ? err->code : 0;
}

static int logs_run(int argc, char **argv, struct err *err)
{
	bool follow_it = false;
	struct verb_args args;
	struct container *c;
	int r;

	verb_args_init(&args, &verb_logs, argc, argv);
	while (verb_args_next(&args, err))
		follow_it = true;
	if (err->code)
		return err->code;
	if (argc - args.next != 1)
		return err_setx(err, -EINVAL, "needs the name of one container");
	r = container_open(argv[args.next], &c, err);
	if (r < 0)
		return r;
	r = print_logs(c, follow_it, err);
	container_free(c);
	return r;
}

const struct verb verb_logs = {
	.name = "logs",
	.args = "NAME",
	.summary = "print the output of a detached container",
	.options = options,
	.run = logs_run,
};
