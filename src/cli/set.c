// SPDX-License-Identifier: Apache-2.0
/* `kist set`: control files by one name on every kind of host, all or nothing. */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "base/verb.h"
#include "cli/cgroup-target.h"

extern const struct verb verb_set;

static void settings_free(struct cgroup_setting *s, size_t n)
{
	while (n)
		free((char *)s[--n].key); /* ours: parse_settings made it */
	free(s);
}

/* KEY=VALUE; the value points into the argument, the key is a copy. */
static int parse_settings(int n, char **argv, struct cgroup_setting *s, struct err *err)
{
	char *eq;
	int i;

	for (i = 0; i < n; i++) {
		eq = strchr(argv[i], '=');
		if (!eq || eq == argv[i]) {
			err_setx(err, -EINVAL, "'%s' is not KEY=VALUE", argv[i]);
			return err_hint(err, "such as memory.max=512M; 'kist keys' lists the keys");
		}
		s[i].key = strndup(argv[i], eq - argv[i]);
		if (!s[i].key)
			return err_oom(err);
		s[i].value = eq + 1;
	}
	return 0;
}

static int set_run(int argc, char **argv, struct err *err)
{
	struct cgroup_target t = {0};
	struct cgroup_setting *s;
	struct verb_args args;
	int r, n;

	verb_args_init(&args, &verb_set, argc, argv);
	if (!verb_args_next(&args, err) && err->code)
		return err->code;
	n = argc - args.next - 1;
	if (n < 1)
		return err_setx(err, -EINVAL, "needs a target and at least one KEY=VALUE");
	s = calloc(n, sizeof(*s));
	if (!s)
		return err_oom(err);
	r = parse_settings(n, argv + args.next + 1, s, err);
	if (r == 0)
		r = cgroup_target_open(argv[args.next], &t, err);
	if (r == 0)
		r = cgroup_set(t.cg, s, n, err);
	cgroup_target_done(&t);
	settings_free(s, n);
	return r;
}

const struct verb verb_set = {
	.name = "set",
	.args = "TARGET KEY=VALUE…",
	.summary = "set limits of a container, all or none of them",
	.text = CGROUP_TARGET_HELP
	"\nValues take units: memory.max=512M memory.max=25% "
	"cpu.max=50% cpu.max=1.5cpu cpu.max.burst=10ms\n"
	"io.max='/dev/sda rbps=10M wiops=200'. 'kist keys' lists the keys.",
	.run = set_run,
};
