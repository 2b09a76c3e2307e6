/* SPDX-License-Identifier: Apache-2.0 */
/* What `set`, `get` and `stat` are pointed at: a container, a cgroup's path, or pid:N. */
#pragma once

#include "cgroup/cgroup.h"

#define CGROUP_TARGET_HELP                                              \
	"TARGET is a container's name, the path of a cgroup (/kist/x, " \
	"below where the hierarchies are mounted), or pid:N."

struct cgroup_target {
	struct cgroup_host *host;
	struct cgroup *cg;
};

int cgroup_target_open(const char *name, struct cgroup_target *ret, struct err *err);
void cgroup_target_done(struct cgroup_target *t);
