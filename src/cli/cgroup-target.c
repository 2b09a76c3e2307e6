// SPDX-License-Identifier: Apache-2.0
/* See cgroup-target.h. */
#include "cli/cgroup-target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"

static int open_pid(struct cgroup_target *t, const char *text, struct err *err)
{
	int pid;

	if (parse_int(text, &pid) < 0 || pid <= 0)
		return err_setx(err, -EINVAL, "'pid:%s' names no process", text);
	return cgroup_open_pid(t->host, pid, &t->cg, err);
}

static int open_container(struct cgroup_target *t, const char *name, struct err *err)
{
	char path[300];
	int r;

	if (strchr(name, '/') || strlen(name) > 255)
		return err_setx(err, -EINVAL, "'%s' is neither a name, a path, nor pid:N", name);
	snprintf(path, sizeof(path), "/kist/%s", name);
	r = cgroup_open(t->host, path, &t->cg, err);
	if (r != -ENOENT)
		return r;
	err_setx(err, r, "no container '%s' is running", name);
	return err_hint(err, "'kist list' shows them");
}

int cgroup_target_open(const char *name, struct cgroup_target *ret, struct err *err)
{
	struct cgroup_target t = {0};
	int r = cgroup_host_open(&t.host, err);

	if (r < 0)
		return r;
	if (strncmp(name, "pid:", 4) == 0)
		r = open_pid(&t, name + 4, err);
	else if (name[0] == '/')
		r = cgroup_open(t.host, name, &t.cg, err);
	else
		r = open_container(&t, name, err);
	if (r < 0)
		cgroup_target_done(&t);
	else
		*ret = t;
	return r;
}

void cgroup_target_done(struct cgroup_target *t)
{
	cgroup_free(t->cg);
	cgroup_host_free(t->host);
	*t = (struct cgroup_target){0};
}
