// SPDX-License-Identifier: Apache-2.0
/* `kill`, `delete`, `pause`, `resume`. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"
#include "cgroup/cgroup.h"
#include "oci/oci-internal.h"

extern const struct verb oci_kill, oci_delete, oci_pause, oci_resume;

/* Every process of the cgroup: containers on the host's pid namespace end by this only. */
static int kill_all(struct container *c, int sig, struct err *err)
{
	struct cgroup_host *host = NULL;
	struct cgroup *cg = NULL;
	int r = cgroup_host_open(&host, err);

	if (r == 0)
		r = cgroup_open(host, c->cgroup, &cg, err);
	if (r == 0)
		r = sig == SIGKILL ? cgroup_kill(cg, err) : cgroup_signal(cg, sig, err);
	else if (r == -ENOENT)
		r = err->code = 0; /* nobody is left */
	cgroup_free(cg);
	cgroup_host_free(host);
	return r;
}

static int kill_run(int argc, char **argv, struct err *err)
{
	const struct verb_option *o;
	struct container *c;
	struct oci_args a;
	const char *id;
	bool all = false;
	int sig = SIGTERM, r;

	oci_args_init(&a, &oci_kill, argc, argv);
	while ((o = oci_args_next(&a, err)))
		all = true;
	id = err->code ? NULL : oci_args_id(&a, err);
	if (!id)
		return err->code;
	if (a.n_operands > 1 && parse_signal(a.operand[1], &sig) < 0)
		return err_setx(err, -EINVAL, "'%s' is no signal", a.operand[1]);
	r = container_open(id, &c, err);
	if (r < 0)
		return r;
	r = all ? kill_all(c, sig, err) : container_kill(c, sig, err);
	container_free(c);
	return r;
}

static int delete_run(int argc, char **argv, struct err *err)
{
	struct container *c;
	struct oci_args a;
	const char *id;
	bool force = false, waits;
	int r;

	oci_args_init(&a, &oci_delete, argc, argv);
	while (oci_args_next(&a, err))
		force = true;
	id = err->code ? NULL : oci_args_id(&a, err);
	if (!id)
		return err->code;
	r = container_open(id, &c, err);
	if (r < 0 && !(force && r == -EINVAL))
		return r == -ENOENT && force ? 0 : r;
	waits = r == 0 && c->status == CONTAINER_CREATED; /* nothing of the user runs yet */
	if (r == 0 && !force && c->status != CONTAINER_STOPPED && !waits)
		r = err_setx(err, -EBUSY, "cannot delete container '%s' that is not stopped: %s",
			id, oci_status(c->status));
	else
		r = 0;
	container_free(c);
	return r < 0 ? r : container_delete(id, force || waits, err);
}

static int freeze(const struct verb *v, int argc, char **argv, struct err *err)
{
	const char *id = oci_only_id(v, argc, argv, err);
	bool pause = v == &oci_pause;
	struct container *c;
	int r;

	if (!id)
		return err->code;
	r = container_open_locked(id, &c, err);
	if (r < 0)
		return r;
	if (!pause && c->status != CONTAINER_FROZEN)
		r = err_setx(err, -EINVAL, "container '%s' is not paused: it is %s", id,
			oci_status(c->status));
	else if (pause && c->status != CONTAINER_RUNNING && c->status != CONTAINER_CREATED)
		r = err_setx(err, -EINVAL, "container not running: '%s' is %s", id,
			oci_status(c->status));
	else
		r = container_freeze(c, pause, err);
	container_free(c);
	return r;
}

static int pause_run(int argc, char **argv, struct err *err)
{
	return freeze(&oci_pause, argc, argv, err);
}

static int resume_run(int argc, char **argv, struct err *err)
{
	return freeze(&oci_resume, argc, argv, err);
}

static const struct verb_option kill_options[] = {
	{'a', "all", NULL, "signal every process of the container"},
	{0},
};

static const struct verb_option delete_options[] = {
	{'f', "force", NULL, "kill it first; no error when it does not exist"},
	{0},
};

const struct verb oci_kill = {
	.name = "kill",
	.args = "ID [SIGNAL]",
	.summary = "send a signal to the first process, SIGTERM by default",
	.options = kill_options,
	.run = kill_run,
};

const struct verb oci_delete = {
	.name = "delete",
	.args = "ID",
	.summary = "remove what is left of a stopped container",
	.options = delete_options,
	.run = delete_run,
};

const struct verb oci_pause = {
	.name = "pause",
	.args = "ID",
	.summary = "freeze every process of a container",
	.run = pause_run,
};

const struct verb oci_resume = {
	.name = "resume",
	.args = "ID",
	.summary = "let a paused container go on",
	.run = resume_run,
};
