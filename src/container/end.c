// SPDX-License-Identifier: Apache-2.0
/* The end of containers: signals, stop, what is left after the last process, removal. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/util.h"
#include "container/dirs.h"
#include "container/making.h"
#include "sys/syscall.h"

#define DESTROY_MS     10000
#define FREEZE_MS      10000
#define RECORD_STEP_MS 20
#define RECORD_TRIES   250

static int not_running(const struct container *c, struct err *err)
{
	return err_setx(err, -ESRCH, "container not running: '%s' is %s", c->name,
		container_status_name(c->status));
}

int container_kill(struct container *c, int sig, struct err *err)
{
	int r;

	if (c->pidfd < 0)
		return not_running(c, err);
	r = sys_pidfd_send_signal(c->pidfd, sig, NULL);
	if (r == -ESRCH)
		return not_running(c, err);
	return r < 0 ? err_set(err, r, "cannot send signal %d to container '%s'", sig, c->name) : 0;
}

/* Waits for the first process, and with it all of its pid namespace. 0, or -ETIMEDOUT. */
static int wait_end(int pidfd, int timeout_ms)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	int64_t end = clock_ms() + timeout_ms;
	int r;

	for (;;) {
		r = poll(&p, 1, timeout_ms);
		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
		timeout_ms = (int)MAX(end - clock_ms(), 0);
	}
}

/*
 * The process has ended. Its parent, a monitor or a kist in the foreground, records the status in
 * the container's directory before it reaps: wait for that, but not for a parent that is stuck.
 */
static void wait_recorded(const struct container *c)
{
	autoclose int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd p = {.fd = watch, .events = POLLIN};
	char path[64], events[4096];
	int i;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", c->dir_fd);
	if (watch < 0 || inotify_add_watch(watch, path, IN_MOVED_TO | IN_DELETE_SELF) < 0)
		return;
	for (i = 0; i < RECORD_TRIES; i++) {
		if (sys_pidfd_send_signal(c->pidfd, 0, NULL) < 0 ||
			faccessat(c->dir_fd, EXIT_FILE, F_OK, 0) == 0)
			return;
		(void)poll(&p, 1, RECORD_STEP_MS); /* looks again in any case */
		while (read(watch, events, sizeof(events)) > 0)
			; /* that something happened is all they say */
	}
}

int container_stop(struct container *c, int timeout_s, struct err *err)
{
	int r;

	if (c->status == CONTAINER_FROZEN) {
		r = container_freeze(c, false, err); /* frozen, it could not even hear of it */
		if (r < 0)
			return r;
	}
	r = container_kill(c, SIGTERM, err);
	if (r < 0 && !(r == -ESRCH && c->pidfd >= 0)) /* that one has just ended by itself */
		return r;
	r = wait_end(c->pidfd, timeout_s * 1000);
	if (r == -ETIMEDOUT) {
		r = container_kill(c, SIGKILL, NULL);
		if (r == 0 || r == -ESRCH)
			r = wait_end(c->pidfd, DESTROY_MS);
	}
	if (r == 0)
		wait_recorded(c);
	return r < 0 ? err_set(err, r, "container '%s' does not end", c->name) : 0;
}

int container_freeze(struct container *c, bool freeze, struct err *err)
{
	autocgroup struct container_cgroup cg = {0};
	int r;

	if (c->pidfd < 0)
		return not_running(c, err);
	r = container_cgroup_open(c, &cg, err);
	if (r == 0)
		r = cgroup_freeze(cg.cg, freeze, FREEZE_MS, err);
	if (r == 0)
		c->status = freeze ? CONTAINER_FROZEN : CONTAINER_RUNNING;
	return r;
}

int container_release(struct container *c, struct err *err)
{
	autocgroup struct container_cgroup cg = {0};
	int r;

	r = container_cgroup_open(c, &cg, err);
	if (r == 0)
		r = cgroup_destroy(cg.cg, true, DESTROY_MS, err);
	else if (r == -ENOENT)
		r = 0;
	/* Without a state, nobody knows how far the creation came. */
	if (r < 0 || (c->params && c->params->net != CONTAINER_NET_BRIDGE))
		return r;
	return container_net_leave(c, c->net_parked, err);
}

static int finish(struct container *c, int exit_status, struct err *err)
{
	int r = fault("finish", "release", err);

	if (r == 0)
		r = container_release(c, err);
	if (r == 0)
		r = fault("finish", "record", err);

	if (r < 0)
		return r;
	if (c->params->remove)
		return container_dir_remove(c, err);
	if (exit_status >= 0)
		c->exit_status = exit_status;
	c->status = CONTAINER_STOPPED;
	c->pid = 0;
	return container_save(c, err);
}

int container_finish(const char *name, int exit_status, struct err *err)
{
	struct container *c;
	int r = container_open_locked(name, &c, err);

	if (r < 0)
		return r;
	/* else it was started anew meanwhile, or is half-made */
	r = c->pidfd < 0 && c->params ? finish(c, exit_status, err) : 0;
	container_free(c);
	return r;
}

int container_finish_own(struct container *c, int exit_status, struct err *err)
{
	int r = container_dir_lock(c, err);

	if (r == -ENOENT) /* somebody has removed it */
		return 0;
	if (r == 0 && container_is_current(c))
		r = finish(c, exit_status, err);
	container_unlock(c);
	return r;
}

/* @parked: an address that waits for a restore goes on waiting. */
static int remove_one(struct container *c, bool force, bool parked, struct err *err)
{
	struct err told = {0};
	int r;

	if (c->pidfd >= 0 && !force) {
		err_setx(err, -EBUSY, "container '%s' is %s", c->name,
			container_status_name(c->status));
		return err_hint(err, "'kist stop %s' first, or 'kist rm -f %s'", c->name, c->name);
	}
	if (c->pidfd >= 0) /* the cgroup is killed whole below; this one may have left it */
		(void)sys_pidfd_send_signal(c->pidfd, SIGKILL, NULL);
	c->net_parked &= parked;
	r = fault("remove", "release", err);
	if (r == 0)
		r = container_release(c, err);
	if (r == 0 && c->pidfd >= 0 && wait_end(c->pidfd, DESTROY_MS) < 0)
		r = err_setx(err, -EBUSY, "process %d of container '%s' does not end", (int)c->pid,
			c->name);
	if (r == 0)
		r = fault("remove", "files", err);
	if (r == 0 && c->params && container_hooks(c, SPEC_HOOK_POSTSTOP, "stopped", &told) < 0)
		log_warn("%s", told.text); /* it is over all the same */
	return r < 0 ? r : container_dir_remove(c, err);
}

static int delete_by_name(const char *name, bool force, bool parked, struct err *err)
{
	struct container *c;
	int r = container_open_any(name, &c, err);

	if (r < 0)
		return r;
	r = remove_one(c, force, parked, err);
	container_free(c);
	return r;
}

int container_delete(const char *name, bool force, struct err *err)
{
	return delete_by_name(name, force, false, err);
}

int container_make_way(const char *name, struct err *err)
{
	return delete_by_name(name, false, true, err);
}
