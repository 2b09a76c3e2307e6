// SPDX-License-Identifier: Apache-2.0
/* `kist checkpoint`: a container or a tree of processes, into a directory. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/parse.h"
#include "base/util.h"
#include "base/verb.h"
#include "cr/dump/container.h"

extern const struct verb verb_checkpoint;

struct args {
	const char *dir, *name;
	int pid;
	struct dump_opts opts;
};

static int set_option(
	struct args *a, const struct verb_option *o, const char *value, struct err *err)
{
	double seconds;
	char *end;

	if (strcmp(o->name, "output") == 0) {
		a->dir = value;
	} else if (strcmp(o->name, "pid") == 0) {
		if (parse_int(value, &a->pid) < 0 || a->pid <= 0)
			return err_setx(err, -EINVAL, "'%s' is no process id", value);
	} else if (strcmp(o->name, "timeout") == 0) {
		seconds = strtod(value, &end);
		if (end == value || *end || !(seconds > 0 && seconds < 1e6))
			return err_setx(err, -EINVAL, "'%s' is no time in seconds", value);
		a->opts.timeout_ms = (int)(seconds * 1000);
	} else if (strcmp(o->name, "leave-running") == 0) {
		a->opts.leave_running = true;
	} else if (strcmp(o->name, "sync") == 0) {
		a->opts.sync = true;
	} else if (strcmp(o->name, "ext-unix") == 0) {
		a->opts.ext_unix = true;
	} else if (strcmp(o->name, "shell-job") == 0) {
		a->opts.shell_job = true;
	}
	return 0;
}

/* Options may stand behind the name. */
static int parse(int argc, char **argv, struct args *a, struct err *err)
{
	const struct verb_option *o;
	struct verb_args va;
	int r;

	verb_args_init(&va, &verb_checkpoint, argc, argv);
	for (;;) {
		o = verb_args_next(&va, err);
		if (err->code)
			return err->code;
		if (o) {
			r = set_option(a, o, va.value, err);
			if (r < 0)
				return r;
		} else if (va.next >= argc) {
			return 0;
		} else if (a->name) {
			return err_setx(err, -EINVAL, "unexpected argument '%s'", argv[va.next]);
		} else {
			a->name = argv[va.next++];
		}
	}
}

static bool is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	if (d)
		(void)closedir(d); /* only read from */
	return n == 0;
}

static int open_output(const char *dir, bool *ret_made, struct err *err)
{
	int fd;

	*ret_made = mkdir(dir, 0700) == 0;
	if (!*ret_made && errno != EEXIST)
		return err_set(err, -errno, "cannot create the directory '%s'", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "cannot open the directory '%s'", dir);
	if (!is_empty(dir)) {
		(void)close(fd); /* a directory */
		return err_setx(err, -ENOTEMPTY, "the directory '%s' is not empty", dir);
	}
	return fd;
}

static int run(int argc, char **argv, struct err *err)
{
	struct args a = {.opts = {.tcp_established = true, .file_locks = true}};
	struct dump_result res;
	autoclose int dirfd = -EBADF;
	bool made;
	int r;

	r = parse(argc, argv, &a, err);
	if (r < 0)
		return r;
	if (!a.pid == !a.name)
		return err_setx(err, -EINVAL, "the name of a container, or '--pid PID', is needed");
	if (!a.dir)
		return err_setx(err, -EINVAL, "'-o DIR' is needed: where the image goes");
	dirfd = open_output(a.dir, &made, err);
	if (dirfd < 0)
		return dirfd;
	r = a.name ? dump_container(a.name, dirfd, &a.opts, &res, err)
		   : dump_tree(a.pid, dirfd, &a.opts, &res, err);
	if (r < 0) {
		if (made)
			(void)rmdir(a.dir); /* the dump has removed its files */
		return r;
	}
	printf("%s: %zu processes, %zu threads, stood still for %" PRIu64 ".%03" PRIu64 " s\n",
		a.dir, res.tasks, res.threads, res.frozen_us / 1000000,
		res.frozen_us / 1000 % 1000);
	return 0;
}

const struct verb verb_checkpoint = {
	.name = "checkpoint",
	.args = "NAME | --pid PID",
	.summary = "write a container, or a tree of processes, into a directory, and end it",
	.text = "What cannot be saved is refused by name before anything is changed; a failed\n"
		"checkpoint leaves everything running.",
	.options =
		(const struct verb_option[]){
			{'o', "output", "DIR", "the image's directory: empty, or made"},
			{0, "pid", "PID", "the tree below this process of the host"},
			{0, "leave-running", NULL, "let it go on afterwards"},
			{0, "sync", NULL,
				"be on the disk before anything is ended: outlive a power cut"},
			{0, "shell-job", NULL, "accept a terminal from outside the tree"},
			{0, "ext-unix", NULL, "accept unix sockets connected to outside"},
			{0, "timeout", "SECONDS", "how long a process may take to stop (10)"},
			{0},
		},
	.run = run,
};
