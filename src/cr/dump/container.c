// SPDX-License-Identifier: Apache-2.0
/* See container.h. */
#include "cr/dump/container.h"

#include <fcntl.h>
#include <jansson.h>
#include <linux/major.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fault.h"
#include "base/io.h"
#include "base/util.h"
#include "cgroup/cgroup.h"
#include "container/container.h"
#include "cr/nsdump/nsdump.h"
#include "ns/ns.h"
#include "spec/spec.h"

#define MOUNTS_MAX (16u << 20)

/* What the dump of the namespaces needs, opened before anything stops. */
struct job {
	struct container *c;
	struct cgroup_host *host;
	struct cgroup *cg;
	struct file_external stdio[3];
	size_t n_stdio;
	char *config, *params;
};

static void job_done(struct job *j)
{
	free(j->config);
	free(j->params);
	cgroup_free(j->cg);
	cgroup_host_free(j->host);
	container_free(j->c);
}

/* The device of "pipe:[N]" and "socket:[N]" files. */
static dev_t kernel_dev(bool pipes)
{
	struct stat st = {0};
	int fds[2];

	if ((pipes ? pipe2(fds, O_CLOEXEC)
		   : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)) < 0)
		return 0;
	if (fstat(fds[0], &st) < 0)
		st.st_dev = 0;
	(void)close(fds[0]); /* never used */
	(void)close(fds[1]);
	return st.st_dev;
}

/* What a link of /proc/PID/fd means, as the container's state noted it. 1: nothing from outside. */
static int parse_stdio(const char *link, const char *key, struct file_external *ret)
{
	unsigned long long ino;
	struct stat st;

	*ret = (struct file_external){.key = key, .fd = -EBADF};
	if (strcmp(link, "console") == 0) {
		ret->key = "console";
		ret->dev = makedev(UNIX98_PTY_SLAVE_MAJOR, 0); /* the first of its devpts */
	} else if (sscanf(link, "pipe:[%llu]", &ino) == 1) {
		ret->dev = kernel_dev(true);
		ret->ino = ino;
	} else if (sscanf(link, "socket:[%llu]", &ino) == 1) {
		ret->dev = kernel_dev(false);
		ret->ino = ino;
	} else if (*link == '/' && stat(link, &st) == 0 && !S_ISCHR(st.st_mode)) {
		ret->dev = st.st_dev;
		ret->ino = st.st_ino;
	} else {
		return 1;
	}
	return 0;
}

/*
 * The first process' stdio was given from outside: it goes into the image by name only, and the
 * restored container gets new ones.
 */
static void find_stdio(struct job *j)
{
	static const char *const keys[3] = {"stdin", "stdout", "stderr"};
	int i;

	for (i = 0; i < 3; i++)
		if (parse_stdio(j->c->stdio[i], keys[i], &j->stdio[j->n_stdio]) == 0)
			j->n_stdio++;
}

static int open_job(const char *name, struct job *j, struct err *err)
{
	json_t *json = NULL;
	int r;

	r = container_open_locked(name, &j->c, err);
	if (r < 0)
		return r;
	if (j->c->status != CONTAINER_RUNNING && j->c->status != CONTAINER_FROZEN)
		return err_setx(err, -ESRCH, "container '%s' is %s, and not running", name,
			container_status_name(j->c->status));
	if (!(ns_new_flags(&j->c->params->spec->linux_) & CLONE_NEWNS))
		return err_setx(err, -EOPNOTSUPP,
			"container '%s' has no mount namespace of its own to be saved", name);
	r = cgroup_host_open(&j->host, err);
	if (r == 0)
		r = cgroup_open(j->host, j->c->cgroup, &j->cg, err);
	if (r == 0)
		r = spec_print(j->c->params->spec, &j->config, err);
	if (r == 0 && j->c->net_attached && !j->c->params->address &&
		!(j->c->params->address = strdup(j->c->net.address)))
		r = err_oom(err);
	if (r == 0)
		r = container_params_to_json(j->c->params, &json, err);
	if (r == 0 && !(j->params = json_dumps(json, JSON_INDENT(1))))
		r = err_oom(err);
	json_decref(json);
	find_stdio(j);
	return r;
}

static size_t list_cgroups(const struct cgroup *cg, struct nsdump_cgroup *list, size_t max)
{
	const char *controllers;
	size_t i, n = 0;
	int fd;

	for (i = 0; n < max && (fd = cgroup_dir(cg, i, &controllers)) != -ENOENT; i++)
		if (fd >= 0)
			list[n++] = (struct nsdump_cgroup){controllers, fd};
	return n;
}

static int save_namespaces(void *arg, struct image_writer *w, pid_t root, struct err *err)
{
	struct job *j = arg;
	struct nsdump_cgroup cgroups[32];
	struct nsdump_env env = {.cgroups = cgroups};
	autobuf struct buf mounts = {0};
	autoclose int upper = openat(j->c->data_fd, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autoclose int proc = -EBADF;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/%d", root);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return err_set(err, -errno, "cannot open '%s'", path);
	env.proc_pid_fd = proc;
	env.upper_fd = upper;
	env.upper_shifted = container_params_shifted(j->c->params);
	if (file_read_at(j->c->dir_fd, CONTAINER_MOUNTS_FILE, &mounts, MOUNTS_MAX) == 0)
		env.mounts_before = buf_str(&mounts);
	env.n_cgroups = list_cgroups(j->cg, cgroups, ARRAY_SIZE(cgroups));
	r = nsdump_save(w, &env, err);
	if (r == 0)
		r = image_put_file(w, "container.json", j->params, strlen(j->params), err);
	if (r == 0)
		r = image_put_info(w, "container", j->c->name, err);
	if (r == 0 && j->c->status == CONTAINER_FROZEN)
		r = image_put_info(w, "frozen", "yes", err);
	return r;
}

/* The address is kept for the restore: said before the processes end and the monitor cleans up. */
static int park(void *arg, struct err *err)
{
	struct job *j = arg;

	j->c->net_parked = j->c->net_attached;
	return container_save(j->c, err);
}

int dump_container(const char *name, int dirfd, const struct dump_opts *opts,
	struct dump_result *ret, struct err *err)
{
	struct dump_opts o = *opts;
	struct job j = {0};
	pid_t pid = 0;
	int r;

	r = open_job(name, &j, err);
	if (r == 0) {
		pid = j.c->pid;
		o.cgroup = j.cg;
		o.config_json = j.config;
		o.externals = j.stdio;
		o.n_externals = j.n_stdio;
		o.arg = &j;
		o.namespaces = save_namespaces;
		o.before_kill = park;
		r = dump_tree(pid, dirfd, &o, ret, err);
	}
	job_done(&j);
	if (r == 0)
		(void)fault("dump", "end", NULL); /* all is saved */
	if (r == 0 && !opts->leave_running)
		r = container_finish(name, -1, err);
	return r;
}
