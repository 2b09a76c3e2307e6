// SPDX-License-Identifier: Apache-2.0
/* See container.h. */
#include "cr/restore/container.h"

#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/util.h"
#include "cgroup/cgroup.h"
#include "container/container.h"
#include "cr/image/task.pb-c.h"
#include "cr/nsdump/net-lock.h"
#include "cr/nsdump/net.h"
#include "cr/nsdump/nsdump.h"

#define FREEZE_MS 10000

struct job {
	const struct image *img;
	struct container_params *params;
	struct restore *restore;
	struct restore_result *result; /* shared with the process that becomes the monitor */
	pid_t pid;
	const char *cgroup;
	bool running; /* also if it was frozen */
};

bool restore_is_container(const struct image *img)
{
	const Kist__Tree *tree = (const Kist__Tree *)image_get(img, RECORD_TREE, 0);

	return image_count(img, RECORD_TREE) == 1 && tree->container;
}

static int read_params(
	const struct image *img, const char *name, struct container_params **ret, struct err *err)
{
	autofree char *text = NULL;
	struct container_params *p;
	json_error_t where;
	json_t *json;
	size_t len;
	int r;

	r = image_get_file(img, "container.json", &text, &len, err);
	if (r < 0)
		return r;
	json = json_loadb(text, len, 0, &where);
	if (!json)
		return err_setx(err, -EBADMSG, "image: container.json, line %d: %s", where.line,
			where.text);
	r = container_params_from_json(json, &p, err);
	json_decref(json);
	if (r < 0)
		return err_wrap(err, "image: container.json");
	if (name) {
		free(p->name);
		p->name = strdup(name);
	}
	p->detach = true;
	if (!p->name) {
		container_params_free(p);
		return err_oom(err);
	}
	*ret = p;
	return 0;
}

/* A stopped container of the name is what was checkpointed: its files are in the image. */
static int make_room(const char *name, struct err *err)
{
	struct container *c = NULL;
	enum container_status status;
	int r;

	r = container_open(name, &c, NULL);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return container_open(name, &c, err);
	status = c->status;
	container_free(c);
	if (status != CONTAINER_STOPPED) {
		err_setx(err, -EEXIST, "container '%s' is there already, and %s", name,
			container_status_name(status));
		return err_hint(err, "stop it, or restore under another name (-n NAME)");
	}
	return container_make_way(name, err);
}

/* In the parent, the container's directory is there, its first process is not. */
static int prepare(void *arg, struct container *c, struct err *err)
{
	struct job *j = arg;
	autoclose int upper = -EBADF;

	if (c->params->rootfs != ROOTFS_BIND) {
		if (mkdirat(c->data_fd, "upper", 0755) < 0 && errno != EEXIST)
			return err_set(err, -errno, "cannot make the directory of the overlay");
		upper = openat(c->data_fd, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (upper < 0)
			return err_set(err, -errno, "cannot open the directory of the overlay");
	}
	return nsdump_restore_prepare(
		j->img, c->params->spec, upper, container_params_shifted(c->params), err);
}

static int child(void *arg, struct err *err)
{
	struct job *j = arg;
	int r = nsdump_restore_inside(j->img, err);

	if (r < 0)
		return r;
	restore_root_main(j->restore);
}

/* Segments that are removed but attached stay so: the caller's thread visits their namespace. */
static int remove_segments(const struct image *img, pid_t pid, struct err *err)
{
	autoclose int home = open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC), theirs = -EBADF;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/ns/ipc", pid);
	theirs = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || theirs < 0 || setns(theirs, CLONE_NEWIPC) < 0)
		return err_set(err, -errno, "cannot enter the IPC namespace of process %d", pid);
	r = nsdump_restore_late(img, err);
	if (setns(home, CLONE_NEWIPC) < 0 && r == 0)
		r = err_set(err, -errno, "cannot return to the own IPC namespace");
	return r;
}

static pid_t host_pid(void *arg, pid_t vpid)
{
	return restore_host_pid(arg, vpid);
}

static int before_run(void *arg, struct restore *restore, struct err *err)
{
	struct job *j = arg;
	struct nsdump_cgroup list[32];
	struct cgroup_host *host = NULL;
	struct cgroup *cg = NULL;
	size_t n = 0, i;
	int r, fd;

	r = remove_segments(j->img, j->pid, err);
	if (r == 0)
		r = cgroup_host_open(&host, err);
	if (r == 0)
		r = cgroup_open(host, j->cgroup, &cg, err);
	if (r == 0) {
		for (i = 0; n < ARRAY_SIZE(list); i++) {
			fd = cgroup_dir(cg, i, &list[n].controllers);
			if (fd == -ENOENT)
				break;
			if (fd >= 0)
				list[n++].dirfd = fd;
		}
		r = nsdump_restore_cgroups(j->img, list, n, host_pid, restore, err);
	}
	if (r == 0 && !j->running && image_info(j->img, "frozen"))
		r = cgroup_freeze(cg, true, FREEZE_MS, err);
	cgroup_free(cg);
	cgroup_host_free(host);
	return r;
}

static int parent(void *arg, const struct container *c, struct err *err)
{
	struct job *j = arg;

	j->pid = c->pid;
	j->cgroup = c->cgroup;
	return restore_finish(j->restore, c->pid, j->result, err);
}

/* In the process that becomes the monitor. */
static int make(void *arg, struct container **ret, struct err *err)
{
	struct job *j = arg;
	const struct container_payload payload = {
		.arg = j,
		.prepare = prepare,
		.child = child,
		.parent = parent,
		.net_guard = net_lock_guard(j->img),
	};
	static const struct file_external stdio[] = {
		{.key = "stdin", .fd = 0},
		{.key = "stdout", .fd = 1},
		{.key = "stderr", .fd = 2},
		{.key = "console", .fd = 0},
	};
	const struct restore_opts opts = {
		.root_fd = -EBADF,
		.externals = stdio,
		.n_externals = ARRAY_SIZE(stdio),
		.arg = j,
		.before_run = before_run,
	};
	int r;

	r = restore_new(j->img, &opts, &j->restore, err);
	if (r < 0)
		return r;
	r = container_create(TAKE_PTR(j->params), &payload, ret, err);
	restore_free(j->restore);
	return r;
}

int restore_container(
	const struct image *img, const char *name, struct restore_result *ret, struct err *err)
{
	struct job j = {.img = img};
	int r;

	r = read_params(img, name, &j.params, err);
	if (r < 0)
		return r;
	j.result = mmap(
		NULL, sizeof(*j.result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (j.result == MAP_FAILED)
		r = err_set(err, -errno, "cannot map memory");
	if (r == 0)
		r = net_ns_check(img, err);
	if (r == 0)
		r = make_room(j.params->name, err);
	if (r == 0)
		r = container_detach(make, &j, err);
	if (r == 0)
		*ret = *j.result;
	container_params_free(j.params);
	if (j.result != MAP_FAILED)
		(void)munmap(j.result, sizeof(*j.result)); /* ours, whole */
	return r;
}

int restore_container_here(const struct image *img, struct container_params *params,
	struct container **ret_container, struct restore_result *ret, struct err *err)
{
	struct job j = {.img = img, .params = params, .result = ret, .running = true};
	int r = net_ns_check(img, err);

	if (r == 0)
		r = make(&j, ret_container, err);
	container_params_free(j.params); /* if it is not the container's by now */
	return r;
}

int restore_image(const struct image *img, const char *name, const struct restore_opts *opts,
	struct restore_result *ret, struct err *err)
{
	if (restore_is_container(img))
		return restore_container(img, name, ret, err);
	if (name)
		return err_setx(
			err, -EINVAL, "the image is of a tree of processes, which takes no name");
	return restore_tree(img, opts, ret, err);
}
