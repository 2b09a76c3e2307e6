// SPDX-License-Identifier: Apache-2.0
/*
 * state.json, and the truth about a container: what was recorded, corrected by what the kernel says
 * now. A recorded pid counts only with its start time.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/util.h"
#include "container/container-internal.h"
#include "container/dirs.h"
#include "sys/proc.h"
#include "sys/syscall.h"

#define STATE_MAX     (16u << 20)
#define STATE_VERSION 1

static const char *const status_names[] = {
	[CONTAINER_CREATING] = "creating",
	[CONTAINER_CREATED] = "created",
	[CONTAINER_RUNNING] = "running",
	[CONTAINER_FROZEN] = "frozen",
	[CONTAINER_STOPPED] = "stopped",
};

const char *container_status_name(enum container_status status)
{
	return status_names[status];
}

int container_cgroup_open(const struct container *c, struct container_cgroup *ret, struct err *err)
{
	struct container_cgroup cg = {0};
	int r = cgroup_host_open(&cg.host, err);

	if (r == 0)
		r = cgroup_open(cg.host, c->cgroup, &cg.cg, err);
	if (r < 0)
		container_cgroup_done(&cg);
	else
		*ret = cg;
	return r;
}

void container_cgroup_done(struct container_cgroup *cg)
{
	cgroup_free(cg->cg);
	cgroup_host_free(cg->host);
	*cg = (struct container_cgroup){0};
}

void container_free(struct container *c)
{
	if (!c)
		return;
	container_unlock(c);
	if (c->pidfd >= 0)
		(void)close(c->pidfd); /* only a handle */
	if (c->dir_fd >= 0)
		(void)close(c->dir_fd); /* only a handle */
	if (c->data_fd >= 0)
		(void)close(c->data_fd); /* the same */
	container_making_free(c);
	container_params_free(c->params);
	free(c->cgroup);
	free(c->name);
	free(c);
}

static json_t *net_to_json(const struct net_attachment *n)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "hostLink", n->host_link,
		"containerLink", n->container_link, "address", n->address, "gateway", n->gateway,
		"prefix", (int)n->prefix, "mac", n->mac);
}

/* All but the params. */
static int frame_to_json(const struct container *c, json_t **ret, struct err *err)
{
	json_t *j;

	j = json_pack("{s:i, s:s, s:s, s:i, s:I, s:s, s:I, s:I, s:i, s:[s,s,s], s:b}", "version",
		STATE_VERSION, "name", c->name, "status", status_names[c->status], "pid",
		(int)c->pid, "startTime", (json_int_t)c->start_time, "cgroup", c->cgroup, "created",
		(json_int_t)c->created, "started", (json_int_t)c->started, "exitStatus",
		c->exit_status, "stdio", c->stdio[0], c->stdio[1], c->stdio[2], "netParked",
		(int)c->net_parked);
	if (!j)
		return err_oom(err);
	if (c->net_attached && json_object_set_new(j, "network", net_to_json(&c->net)) < 0) {
		json_decref(j);
		return err_oom(err);
	}
	*ret = j;
	return 0;
}

int container_to_json(const struct container *c, json_t **ret, struct err *err)
{
	json_t *params = NULL, *j = NULL;
	int r = container_params_to_json(c->params, &params, err);

	if (r == 0)
		r = frame_to_json(c, &j, err);
	if (r == 0 && json_object_set(j, "params", params) < 0)
		r = err_oom(err);
	json_decref(params);
	if (r < 0)
		json_decref(j);
	else
		*ret = j;
	return r;
}

/* They are long and do not change while the container is there: a file of their own. */
static int save_params(struct container *c, struct err *err)
{
	autobuf struct buf b = {0};
	int r = container_params_print(c->params, &b, err);

	if (r < 0)
		return r;
	r = file_swap_at(c->dir_fd, PARAMS_FILE, b.data, b.len, 0600);
	if (r < 0)
		return err_set(err, r, "cannot write the parameters of container '%s'", c->name);
	c->params_saved = true;
	return 0;
}

int container_save(struct container *c, struct err *err)
{
	autofree char *text = NULL;
	json_t *j = NULL;
	int r;

	if (c->lock_fd < 0)
		return err_setx(
			err, -EBUSY, "container '%s' must be locked to be changed", c->name);
	r = c->params_saved ? 0 : save_params(c, err);
	if (r == 0)
		r = frame_to_json(c, &j, err);
	if (r < 0)
		return r;
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	if (!text)
		return err_oom(err);
	r = file_swap_at(c->dir_fd, STATE_FILE, text, strlen(text), 0600);
	if (r < 0)
		return err_set(err, r, "cannot write the state of container '%s'", c->name);
	return 0;
}

static int broken(const struct container *c, struct err *err)
{
	err_setx(err, -EINVAL, "the state of container '%s' is damaged", c->name);
	return err_hint(err, "'kist rm -f %s' removes what is left of it", c->name);
}

static void copy_string(const json_t *j, const char *key, char *to, size_t size)
{
	const char *s = json_string_value(json_object_get(j, key));

	snprintf(to, size, "%s", s ? s : "");
}

static void net_from_json(const json_t *j, struct container *c)
{
	struct net_attachment *n = &c->net;

	c->net_attached = json_is_object(j);
	if (!c->net_attached)
		return;
	copy_string(j, "hostLink", n->host_link, sizeof(n->host_link));
	copy_string(j, "containerLink", n->container_link, sizeof(n->container_link));
	copy_string(j, "address", n->address, sizeof(n->address));
	copy_string(j, "gateway", n->gateway, sizeof(n->gateway));
	copy_string(j, "mac", n->mac, sizeof(n->mac));
	n->prefix = (unsigned int)json_integer_value(json_object_get(j, "prefix"));
}

static int status_from_json(const json_t *j, enum container_status *ret)
{
	const char *s = json_string_value(j);
	size_t i;

	for (i = 0; s && i < ARRAY_SIZE(status_names); i++)
		if (strcmp(s, status_names[i]) == 0) {
			*ret = i;
			return 0;
		}
	return -EINVAL;
}

static int from_json(const json_t *j, struct container *c, struct err *err)
{
	const char *cgroup = json_string_value(json_object_get(j, "cgroup"));
	size_t i;
	char *copy;

	if (json_integer_value(json_object_get(j, "version")) != STATE_VERSION || !cgroup ||
		status_from_json(json_object_get(j, "status"), &c->status) < 0)
		return broken(c, err);
	copy = strdup(cgroup);
	if (!copy)
		return err_oom(err);
	free(c->cgroup);
	c->cgroup = copy;
	c->pid = (pid_t)json_integer_value(json_object_get(j, "pid"));
	c->start_time = (uint64_t)json_integer_value(json_object_get(j, "startTime"));
	c->created = json_integer_value(json_object_get(j, "created"));
	c->started = json_integer_value(json_object_get(j, "started"));
	c->exit_status = (int)json_integer_value(json_object_get(j, "exitStatus"));
	for (i = 0; i < 3; i++) {
		const char *s = json_string_value(json_array_get(json_object_get(j, "stdio"), i));

		snprintf(c->stdio[i], sizeof(c->stdio[i]), "%s", s ? s : "");
	}
	c->net_parked = json_is_true(json_object_get(j, "netParked"));
	net_from_json(json_object_get(j, "network"), c);
	return 0;
}

/* Without a state (but perhaps a cgroup's path): being made, or left over when the one who made it
 * died. */
static void without_state(struct container *c)
{
	bool busy = c->lock_fd < 0 && flock(c->dir_fd, LOCK_EX | LOCK_NB) < 0;

	if (!busy && c->lock_fd < 0)
		(void)flock(c->dir_fd, LOCK_UN); /* was only to ask */
	c->status = busy ? CONTAINER_CREATING : CONTAINER_STOPPED;
}

/* The JSON document in @file. -ENOENT without it, -EINVAL (err filled) when it is damaged. */
static int read_json(const struct container *c, const char *file, json_t **ret, struct err *err)
{
	autobuf struct buf b = {0};
	int r = file_read_at(c->dir_fd, file, &b, STATE_MAX);

	if (r == -ENOENT)
		return r;
	if (r < 0)
		return err_set(err, r, "cannot read the state of container '%s'", c->name);
	*ret = json_loadb(buf_str(&b), b.len, 0, NULL);
	return *ret ? 0 : broken(c, err);
}

static int load_state(struct container *c, struct err *err)
{
	json_t *j = NULL;
	int r = read_json(c, STATE_FILE, &j, err);

	if (r == 0)
		r = from_json(j, c, err);
	json_decref(j);
	return r;
}

static int load_params(struct container *c, struct err *err)
{
	json_t *j = NULL;
	int r = read_json(c, PARAMS_FILE, &j, err);

	if (r == -ENOENT)
		return broken(c, err);
	if (r == 0)
		r = container_params_from_json(j, &c->params, err);
	json_decref(j);
	c->params_saved = r == 0;
	return r;
}

static int load(struct container *c, struct err *err)
{
	int r = load_state(c, err);

	if (r == -ENOENT) {
		without_state(c);
		return 0;
	}
	if (r == 0)
		r = load_params(c, err);
	return r < 0 ? r : container_refresh(c, err);
}

bool container_is_current(const struct container *c)
{
	struct container *now = container_new(c->name);
	bool same = false;

	if (!now)
		return false;
	now->dir_fd = fcntl(c->dir_fd, F_DUPFD_CLOEXEC, 0);
	same = now->dir_fd >= 0 && load_state(now, NULL) == 0 && now->pid == c->pid &&
	       now->start_time == c->start_time;
	container_free(now);
	return same;
}

/* A pidfd of the recorded process when it is still that one and alive, else -ESRCH. */
static int live_pidfd(const struct container *c)
{
	autoclose int fd = c->pid > 0 ? sys_pidfd_open(c->pid, 0) : -ESRCH;
	autobuf struct buf b = {0};
	struct proc_stat st;
	char path[32];

	if (fd < 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)c->pid);
	if (file_read_at(AT_FDCWD, path, &b, 4096) < 0 ||
		proc_parse_stat(buf_str(&b), b.len, &st) < 0)
		return -ESRCH;
	if (st.start_time != c->start_time || st.state == 'Z' || st.state == 'X')
		return -ESRCH;
	return TAKE_FD(fd);
}

/* What the monitor wrote when it saw the end; -1: nothing. */
static int recorded_exit(const struct container *c)
{
	autobuf struct buf b = {0};
	int status;

	if (file_read_at(c->dir_fd, EXIT_FILE, &b, 64) < 0 || b.len == 0)
		return -1;
	b.data[strcspn(b.data, "\n")] = '\0';
	return parse_int(b.data, &status) < 0 ? -1 : status;
}

int container_refresh(struct container *c, struct err *err)
{
	autocgroup struct container_cgroup cg = {0};

	if (c->pidfd >= 0)
		(void)close(c->pidfd); /* only a handle */
	c->pidfd = -EBADF;
	if (c->status == CONTAINER_CREATING)
		without_state(c); /* its state says no more than its cgroup */
	if (c->status == CONTAINER_CREATING || c->status == CONTAINER_STOPPED)
		return 0;
	c->pidfd = live_pidfd(c);
	if (c->pidfd < 0) {
		c->pidfd = -EBADF;
		c->status = CONTAINER_STOPPED;
		c->exit_status = recorded_exit(c);
		return 0;
	}
	if (c->status == CONTAINER_FROZEN)
		c->status = CONTAINER_RUNNING;
	if (c->status == CONTAINER_RUNNING && container_cgroup_open(c, &cg, NULL) == 0 &&
		cgroup_frozen(cg.cg))
		c->status = CONTAINER_FROZEN;
	return 0;
}

enum opening { OPEN_READ, OPEN_LOCKED, OPEN_ANY };

static int open_one(const char *name, enum opening how, struct container **ret, struct err *err)
{
	autoclose int dirs = -EBADF;
	struct container *c;
	int r = container_name_check(name, err);

	if (r < 0)
		return r;
	dirs = container_dirs_open(false, NULL);
	c = container_new(name);
	if (!c)
		return err_oom(err);
	r = dirs < 0 ? dirs : openat(dirs, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (r == -1)
		r = -errno;
	if (r < 0) {
		if (r == -ENOENT)
			err_setx(err, r, "container '%s' does not exist", name);
		else
			err_set(err, r, "cannot open container '%s'", name);
	} else {
		c->dir_fd = r;
		r = how != OPEN_READ ? container_dir_lock(c, err) : 0;
	}
	if (r == 0)
		(void)container_data_open(c, false, NULL); /* gone: data_fd says so */
	if (r == 0)
		r = load(c, err);
	if (r == -EINVAL && how == OPEN_ANY && c->dir_fd >= 0) {
		container_params_free(TAKE_PTR(c->params));
		r = 0;
	}
	if (r < 0)
		container_free(c);
	else
		*ret = c;
	return r;
}

int container_open(const char *name, struct container **ret, struct err *err)
{
	return open_one(name, OPEN_READ, ret, err);
}

int container_open_locked(const char *name, struct container **ret, struct err *err)
{
	return open_one(name, OPEN_LOCKED, ret, err);
}

int container_open_any(const char *name, struct container **ret, struct err *err)
{
	return open_one(name, OPEN_ANY, ret, err);
}
