// SPDX-License-Identifier: Apache-2.0
/* `state`, `list`, `ps`, `features`, `spec`: what can be asked. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/io.h"
#include "base/util.h"
#include "cgroup/cgroup.h"
#include "oci/oci-internal.h"

extern const struct verb oci_state, oci_list, oci_ps, oci_spec;

const char *oci_status(enum container_status status)
{
	return status == CONTAINER_FROZEN ? "paused" : container_status_name(status);
}

static void add_time(json_t *j, time_t when)
{
	char text[40];
	struct tm tm;

	(void)gmtime_r(&when, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	(void)json_object_set_new(j, "created", json_string(text)); /* missing without memory */
}

static void add_owner(json_t *j, const struct container *c)
{
	struct passwd *pw;
	struct stat st;

	if (fstat(c->dir_fd, &st) < 0)
		return;
	pw = getpwuid(st.st_uid);
	(void)json_object_set_new(j, "owner", json_string(pw ? pw->pw_name : "")); /* the same */
}

static void add_rootfs(json_t *j, const struct container_params *p)
{
	const char *root = p->spec->root_path;
	autofree char *path = NULL;

	if (!root || (root[0] != '/' && asprintf(&path, "%s/%s", p->bundle, root) < 0))
		return;
	(void)json_object_set_new(j, "rootfs", json_string(path ? path : root)); /* the same */
}

int oci_state_json(const struct container *c, json_t **ret, struct err *err)
{
	json_t *j;
	int r;

	if (!c->params) /* half-made: nobody knows more */
		j = json_pack("{s:s, s:s, s:s, s:i, s:s}", "ociVersion", SPEC_OCI_VERSION, "id",
			c->name, "status", oci_status(c->status), "pid", 0, "bundle", "");
	else {
		r = container_oci_state(c, oci_status(c->status), &j, err);
		if (r < 0)
			return r;
		add_rootfs(j, c->params);
		add_time(j, c->created);
		add_owner(j, c);
	}
	*ret = j;
	return j ? 0 : err_oom(err);
}

static int state_run(int argc, char **argv, struct err *err)
{
	const char *id = oci_only_id(&oci_state, argc, argv, err);
	struct container *c;
	json_t *j = NULL;
	int r;

	if (!id)
		return err->code;
	r = container_open(id, &c, err);
	if (r < 0)
		return r;
	r = oci_state_json(c, &j, err);
	container_free(c);
	return r < 0 ? r : oci_print_json(j, err);
}

static const char *text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static void print_table(const json_t *all)
{
	const json_t *j;
	size_t i;

	printf("%-36s %-8s %-10s %-40s %-21s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED",
		"OWNER");
	json_array_foreach((json_t *)all, i, j)
	{
		printf("%-36s %-8d %-10s %-40s %-21s %s\n", text_of(j, "id"),
			(int)json_integer_value(json_object_get(j, "pid")), text_of(j, "status"),
			text_of(j, "bundle"), text_of(j, "created"), text_of(j, "owner"));
	}
}

static int collect(json_t *all, struct err *err)
{
	autostrv char **names = NULL;
	size_t i;
	int r = container_list(&names, err);

	for (i = 0; r == 0 && names[i]; i++) {
		struct container *c;
		json_t *j;

		r = container_open(names[i], &c, err);
		if (r == -ENOENT) {
			r = err->code = 0; /* gone meanwhile */
			continue;
		}
		if (r < 0)
			break;
		r = oci_state_json(c, &j, err);
		if (r == 0)
			(void)json_array_append_new(all, j); /* missing without memory */
		container_free(c);
	}
	return r;
}

static int list_run(int argc, char **argv, struct err *err)
{
	const char *format = "table";
	const struct verb_option *o;
	struct oci_args a;
	bool quiet = false;
	json_t *all, *j;
	size_t i;
	int r;

	oci_args_init(&a, &oci_list, argc, argv);
	while ((o = oci_args_next(&a, err)))
		if (o->letter == 'q')
			quiet = true;
		else
			format = a.args.value;
	if (err->code)
		return err->code;
	all = json_array();
	r = collect(all, err);
	if (r == 0 && !quiet && strcmp(format, "json") == 0)
		return oci_print_json(all, err);
	if (r == 0 && !quiet)
		print_table(all);
	json_array_foreach(all, i, j) if (r == 0 && quiet) printf("%s\n", text_of(j, "id"));
	json_decref(all);
	return r;
}

/* The lines of `ps` whose PID is one of the container's. */
static int ps_table(const pid_t *pids, size_t n, char **args, struct err *err)
{
	autobuf struct buf cmd = {0};
	char *line = NULL;
	size_t cap = 0, i, k, column = 0;
	FILE *f;

	(void)buf_adds(&cmd, "exec ps");
	for (i = 0; args[i]; i++)
		(void)buf_addf(&cmd, " '%s'", args[i]); /* refused below if it holds a quote */
	if (!args[0])
		(void)buf_adds(&cmd, " -ef");
	for (i = 0; args[i]; i++)
		if (strchr(args[i], '\''))
			return err_setx(err, -EINVAL, "'%s' is no option of ps", args[i]);
	f = cmd.failed ? NULL : popen(cmd.data, "r");
	if (!f)
		return err_set(err, -errno, "cannot run ps");
	for (i = 0; getline(&line, &cap, f) > 0; i++) {
		char *copy = strdup(line), *p = copy, *word;

		for (k = 0; (word = strsep(&p, " \t\n"));) {
			if (!*word)
				continue;
			if (i == 0 && strcmp(word, "PID") == 0)
				column = k;
			if (i > 0 && k == column)
				break;
			k++;
		}
		for (k = 0; i > 0 && word && k < n; k++)
			if (pids[k] == atoi(word))
				break;
		if (i == 0 || (word && k < n))
			fputs(line, stdout);
		free(copy);
	}
	free(line);
	if (pclose(f) != 0)
		return err_setx(err, -EIO, "ps failed");
	return 0;
}

static int ps_print(struct container *c, bool json, char **args, struct err *err)
{
	struct cgroup_host *host = NULL;
	struct cgroup *cg = NULL;
	autofree pid_t *pids = NULL;
	json_t *list;
	size_t n = 0, i;
	int r = cgroup_host_open(&host, err);

	if (r == 0)
		r = cgroup_open(host, c->cgroup, &cg, err);
	if (r == 0)
		r = cgroup_pids(cg, &pids, &n, err);
	cgroup_free(cg);
	cgroup_host_free(host);
	if (r < 0 || !json)
		return r < 0 ? r : ps_table(pids, n, args, err);
	list = json_array();
	for (i = 0; i < n; i++)
		(void)json_array_append_new(list, json_integer(pids[i])); /* as above */
	return oci_print_json(list, err);
}

static int ps_run(int argc, char **argv, struct err *err)
{
	const struct verb_option *o;
	struct oci_args a;
	struct container *c;
	bool json = false;
	const char *id;
	int r;

	oci_args_init(&a, &oci_ps, argc, argv);
	a.command = true;
	while ((o = oci_args_next(&a, err))) {
		json = strcmp(a.args.value, "json") == 0;
		if (!json && strcmp(a.args.value, "table") != 0)
			return err_setx(err, -EINVAL, "the format '%s' is neither table nor json",
				a.args.value);
	}
	id = err->code ? NULL : oci_args_id(&a, err);
	if (!id)
		return err->code;
	r = container_open(id, &c, err);
	if (r < 0)
		return r;
	r = ps_print(c, json, argv + a.args.next, err);
	container_free(c);
	return r;
}

/* The one id that needs no right to map: the caller's, as root. */
static int map_caller(struct spec_linux *l, struct err *err)
{
	l->ns[SPEC_NS_USER].enabled = true;
	l->ns[SPEC_NS_NET].enabled = false;
	l->uid_maps = calloc(1, sizeof(*l->uid_maps));
	l->gid_maps = calloc(1, sizeof(*l->gid_maps));
	if (!l->uid_maps || !l->gid_maps)
		return err_oom(err);
	l->n_uid_maps = l->n_gid_maps = 1;
	l->uid_maps[0] = (struct spec_idmap){.host_id = geteuid(), .size = 1};
	l->gid_maps[0] = (struct spec_idmap){.host_id = getegid(), .size = 1};
	return 0;
}

static int spec_run(int argc, char **argv, struct err *err)
{
	const struct verb_option *o;
	autofree char *text = NULL, *path = NULL;
	struct spec *spec = spec_new();
	const char *bundle = ".";
	struct oci_args a;
	bool rootless = false;
	int r;

	oci_args_init(&a, &oci_spec, argc, argv);
	while ((o = oci_args_next(&a, err)))
		if (o->letter == 'b')
			bundle = a.args.value;
		else
			rootless = true;
	r = err->code ? err->code : spec ? spec_defaults(spec, err) : err_oom(err);
	if (r == 0 && rootless)
		r = map_caller(&spec->linux_, err);
	if (r == 0 && (!(spec->root_path = strdup("rootfs")) ||
			      strv_push(&spec->process.args, "sh") < 0 ||
			      !(spec->hostname = strdup("kist"))))
		r = err_oom(err);
	if (r == 0)
		r = spec_print(spec, &text, err);
	spec_free(spec);
	if (r == 0 && asprintf(&path, "%s/config.json", bundle) < 0) {
		path = NULL;
		r = err_oom(err);
	}
	if (r == 0 && faccessat(AT_FDCWD, path, F_OK, 0) == 0)
		r = err_setx(err, -EEXIST, "'%s' exists already", path);
	if (r == 0 && (r = file_swap_at(AT_FDCWD, path, text, strlen(text), 0644)) < 0)
		(void)err_set(err, r, "cannot write '%s'", path);
	return r;
}

static const struct verb_option list_options[] = {
	{'q', "quiet", NULL, "only the ids"},
	{'f', "format", "table|json", "the form of the answer"},
	{0},
};

static const struct verb_option ps_options[] = {
	{'f', "format", "table|json", "the form of the answer"},
	{0},
};

static const struct verb_option spec_options[] = {
	{'b', "bundle", "DIR", "where config.json is written"},
	{0, "rootless", NULL, "with a user namespace that maps the caller to root"},
	{0},
};

const struct verb oci_state = {
	.name = "state",
	.args = "ID",
	.summary = "print the state of a container",
	.run = state_run,
};

const struct verb oci_list = {
	.name = "list",
	.summary = "list the containers of this root",
	.options = list_options,
	.run = list_run,
};

const struct verb oci_ps = {
	.name = "ps",
	.args = "ID [PS OPTIONS]",
	.summary = "list the processes of a container",
	.options = ps_options,
	.run = ps_run,
};

const struct verb oci_spec = {
	.name = "spec",
	.summary = "write a config.json to start from",
	.options = spec_options,
	.run = spec_run,
};
