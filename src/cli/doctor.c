// SPDX-License-Identifier: Apache-2.0
/* `kist doctor`: what this host can and can't do; each "no" with its cost and what to do. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/util.h"
#include "base/verb.h"
#include "cgroup/cgroup.h"
#include "sys/probe.h"

extern const struct verb verb_doctor;

static const struct {
	const char *program, *cost, *package;
} helpers[] = {
	{"newuidmap", "ordinary users can't map more than their own id", "uidmap"},
	{"nft", "the rules that kist makes can't be looked at by hand (kist needs no nft itself)",
		"nftables"},
};

static const struct {
	enum cgroup_mode mode;
	const char *name, *cost, *advice;
} modes[] = {
	{CGROUP_V2, "v2", NULL, NULL},
	{CGROUP_HYBRID, "hybrid",
		"limits are those of the v1 controllers; 'kist keys' tells which are missing",
		"boot with systemd.unified_cgroup_hierarchy=1"},
	{CGROUP_V1, "v1", "as hybrid, and without cgroup.kill, events and pressure information",
		"boot with systemd.unified_cgroup_hierarchy=1"},
};

static bool in_path(const char *program)
{
	static const char *const dirs[] = {
		"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};
	char path[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], program);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static json_t *row(const char *name, bool has, const char *cost, const char *advice)
{
	json_t *j = json_pack("{s:s, s:b}", "name", name, "has", has);

	if (j && !has &&
		(json_object_set_new(j, "cost", json_string(cost)) < 0 ||
			json_object_set_new(j, "advice", json_string(advice)) < 0)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

/* A refusal is not a missing feature. */
static const char *what_to_do(enum probe_id id, int r)
{
	if ((r == -EPERM || r == -EACCES) && id != PROBE_SYS_RESOURCE)
		return "ask again as root, with all capabilities and outside of any container";
	return probe_get(id)->advice;
}

static json_t *features(void)
{
	json_t *list = json_array(), *j;
	const struct probe *p;
	int i, r;

	for (i = 0; list && i < PROBE_COUNT; i++) {
		p = probe_get(i);
		r = probe_result(i);
		j = row(p->name, r == 0, p->cost, what_to_do(i, r));
		if (!j || json_object_set_new(j, "group", json_string(p->group)) < 0 ||
			json_object_set_new(j, "required", json_boolean(p->required)) < 0 ||
			(p->since && r != -EPERM &&
				json_object_set_new(j, "since", json_string(p->since)) < 0) ||
			(r < 0 && json_object_set_new(j, "error", json_string(strerror(-r))) < 0) ||
			json_array_append(list, j) < 0) {
			json_decref(list);
			list = NULL;
		}
		json_decref(j);
	}
	return list;
}

static json_t *helper_list(void)
{
	json_t *list = json_array();
	char advice[64];
	size_t i;

	for (i = 0; list && i < ARRAY_SIZE(helpers); i++) {
		snprintf(advice, sizeof(advice), "install the package %s", helpers[i].package);
		if (json_array_append_new(list, row(helpers[i].program, in_path(helpers[i].program),
							helpers[i].cost, advice)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* The mode and the hierarchies; an error as a sentence where there is nothing to use. */
static json_t *cgroups(void)
{
	struct cgroup_host *host = NULL;
	const char *controllers = NULL;
	struct err err = {0};
	json_t *j, *list;
	size_t i, m;

	if (cgroup_host_open(&host, &err) < 0)
		return json_pack("{s:s, s:s}", "error", err.text, "advice",
			err.hint[0] ? err.hint : "mount a cgroup2 file system on /sys/fs/cgroup");
	for (m = 0; modes[m].mode != cgroup_host_mode(host); m++)
		;
	list = json_array();
	for (i = 0; list && cgroup_host_hierarchy(host, i, &controllers) >= 0; i++)
		if (json_array_append_new(
			    list, json_string(controllers[0] ? controllers : "cgroup2")) < 0)
			break;
	cgroup_host_free(host);
	j = json_pack("{s:s, s:o}", "mode", modes[m].name, "hierarchies", list);
	if (j && modes[m].cost &&
		(json_object_set_new(j, "cost", json_string(modes[m].cost)) < 0 ||
			json_object_set_new(j, "advice", json_string(modes[m].advice)) < 0)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static const char *str(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static void print_row(const json_t *j)
{
	bool has = json_is_true(json_object_get(j, "has"));

	printf("  %-3s %s", has ? "yes" : "no", str(j, "name"));
	if (!has && str(j, "since")[0])
		printf(" (Linux %s)", str(j, "since"));
	if (!has && str(j, "error")[0])
		printf(": %s", str(j, "error"));
	putchar('\n');
	if (!has)
		printf("        cost: %s\n        do:   %s\n", str(j, "cost"), str(j, "advice"));
}

static void print_cgroups(const json_t *j)
{
	const json_t *one;
	size_t i;

	printf("\ncgroups\n");
	if (json_object_get(j, "error")) {
		printf("  no  %s\n        cost: no limits, no freezing: no containers\n"
		       "        do:   %s\n",
			str(j, "error"), str(j, "advice"));
		return;
	}
	printf("  mode %s:", str(j, "mode"));
	json_array_foreach(json_object_get(j, "hierarchies"), i, one)
		printf(" %s", json_string_value(one));
	putchar('\n');
	if (json_object_get(j, "cost"))
		printf("        cost: %s\n        do:   %s\n", str(j, "cost"), str(j, "advice"));
}

static void print_all(const json_t *all)
{
	const char *group = "";
	const json_t *j;
	size_t i;

	printf("kernel %s\n", str(all, "kernel"));
	json_array_foreach(json_object_get(all, "features"), i, j)
	{
		if (strcmp(group, str(j, "group")) != 0) {
			group = str(j, "group");
			printf("\n%s\n", group);
		}
		print_row(j);
	}
	print_cgroups(json_object_get(all, "cgroups"));
	printf("\nhelpers\n");
	json_array_foreach(json_object_get(all, "helpers"), i, j) print_row(j);
}

/* 0, or 1 when something is missing without which kist does not do its main job. */
static int verdict(const json_t *all)
{
	const json_t *j;
	size_t i;

	json_array_foreach(json_object_get(all, "features"), i,
		j) if (json_is_true(json_object_get(j, "required")) &&
		       !json_is_true(json_object_get(j, "has"))) return 1;
	return json_object_get(json_object_get(all, "cgroups"), "error") ? 1 : 0;
}

static int doctor_run(int argc, char **argv, struct err *err)
{
	struct utsname uts;
	struct verb_args va;
	bool as_json = false;
	json_t *all;
	int r;

	verb_args_init(&va, &verb_doctor, argc, argv);
	while (verb_args_next(&va, err))
		as_json = true; /* the only option */
	if (err->code)
		return err->code;
	if (va.next < argc)
		return err_setx(err, -EINVAL, "unexpected argument '%s'", argv[va.next]);
	if (uname(&uts) < 0)
		return err_set(err, -errno, "cannot tell the kernel's version");
	all = json_pack("{s:s, s:o, s:o, s:o}", "kernel", uts.release, "features", features(),
		"cgroups", cgroups(), "helpers", helper_list());
	if (!all)
		return err_oom(err);
	if (!as_json)
		print_all(all);
	else if (json_dumpf(all, stdout, JSON_INDENT(2)) == 0)
		putchar('\n');
	r = fflush(stdout) != 0 ? err_set(err, -errno, "cannot print") : verdict(all);
	json_decref(all);
	return r;
}

const struct verb verb_doctor = {
	.name = "doctor",
	.summary = "tell what this host can and can't do for kist",
	.text = "Every feature is tried, not looked up. Exit status 1: something is missing "
		"without\n"
		"which containers or checkpoints don't work at all.",
	.options =
		(const struct verb_option[]){
			{0, "json", NULL, "as JSON"},
			{0},
		},
	.run = doctor_run,
};
