// SPDX-License-Identifier: Apache-2.0
/* `kist keys`: the key table, and what of it this host has. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "base/verb.h"
#include "cgroup/cgroup.h"
#include "cgroup/keys.h"

extern const struct verb verb_keys;

static const char *const unit_names[CGROUP_UNITS] = {
	[CGROUP_BYTES] = "bytes",
	[CGROUP_COUNT] = "number",
	[CGROUP_FLAG] = "0|1",
	[CGROUP_USEC] = "time",
	[CGROUP_BANDWIDTH] = "quota period",
	[CGROUP_LIST] = "list",
	[CGROUP_IO_MAX] = "device rates",
	[CGROUP_IO_WEIGHT] = "weights",
	[CGROUP_LINES] = "lines",
	[CGROUP_TEXT] = "text",
	[CGROUP_RULES] = "rules",
};

static const char *access_name(const struct cgroup_key *k)
{
	return !(k->flags & CGROUP_KEY_WRITE) ? "r" : !(k->flags & CGROUP_KEY_READ) ? "w" : "rw";
}

static void print_row(const struct cgroup_host *host, const struct cgroup_key *k)
{
	const char *file = NULL;
	bool v2 = false, here = cgroup_key_here(host, k, &file, &v2);

	printf("%-24s %-2s %-12s %s\n", k->name, access_name(k), unit_names[k->unit], k->help);
	if (!here)
		printf("%-27s not here%s%s\n", "", k->instead ? ": " : "",
			k->instead ? k->instead : "");
	else if (!v2 && strcmp(file, k->name) != 0)
		printf("%-27s here by v1's %s\n", "", file);
}

static int print_json(const struct cgroup_host *host, struct err *err)
{
	json_t *list = json_array(), *j;
	const struct cgroup_key *k;
	const char *file;
	int r = 0;
	bool v2;

	for (k = cgroup_keys; list && k->name && r == 0; k++) {
		file = NULL;
		v2 = false;
		j = json_pack("{s:s, s:s, s:s, s:b, s:s?, s:s?, s:s}", "key", k->name, "access",
			access_name(k), "value", unit_names[k->unit], "here",
			(int)cgroup_key_here(host, k, &file, &v2), "file", file, "instead",
			k->instead, "help", k->help);
		r = j && json_array_append_new(list, j) == 0 ? 0 : -ENOMEM;
	}
	if (!list || r < 0) {
		json_decref(list);
		return err_oom(err);
	}
	r = json_dumpf(list, stdout, JSON_INDENT(2));
	json_decref(list);
	putchar('\n');
	return r < 0 || fflush(stdout) != 0 ? err_setx(err, -EIO, "cannot print the keys") : 0;
}

static int keys_run(int argc, char **argv, struct err *err)
{
	static const char *const modes[] = {
		[CGROUP_V2] = "v2", [CGROUP_HYBRID] = "hybrid", [CGROUP_V1] = "v1"};
	const struct cgroup_key *k;
	struct cgroup_host *host;
	struct verb_args args;
	bool json = false;
	int r;

	verb_args_init(&args, &verb_keys, argc, argv);
	while (verb_args_next(&args, err))
		json = true;
	if (err->code)
		return err->code;
	if (args.next < argc)
		return err_setx(err, -EINVAL, "takes no operand '%s'", argv[args.next]);
	r = cgroup_host_open(&host, err);
	if (r < 0)
		return r;
	if (json) {
		r = print_json(host, err);
	} else {
		printf("cgroups of this host: %s\n\n", modes[cgroup_host_mode(host)]);
		for (k = cgroup_keys; k->name; k++)
			print_row(host, k);
	}
	cgroup_host_free(host);
	return r;
}

static const struct verb_option options[] = {
	{0, "json", NULL, "as JSON"},
	{0},
};

const struct verb verb_keys = {
	.name = "keys",
	.summary = "list the keys of set, get and run -s, and what this host has of them",
	.options = options,
	.run = keys_run,
};
