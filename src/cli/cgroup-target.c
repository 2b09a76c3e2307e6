// SPDX-License-Identifier: Apache-2.0
/* See cgroup-target.h. */
#include "cli/cgroup-target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"
#include "container/container.h"

static int open_pid(struct cgroup_target *t, const char *text, struct err *err)
{
	int pid;

	if (parse_int(text, &pid) < 0 || pid <= 0)
		return err_setx(err, -EINVAL, "'pid:%s' names no process", text);
	return cgroup_open_pid(t->host, pid, &t->cg, err);
}

/* Without a container of that name, a cgroup that somebody made where containers have theirs. */
static int open_container(struct cgroup_target *t, const char *name, struct err *err)
{
	struct container *c = NULL;
	char path[80];
	int r, found;

	if (strchr(name, '/') || container_name_check(name, NULL) < 0)
		return err_setx(err, -EINVAL, "'%s' is neither a name, a path, nor pid:N", name);
	found = container_open(name, &c, err);
	if (found < 0 && found != -ENOENT)
		return found;
	snprintf(path, sizeof(path), "/kist/%s", name);
	r = cgroup_open(t->host, c ? c->cgroup : path, &t->cg, c ? err : NULL);
	if (r == -ENOENT && c)
		r = err_setx(err, -ESRCH, "container not running: '%s' is %s", name,
			container_status_name(c->status));
	else if (r < 0 && !c)
		r = err_hint(err, "'kist list' shows the containers");
	container_free(c);
	return r;
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
