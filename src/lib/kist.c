// SPDX-License-Identifier: Apache-2.0
/* The functions of include/kist/kist.h over the folders below. No logic of its own. */
#include <kist/kist.h>

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "cgroup/cgroup.h"
#include "container/container.h"
#include "cr/dump/container.h"
#include "cr/restore/container.h"

/* Hands a failure out; @r is what the caller of the library gets. */
static int tell(int r, const struct err *e, struct kist_error *err)
{
	if (r < 0 && err) {
		err->code = r;
		memcpy(err->text, e->text, sizeof(err->text));
		memcpy(err->hint, e->hint, sizeof(err->hint));
	}
	return r;
}

_Static_assert(sizeof(((struct kist_error *)0)->text) == ERR_TEXT_MAX &&
		       sizeof(((struct kist_error *)0)->hint) == ERR_HINT_MAX,
	"texts of struct kist_error and struct err differ in size");

const char *kist_version(void)
{
	return KIST_VERSION;
}

static struct dump_opts dump_opts(unsigned int flags, int timeout_ms)
{
	return (struct dump_opts){
		.leave_running = flags & KIST_LEAVE_RUNNING,
		.ext_unix = flags & KIST_EXT_UNIX,
		.shell_job = flags & KIST_SHELL_JOB,
		.tcp_established = true,
		.file_locks = true,
		.timeout_ms = timeout_ms,
	};
}

static void give(struct kist_result *ret, const struct dump_result *r)
{
	if (ret)
		*ret = (struct kist_result){
			.tasks = r->tasks, .threads = r->threads, .time_us = r->frozen_us};
}

int kist_checkpoint(const char *name, int dirfd, unsigned int flags, int timeout_ms,
	struct kist_result *ret, struct kist_error *err)
{
	struct err e = {0};
	const struct dump_opts opts = dump_opts(flags, timeout_ms);
	struct dump_result result;
	int r = dump_container(name, dirfd, &opts, &result, &e);

	if (r == 0)
		give(ret, &result);
	return tell(r, &e, err);
}

int kist_checkpoint_tree(pid_t pid, int dirfd, unsigned int flags, int timeout_ms,
	struct kist_result *ret, struct kist_error *err)
{
	struct err e = {0};
	const struct dump_opts opts = dump_opts(flags, timeout_ms);
	struct dump_result result;
	int r = dump_tree(pid, dirfd, &opts, &result, &e);

	if (r == 0)
		give(ret, &result);
	return tell(r, &e, err);
}

int kist_restore(int dirfd, const char *name, struct kist_result *ret, struct kist_error *err)
{
	struct err e = {0};
	const struct file_external tty = {.key = "tty", .fd = 0};
	const struct restore_opts opts = {
		.root_fd = -EBADF, .externals = &tty, .n_externals = isatty(0)};
	struct restore_result result;
	struct image *img;
	int r;

	r = image_open(dirfd, &img, &e);
	if (r < 0)
		return tell(r, &e, err);
	r = restore_image(img, name, &opts, &result, &e);
	image_free(img);
	if (r == 0 && ret)
		*ret = (struct kist_result){.tasks = result.tasks,
			.threads = result.threads,
			.time_us = result.total_us,
			.pid = result.root};
	return tell(r, &e, err);
}

int kist_image_check(int dirfd, struct kist_error *err)
{
	struct err e = {0};
	struct image *img;
	int r = image_open(dirfd, &img, &e);

	if (r == 0)
		image_free(img);
	return tell(r, &e, err);
}

int kist_list(char ***ret, struct kist_error *err)
{
	struct err e = {0};
	return tell(container_list(ret, &e), &e, err);
}

int kist_status(const char *name, const char **ret_status, pid_t *ret_pid, int *ret_exit,
	struct kist_error *err)
{
	struct err e = {0};
	struct container *c;
	int r = container_open(name, &c, &e);

	if (r < 0)
		return tell(r, &e, err);
	*ret_status = container_status_name(c->status);
	if (ret_pid)
		*ret_pid = c->pid;
	if (ret_exit)
		*ret_exit = c->exit_status;
	container_free(c);
	return 0;
}

int kist_kill(const char *name, int signal, struct kist_error *err)
{
	struct err e = {0};
	struct container *c;
	int r = container_open(name, &c, &e);

	if (r < 0)
		return tell(r, &e, err);
	r = container_kill(c, signal, &e);
	container_free(c);
	return tell(r, &e, err);
}

int kist_stop(const char *name, int timeout_s, struct kist_error *err)
{
	struct err e = {0};
	struct container *c;
	int r = container_open(name, &c, &e);

	if (r < 0)
		return tell(r, &e, err);
	r = container_stop(c, timeout_s, &e);
	container_free(c);
	return tell(r, &e, err);
}

static int freeze(const char *name, bool on, struct kist_error *err)
{
	struct err e = {0};
	struct container *c;
	int r = container_open_locked(name, &c, &e);

	if (r < 0)
		return tell(r, &e, err);
	r = container_freeze(c, on, &e);
	container_free(c);
	return tell(r, &e, err);
}

int kist_freeze(const char *name, struct kist_error *err)
{
	return freeze(name, true, err);
}

int kist_thaw(const char *name, struct kist_error *err)
{
	return freeze(name, false, err);
}

int kist_remove(const char *name, int force, struct kist_error *err)
{
	struct err e = {0};
	return tell(container_delete(name, force, &e), &e, err);
}

static int open_cgroup(
	const char *name, struct cgroup_host **ret_host, struct cgroup **ret, struct err *err)
{
	struct container *c;
	int r = container_open(name, &c, err);

	if (r < 0)
		return r;
	r = cgroup_host_open(ret_host, err);
	if (r == 0)
		r = cgroup_open(*ret_host, c->cgroup, ret, err);
	container_free(c);
	return r;
}

int kist_get(const char *name, const char *key, char **ret, struct kist_error *err)
{
	struct err e = {0};
	struct cgroup_host *host = NULL;
	struct cgroup *cg = NULL;
	autobuf struct buf value = {0};
	char *text;
	int r;

	r = open_cgroup(name, &host, &cg, &e);
	if (r == 0)
		r = cgroup_get(cg, key, &value, &e);
	if (r == 0) {
		text = buf_take(&value);
		if (text)
			*ret = text;
		else
			r = err_oom(&e);
	}
	cgroup_free(cg);
	cgroup_host_free(host);
	return tell(r, &e, err);
}

int kist_set(const char *name, const char *key, const char *value, struct kist_error *err)
{
	struct err e = {0};
	const struct cgroup_setting setting = {key, value};
	struct cgroup_host *host = NULL;
	struct cgroup *cg = NULL;
	int r;

	r = open_cgroup(name, &host, &cg, &e);
	if (r == 0)
		r = cgroup_set(cg, &setting, 1, &e);
	cgroup_free(cg);
	cgroup_host_free(host);
	return tell(r, &e, err);
}
