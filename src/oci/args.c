// SPDX-License-Identifier: Apache-2.0
/* Command lines, files and small things that several verbs have in common. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/util.h"
#include "oci/oci-internal.h"

#define FILE_MAX (16u << 20)

void oci_args_init(struct oci_args *a, const struct verb *v, int argc, char **argv)
{
	*a = (struct oci_args){0};
	verb_args_init(&a->args, v, argc, argv);
}

/* "-no-subreaper" for "--no-subreaper", as Go's flags allow it. */
static bool is_long(const struct verb *v, const char *arg)
{
	size_t len = strcspn(arg + 1, "=");
	const struct verb_option *o;

	for (o = v->options; o && o->name; o++)
		if (strlen(o->name) == len && len > 1 && strncmp(o->name, arg + 1, len) == 0)
			return true;
	return false;
}

const struct verb_option *oci_args_next(struct oci_args *a, struct err *err)
{
	struct verb_args *v = &a->args;
	const struct verb_option *o;
	char *arg, *twice;

	for (;;) {
		arg = v->next < v->argc && !v->cluster ? v->argv[v->next] : NULL;
		if (!a->ended && arg && arg[0] == '-' && arg[1] != '-' && is_long(v->verb, arg)) {
			if (asprintf(&twice, "-%s", arg) < 0) {
				(void)err_oom(err);
				return NULL;
			}
			v->argv[v->next] = twice; /* lives as long as argv */
		}
		if (arg && strcmp(arg, "--") == 0 && !a->ended) {
			a->ended = true;
			v->next++;
			continue;
		}
		o = a->ended ? NULL : verb_args_next(v, err);
		if (o || err->code || v->next >= v->argc)
			return o;
		if (a->n_operands == (int)ARRAY_SIZE(a->operand)) {
			err_setx(err, -EINVAL, "unexpected argument '%s'", v->argv[v->next]);
			return NULL;
		}
		a->operand[a->n_operands++] = v->argv[v->next++];
		if (a->command)
			return NULL;
	}
}

const char *oci_args_id(const struct oci_args *a, struct err *err)
{
	if (a->n_operands)
		return a->operand[0];
	(void)err_setx(err, -EINVAL, "the id of a container is needed");
	return NULL;
}

const char *oci_only_id(const struct verb *v, int argc, char **argv, struct err *err)
{
	struct oci_args a;

	oci_args_init(&a, v, argc, argv);
	while (oci_args_next(&a, err))
		;
	return err->code ? NULL : oci_args_id(&a, err);
}

int oci_read_file(const char *path, char **ret, size_t *ret_len, struct err *err)
{
	autobuf struct buf b = {0};
	int r = strcmp(path, "-") == 0 ? io_read_all(0, &b, FILE_MAX)
				       : file_read_at(AT_FDCWD, path, &b, FILE_MAX);

	if (r < 0)
		return err_set(err, r, "cannot read '%s'", path);
	*ret_len = b.len;
	*ret = buf_take(&b);
	return *ret ? 0 : err_oom(err);
}

int oci_write_pid(const char *path, pid_t pid, struct err *err)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", (int)pid);
	int r = file_swap_at(AT_FDCWD, path, text, (size_t)n, 0644);

	return r < 0 ? err_set(err, r, "cannot write the pid file '%s'", path) : 0;
}

int oci_send_console(const char *path, int master, struct err *err)
{
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), dir = -EBADF;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	static const char name[] = "/dev/pts/ptmx";
	int r;

	/* by an fd, for a path may be longer than an address can be */
	dir = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || dir < 0)
		return err_set(err, -errno, "cannot open the console socket '%s'", path);
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d", dir);
	if (ioctl(master, FIONBIO, &(int){0}) < 0)
		return err_set(err, -errno, "cannot set up the terminal");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return err_set(err, -errno, "cannot connect to the console socket '%s'", path);
	r = fd_send(fd, &master, 1, name, sizeof(name) - 1);
	return r < 0 ? err_set(err, r, "cannot send the terminal to '%s'", path) : 0;
}

int oci_print_json(json_t *j, struct err *err)
{
	int r = json_dumpf(j, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);

	json_decref(j);
	putchar('\n');
	return r < 0 || fflush(stdout) != 0 ? err_setx(err, -EIO, "cannot print the answer") : 0;
}

int oci_making_option(
	struct oci_making *m, const struct verb_option *o, const char *value, struct err *err)
{
	int n;

	if (strcmp(o->name, "bundle") == 0)
		m->bundle = value;
	else if (strcmp(o->name, "config") == 0)
		m->config = value;
	else if (strcmp(o->name, "console-socket") == 0)
		m->console_socket = value;
	else if (strcmp(o->name, "pid-file") == 0)
		m->pid_file = value;
	else if (strcmp(o->name, "no-new-keyring") == 0)
		m->no_new_keyring = true;
	else if (strcmp(o->name, "no-pivot") == 0)
		return 0;
	else if (strcmp(o->name, "preserve-fds") != 0)
		return 1;
	else if (parse_int(value, &n) < 0 || n < 0 || n > 1024)
		return err_setx(err, -EINVAL, "'%s' is no number of fds", value);
	else
		m->preserve_fds = n;
	return 0;
}
