// SPDX-License-Identifier: Apache-2.0
/*
 * Freezing, killing, and waiting for the end of a cgroup. Where there is a cgroup2 mount its
 * cgroup.freeze, cgroup.kill and cgroup.events do it (frozen processes can be killed there), else
 * the v1 freezer, in which a SIGKILL waits for the thaw and a freeze may get stuck half-way.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/util.h"
#include "cgroup/cgroup-internal.h"
#include "sys/proc.h"
#include "sys/syscall.h"

/* How long the v1 freezer may stay FREEZING before it is thawed and told again. */
#define STUCK_MS       100
#define BATCH	       64
#define KILL_PASSES    100
#define KILL_FREEZE_MS 500

/* The value of "KEY N" in a flat-keyed text, or -ENOENT. */
static int flat_value(const char *text, const char *key)
{
	size_t n = strlen(key);
	const char *p;

	for (p = text; (p = strstr(p, key)); p += n)
		if ((p == text || p[-1] == '\n') && p[n] == ' ')
			return p[n + 1] == '1';
	return -ENOENT;
}

static int read_event(int fd, const char *key)
{
	char text[512];
	ssize_t n = io_pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return n;
	text[n] = '\0';
	return flat_value(text, key);
}

/* Waits for KEY to become @want in cgroup.events, which a change makes readable (POLLPRI). */
static int wait_event(int cgfd, const char *key, int want, int timeout_ms)
{
	autoclose int fd = openat(cgfd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int64_t deadline = clock_ms() + timeout_ms, left;
	struct pollfd p = {.fd = fd, .events = POLLPRI};
	int r;

	if (fd < 0)
		return -errno;
	for (;;) {
		r = read_event(fd, key);
		if (r < 0)
			return r;
		if (r == want)
			return 0;
		left = timeout_ms < 0 ? -1 : deadline - clock_ms();
		if (timeout_ms >= 0 && left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
	}
}

static int v1_state(int fd, char *ret, size_t size)
{
	autobuf struct buf b = {0};
	int r = file_read_at(fd, "freezer.state", &b, 64);

	if (r < 0)
		return r;
	snprintf(ret, size, "%.*s", (int)strcspn(buf_str(&b), "\n"), buf_str(&b));
	return 0;
}

/*
 * A v1 freezer has no event, and stays FREEZING when a process joined or forked at the wrong
 * moment: telling it FROZEN again, or thawing it for a moment, makes it try anew.
 */
static int v1_freeze(int fd, bool freeze, int timeout_ms)
{
	const char *want = freeze ? "FROZEN" : "THAWED";
	int64_t start = clock_ms(), again = start + STUCK_MS;
	struct timespec pause = {.tv_nsec = 100000};
	char state[16];
	int r;

	for (;;) {
		r = file_write_at(fd, "freezer.state", want);
		if (r == 0)
			r = v1_state(fd, state, sizeof(state));
		if (r < 0 || strcmp(state, want) == 0)
			return r;
		if (timeout_ms >= 0 && clock_ms() - start >= timeout_ms)
			return -ETIMEDOUT;
		if (clock_ms() >= again) {
			(void)file_write_at(fd, "freezer.state", "THAWED"); /* the loop tells */
			again = clock_ms() + STUCK_MS;
		}
		(void)nanosleep(&pause, NULL); /* no event to wait for; cut short is fine */
		pause.tv_nsec = MIN(pause.tv_nsec * 2, 10000000);
	}
}

/* Names one process that did not freeze: a frozen one sleeps (S), these wait (D) or run (R). */
static void hint_unfrozen(struct cgroup *cg, struct err *err)
{
	autoclose int procfd = proc_open(NULL);
	autofree pid_t *pids = NULL;
	size_t n = 0, i;

	if (procfd < 0 || cgroup_pids(cg, &pids, &n, NULL) < 0)
		return;
	for (i = 0; i < n; i++) {
		autoclose int dir = proc_open_pid(procfd, pids[i]);
		autobuf struct buf b = {0};
		struct proc_stat st;

		if (dir < 0 || proc_read(dir, "stat", &b) < 0 ||
			proc_parse_stat(buf_str(&b), b.len, &st) < 0 || !strchr("DR", st.state))
			continue;
		err_hint(err, "process %d (%s) is in an uninterruptible wait; try again later",
			(int)pids[i], st.comm);
		if (st.state == 'D')
			return;
	}
}

static int tell_timeout(struct cgroup *cg, bool freeze, int timeout_ms, struct err *err)
{
	err_setx(err, -ETIMEDOUT, "cgroup '%s' did not %s within %d ms%s", cg->path,
		freeze ? "freeze" : "thaw", timeout_ms,
		freeze ? "; it runs on" : " (a cgroup above it may be frozen)");
	if (freeze)
		hint_unfrozen(cg, err);
	return -ETIMEDOUT;
}

int cgroup_freeze(struct cgroup *cg, bool freeze, int timeout_ms, struct err *err)
{
	bool v2 = cgroup_fd2(cg) >= 0;
	int fd = v2 ? cgroup_fd2(cg) : cgroup_join(cg, CGROUP_FREEZER, err), r;

	if (fd < 0)
		return fd;
	if (v2) {
		r = file_write_at(fd, "cgroup.freeze", freeze ? "1" : "0");
		if (r == 0)
			r = wait_event(fd, "frozen", freeze, timeout_ms);
	} else {
		r = v1_freeze(fd, freeze, timeout_ms);
	}
	if (r == 0)
		return 0;
	if (r == -ETIMEDOUT)
		tell_timeout(cg, freeze, timeout_ms, err);
	else
		err_set(err, r, "cannot %s cgroup '%s'", freeze ? "freeze" : "thaw", cg->path);
	if (freeze) /* the first error is the one to tell */
		(void)file_write_at(
			fd, v2 ? "cgroup.freeze" : "freezer.state", v2 ? "0" : "THAWED");
	return r;
}

bool cgroup_frozen(struct cgroup *cg)
{
	autobuf struct buf b = {0};
	char state[16] = "";
	int fd;

	if (cgroup_fd2(cg) >= 0)
		return file_read_at(cgroup_fd2(cg), "cgroup.events", &b, 4096) == 0 &&
		       flat_value(buf_str(&b), "frozen") == 1;
	fd = cgroup_fd(cg, CGROUP_FREEZER);
	return fd >= 0 && v1_state(fd, state, sizeof(state)) == 0 && strcmp(state, "FROZEN") == 0;
}

bool cgroup_populated(struct cgroup *cg)
{
	autobuf struct buf b = {0};
	autofree pid_t *pids = NULL;
	size_t n = 0;

	if (cgroup_fd2(cg) >= 0)
		return file_read_at(cgroup_fd2(cg), "cgroup.events", &b, 4096) == 0 &&
		       flat_value(buf_str(&b), "populated") == 1;
	return cgroup_pids(cg, &pids, &n, NULL) == 0 && n;
}

/* v1 tells nobody that a cgroup became empty, but each pidfd tells the end of its process. */
static int wait_pids(struct cgroup *cg, int timeout_ms)
{
	int64_t deadline = clock_ms() + timeout_ms, left = -1;
	int r;

	for (;;) {
		autofree pid_t *pids = NULL;
		autoclose int fd = -EBADF;
		struct pollfd p = {.events = POLLIN};
		size_t n = 0;

		r = cgroup_pids(cg, &pids, &n, NULL);
		if (r < 0 || n == 0)
			return r;
		if (timeout_ms >= 0)
			left = deadline - clock_ms();
		if (timeout_ms >= 0 && left <= 0)
			return -ETIMEDOUT;
		p.fd = fd = sys_pidfd_open(pids[0], 0);
		if (fd >= 0 && poll(&p, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
	}
}

int cgroup_wait_empty(struct cgroup *cg, int timeout_ms)
{
	if (cgroup_fd2(cg) >= 0)
		return wait_event(cgroup_fd2(cg), "populated", 0, timeout_ms);
	return wait_pids(cg, timeout_ms);
}

/* Signals those of @n processes (≤ BATCH, ascending) that are still listed once we hold them. */
static int signal_batch(struct cgroup *cg, const pid_t *pids, size_t n, int sig, struct err *err)
{
	autofree pid_t *now = NULL;
	size_t n_now = 0, i, k = 0;
	int fds[BATCH], r;

	for (i = 0; i < n; i++)
		fds[i] = sys_pidfd_open(pids[i], 0);
	r = cgroup_pids(cg, &now, &n_now, err);
	for (i = 0; i < n; i++) {
		while (k < n_now && now[k] < pids[i])
			k++;
		if (r == 0 && fds[i] >= 0 && k < n_now && now[k] == pids[i]) {
			r = sys_pidfd_send_signal(fds[i], sig, NULL);
			if (r == -ESRCH)
				r = 0;
			if (r < 0)
				err_set(err, r, "cannot send signal %d to process %d", sig,
					(int)pids[i]);
		}
		if (fds[i] >= 0)
			(void)close(fds[i]); /* only a handle */
	}
	return r;
}

/* Sends @sig to what is in it now. A pid may be given anew meanwhile: hence the pidfds. */
static int signal_members(struct cgroup *cg, int sig, size_t *ret_n, struct err *err)
{
	autofree pid_t *pids = NULL;
	size_t n = 0, i;
	int r;

	r = cgroup_pids(cg, &pids, &n, err);
	for (i = 0; r == 0 && i < n; i += BATCH)
		r = signal_batch(cg, pids + i, MIN(n - i, (size_t)BATCH), sig, err);
	if (r == 0)
		*ret_n = n;
	return r;
}

int cgroup_signal(struct cgroup *cg, int sig, struct err *err)
{
	size_t n;

	if (sig == SIGKILL)
		return cgroup_kill(cg, err);
	return signal_members(cg, sig, &n, err);
}

/* Frozen, nothing forks away while the list is worked through; thawed, the signal acts. */
static int kill_by_list(struct cgroup *cg, struct err *err)
{
	struct err ignored;
	int pass, r = 0;
	size_t n = 1;

	for (pass = 0; r == 0 && n && pass < KILL_PASSES; pass++) {
		(void)cgroup_freeze(cg, true, KILL_FREEZE_MS, &ignored); /* else some passes more */
		r = signal_members(cg, SIGKILL, &n, err);
		(void)cgroup_freeze(cg, false, KILL_FREEZE_MS, &ignored); /* nothing else to do */
		if (n && cgroup_wait_empty(cg, 20) == 0)
			return r;
	}
	if (r < 0 || n == 0)
		return r;
	return err_setx(err, -EBUSY, "cgroup '%s' still has processes after %d times SIGKILL",
		cg->path, KILL_PASSES);
}

int cgroup_kill(struct cgroup *cg, struct err *err)
{
	int r;

	if (cg->scattered || strcmp(cg->path, "/") == 0)
		return err_setx(err, -EPERM, "cgroup '%s' is not kist's to kill", cg->path);
	if (cgroup_fd2(cg) < 0)
		return kill_by_list(cg, err);
	r = file_write_at(cgroup_fd2(cg), "cgroup.kill", "1");
	if (r == -ENOENT) /* before Linux 5.14 */
		return kill_by_list(cg, err);
	if (r < 0)
		return err_set(err, r, "cannot kill cgroup '%s'", cg->path);
	return 0;
}
