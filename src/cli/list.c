// SPDX-License-Identifier: Apache-2.0
/* `kist list`: all containers, with what is true of them now. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/util.h"
#include "base/verb.h"
#include "container/container.h"

extern const struct verb verb_list;

#define COMMAND_MAX 40

static const struct verb_option options[] = {
	{'q', "quiet", NULL, "names only"},
	{0, "json", NULL, "as a JSON array"},
	{0},
};

enum form { FORM_TABLE, FORM_NAMES, FORM_JSON };

static const char *const *no_args(void)
{
	static const char *const none[] = {NULL};

	return none;
}

static char *const *command(const struct container *c)
{
	if (!c->params || !c->params->spec->process.args)
		return (char *const *)no_args();
	return c->params->spec->process.args;
}

static void row_table(const struct container *c)
{
	autobuf struct buf b = {0};
	char status[32], created[32] = "-";
	char *const *a;
	struct tm tm;
	time_t t = c->created;

	for (a = command(c); *a; a++)
		(void)buf_addf(&b, "%s%s", b.len ? " " : "", *a); /* a cut command is shown */
	snprintf(status, sizeof(status), "%s", container_status_name(c->status));
	if (c->status == CONTAINER_STOPPED && c->exit_status >= 0)
		snprintf(status, sizeof(status), "stopped (%d)", c->exit_status);
	if (t && localtime_r(&t, &tm))
		(void)strftime(created, sizeof(created), "%F %T", &tm); /* "-" stays */
	printf("%-24s %-14s %8d  %-19s  %s%.*s%s\n", c->name, status, c->pidfd >= 0 ? c->pid : 0,
		created, "", COMMAND_MAX, buf_str(&b), b.len > COMMAND_MAX ? "…" : "");
}

static json_t *row_json(const struct container *c)
{
	json_t *args = json_array(), *j;
	char *const *a;

	for (a = command(c); args && *a; a++)
		(void)json_array_append_new(args, json_string(*a)); /* json_pack refuses NULL */
	j = json_pack("{s:s, s:s, s:i, s:I, s:I, s:s, s:o}", "name", c->name, "status",
		container_status_name(c->status), "pid", c->pidfd >= 0 ? c->pid : 0, "created",
		(json_int_t)c->created, "started", (json_int_t)c->started, "cgroup", c->cgroup,
		"command", args);
	if (!j)
		return NULL;
	if (c->status == CONTAINER_STOPPED && c->exit_status >= 0)
		(void)json_object_set_new(j, "exitStatus", json_integer(c->exit_status));
	if (c->net_attached)
		(void)json_object_set_new(j, "address", json_string(c->net.address));
	return j;
}

static int print_one(const char *name, enum form form, json_t *all, struct err *err)
{
	struct container *c;
	struct err e = {0};
	int r;

	if (form == FORM_NAMES) {
		printf("%s\n", name);
		return 0;
	}
	r = container_open(name, &c, &e);
	if (r == -ENOENT) /* removed meanwhile */
		return 0;
	if (r < 0) {
		fprintf(stderr, "kist list: %s\n", e.text);
		return 0;
	}
	if (form == FORM_TABLE)
		row_table(c);
	else if (json_array_append_new(all, row_json(c)) < 0)
		r = err_oom(err);
	container_free(c);
	return r;
}

static int print_all(enum form form, struct err *err)
{
	autostrv char **names = NULL;
	json_t *all = NULL;
	int r = container_list(&names, err);
	size_t i;

	if (r < 0)
		return r;
	if (form == FORM_TABLE)
		printf("%-24s %-14s %8s  %-19s  %s\n", "NAME", "STATUS", "PID", "CREATED",
			"COMMAND");
	if (form == FORM_JSON && !(all = json_array()))
		return err_oom(err);
	for (i = 0; r == 0 && names[i]; i++)
		r = print_one(names[i], form, all, err);
	if (r == 0 && all) {
		r = json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(all);
	return r;
}

static int list_run(int argc, char **argv, struct err *err)
{
	enum form form = FORM_TABLE;
	const struct verb_option *o;
	struct verb_args args;

	verb_args_init(&args, &verb_list, argc, argv);
	while ((o = verb_args_next(&args, err)))
		form = o->letter == 'q' ? FORM_NAMES : FORM_JSON;
	if (err->code)
		return err->code;
	if (args.next < argc)
		return err_setx(
			err, -EINVAL, "'%s' is too much: it takes no names", argv[args.next]);
	return print_all(form, err);
}

const struct verb verb_list = {
	.name = "list",
	.summary = "list the containers",
	.options = options,
	.run = list_run,
};
