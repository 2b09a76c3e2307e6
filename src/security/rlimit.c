// SPDX-License-Identifier: Apache-2.0
/* Resource limits of the calling process by name, setrlimit(2). */
#include <inttypes.h>
#include <sys/resource.h>

#include "base/util.h"
#include "security/security.h"

static const struct {
	const char *name;
	int number;
} limits[] = {
	{"RLIMIT_AS", RLIMIT_AS},
	{"RLIMIT_CORE", RLIMIT_CORE},
	{"RLIMIT_CPU", RLIMIT_CPU},
	{"RLIMIT_DATA", RLIMIT_DATA},
	{"RLIMIT_FSIZE", RLIMIT_FSIZE},
	{"RLIMIT_LOCKS", RLIMIT_LOCKS},
	{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
	{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
	{"RLIMIT_NICE", RLIMIT_NICE},
	{"RLIMIT_NOFILE", RLIMIT_NOFILE},
	{"RLIMIT_NPROC", RLIMIT_NPROC},
	{"RLIMIT_RSS", RLIMIT_RSS},
	{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
	{"RLIMIT_RTTIME", RLIMIT_RTTIME},
	{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	{"RLIMIT_STACK", RLIMIT_STACK},
};

int rlimit_from_name(const char *name, int *ret)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		if (!strcmp(limits[i].name, name)) {
			*ret = limits[i].number;
			return 0;
		}
	return -EINVAL;
}

static int apply_one(const struct spec_rlimit *l, struct err *err)
{
	const struct rlimit want = {.rlim_cur = l->soft, .rlim_max = l->hard};
	struct rlimit old = {0};
	int number, r;

	if (!l->type || rlimit_from_name(l->type, &number) < 0)
		return err_setx(err, -EINVAL, "'%s' is no resource limit of setrlimit(2)",
			l->type ? l->type : "");
	if (setrlimit(number, &want) == 0)
		return 0;
	r = -errno;
	(void)getrlimit(number, &old); /* only for the hint; a known number can't fail */
	err_set(err, r, "cannot set %s to %" PRIu64 ":%" PRIu64, l->type, l->soft, l->hard);
	if (r == -EPERM && l->hard > old.rlim_max)
		err_hint(err,
			"raising a hard limit needs CAP_SYS_RESOURCE (and, for RLIMIT_NOFILE, "
			"fs.nr_open); here it may be at most %" PRIu64,
			(uint64_t)old.rlim_max);
	return r;
}

int rlimit_apply(const struct spec_rlimit *list, size_t n, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < n && r == 0; i++)
		r = apply_one(&list[i], err);
	return r;
}
