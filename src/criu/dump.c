// SPDX-License-Identifier: Apache-2.0
/* `dump`: a tree of processes of the host. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"
#include "cr/dump/dump.h"
#include "criu/criu-internal.h"

extern const struct verb criu_dump;

static const struct verb_option options[] = {
	{'t', "tree", "PID", "the root of the tree"},
	{'R', "leave-running", NULL, "let it go on afterwards"},
	{'j', "shell-job", NULL, "accept a terminal from outside"},
	{'x', "ext-unix-sk", NULL, "accept unix sockets connected to outside"},
	{0, "tcp-established", NULL, "open TCP connections are part of it"},
	{0, "timeout", "SECONDS", "how long a process may take to stop"},
	{0, "pre-dump-mode", "MODE", "accepted"},
	{0, "pidfile", "FILE", "accepted: nothing is left running to name"},
	CRIU_COMMON_OPTIONS,
	CRIU_ACCEPTED_OPTIONS,
	{0},
};

static int set(struct dump_opts *d, int *pid, const struct verb_option *o, const char *value,
	struct err *err)
{
	int n;

	switch (o->letter) {
	case 't':
		if (parse_int(value, pid) < 0 || *pid <= 0)
			return err_setx(err, -EINVAL, "'%s' is no process id", value);
		break;
	case 'R':
		d->leave_running = true;
		break;
	case 'j':
		d->shell_job = true;
		break;
	case 'x':
		d->ext_unix = true;
		break;
	case 'l':
		d->file_locks = true;
		break;
	default:
		if (strcmp(o->name, "tcp-established") == 0) {
			d->tcp_established = true;
			break;
		}
		if (parse_int(value, &n) < 0 || n < 1 || n > 86400)
			return err_setx(err, -EINVAL, "'%s' is no number of seconds", value);
		d->timeout_ms = n * 1000;
	}
	return 0;
}

static int dump(const struct criu_common *c, const struct dump_opts *d, int pid, struct err *err)
{
	autoclose int dirfd = -EBADF;
	struct dump_result res;

	if (!pid)
		return err_setx(err, -EINVAL, "--tree PID is needed");
	dirfd = criu_open_images(c, err);
	return dirfd < 0 ? dirfd : dump_tree(pid, dirfd, d, &res, err);
}

static int run(int argc, char **argv, struct err *err)
{
	struct criu_common c = {0};
	struct dump_opts d = {.overwrite = true}; /* as CRIU does */
	const struct verb_option *o;
	struct verb_args a;
	int pid = 0, r = 0;

	verb_args_init(&a, &criu_dump, argc, argv);
	while (r == 0 && (o = verb_args_next(&a, err))) {
		r = criu_common_option(&c, o, a.value);
		if (r > 0)
			r = set(&d, &pid, o, a.value, err);
	}
	if (r == 0 && err->code)
		r = err->code;
	if (r == 0 && a.next < argc)
		r = err_setx(err, -EINVAL, "unexpected argument '%s'", argv[a.next]);
	if (r == 0)
		r = dump(&c, &d, pid, err);
	return criu_finish(&c, "Dumping", r, err);
}

const struct verb criu_dump = {
	.name = "dump",
	.summary = "write a tree of processes into a directory, and end it",
	.options = options,
	.run = run,
};
