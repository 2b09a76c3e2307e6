// SPDX-License-Identifier: Apache-2.0
/* `check`: can this host do it, as a whole or one feature. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "criu/criu-internal.h"
#include "sys/probe.h"

extern const struct verb criu_check;

/* CRIU's names; what is carried without asking the kernel has no probe. */
static const struct {
	const char *name;
	int probe; /* -1: always */
} features[] = {
	{"userns", PROBE_USER_NS},
	{"mnt_id", -1},
	{"fdinfo_lock", -1},
	{"timerfd", -1},
	{"seccomp_filters", PROBE_SECCOMP_READ},
	{"tcp_half_closed", PROBE_TCP_REPAIR},
	{"clone3_set_tid", PROBE_SET_TID},
	{"pidfd_getfd", PROBE_PIDFD_GETFD},
	{"get_rseq_conf", PROBE_PTRACE_RSEQ},
	{"network_lock_nftables", PROBE_NFT},
	{"timens", PROBE_TIME_NS},
	{"nftables", PROBE_NFT},
};

static const struct verb_option options[] = {
	{0, "feature", "NAME", "only this one"},
	{0, "all", NULL, "accepted"},
	{0, "extra", NULL, "accepted"},
	{0, "ms", NULL, "accepted"},
	CRIU_COMMON_OPTIONS,
	{0},
};

static int check_feature(const char *name, struct err *err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(features); i++)
		if (strcmp(features[i].name, name) == 0 &&
			(features[i].probe < 0 || probe_has(features[i].probe)))
			return 0;
	return err_setx(err, -EOPNOTSUPP, "the feature '%s' is not supported", name);
}

static int run(int argc, char **argv, struct err *err)
{
	const struct verb_option *o;
	const char *feature = NULL;
	const struct probe *p;
	struct verb_args a;
	int i;

	verb_args_init(&a, &criu_check, argc, argv);
	while ((o = verb_args_next(&a, err)))
		if (strcmp(o->name, "feature") == 0)
			feature = a.value;
	if (err->code)
		return err->code;
	if (feature)
		return check_feature(feature, err);
	for (i = 0; i < PROBE_COUNT; i++) {
		p = probe_get(i);
		if (p->required && !probe_has(i))
			return err_setx(
				err, -EOPNOTSUPP, "this host has no %s: %s", p->name, p->cost);
	}
	printf("Looks good.\n");
	return 0;
}

const struct verb criu_check = {
	.name = "check",
	.summary = "tell whether this host can checkpoint and restore",
	.options = options,
	.run = run,
};
