// SPDX-License-Identifier: Apache-2.0
/* `kist get`: control files in cgroup v2's form, whatever the host has. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"
#include "base/verb.h"
#include "cgroup/keys.h"
#include "cli/cgroup-target.h"
#include "cli/human.h"

extern const struct verb verb_get;

enum print { PRINT_VALUE, PRINT_NAMED };

static void print_text(enum print how, const char *key, const char *text)
{
	size_t n;

	if (how == PRINT_VALUE) {
		printf("%s\n", text);
		return;
	}
	/* Every line with its key in front, for grep. */
	do {
		n = strcspn(text, "\n");
		printf("%s %.*s\n", key, (int)n, text);
		text += n + (text[n] ? 1 : 0);
	} while (*text);
}

static int print_key(
	struct cgroup *cg, const char *key, enum print how, bool human, struct err *err)
{
	const struct cgroup_key *row;
	autobuf struct buf b = {0};
	char size[16], text[HUMAN_MAX];
	uint64_t n;
	int r = cgroup_get(cg, key, &b, err);

	if (r < 0)
		return r;
	r = cgroup_key_find(key, &row, size, sizeof(size), err);
	if (r < 0)
		return r;
	if (human && row->unit == CGROUP_BYTES && parse_u64(buf_str(&b), 10, &n) == 0)
		print_text(how, key, human_bytes(n, text));
	else if (human && row->unit == CGROUP_USEC && parse_u64(buf_str(&b), 10, &n) == 0)
		print_text(how, key, human_usec(n, text));
	else
		print_text(how, key, buf_str(&b));
	return 0;
}

/* All that can be read; what this host lacks is left out. */
static int print_all(struct cgroup *cg, bool human)
{
	const struct cgroup_key *k;
	struct err err;

	for (k = cgroup_keys; k->name; k++)
		if ((k->flags & CGROUP_KEY_READ) && !strstr(k->name, "SIZE"))
			(void)print_key(cg, k->name, PRINT_NAMED, human, &err); /* left out */
	return 0;
}

static int get_run(int argc, char **argv, struct err *err)
{
	const struct verb_option *o;
	struct cgroup_target t = {0};
	struct verb_args args;
	bool human = false;
	int r = 0, i;

	verb_args_init(&args, &verb_get, argc, argv);
	while ((o = verb_args_next(&args, err)))
		human |= o->letter == 'H';
	if (err->code)
		return err->code;
	if (args.next >= argc)
		return err_setx(err, -EINVAL, "needs a target");
	r = cgroup_target_open(argv[args.next], &t, err);
	if (r < 0)
		return r;
	if (args.next + 1 == argc)
		r = print_all(t.cg, human);
	for (i = args.next + 1; i < argc && r == 0; i++)
		r = print_key(t.cg, argv[i], args.next + 2 == argc ? PRINT_VALUE : PRINT_NAMED,
			human, err);
	cgroup_target_done(&t);
	return r;
}

static const struct verb_option options[] = {
	{'H', "human", NULL, "bytes and times with units"},
	{0},
};

const struct verb verb_get = {
	.name = "get",
	.args = "TARGET [KEY…]",
	.summary = "show limits and counters of a container",
	.text = CGROUP_TARGET_HELP
	"\nWithout keys all are shown. One key is printed bare, several with their names.",
	.options = options,
	.run = get_run,
};
