// SPDX-License-Identifier: Apache-2.0
/* Detached containers: the forked process that creates one and then becomes its small monitor. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "base/io.h"
#include "base/util.h"
#include "container/dirs.h"
#include "container/embedded.h"
#include "container/making.h"
#include "sys/syscall.h"

#define ATTACH_SOCKET	"attach"
#define ATTACH_BACKLOG	8
#define LOG_MAX_DEFAULT (UINT64_C(10) << 20)
#define HIGH_FD		32 /* above all of enum monitor_fd */

int container_attach_address(const struct container *c, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	/* By the fd: the path of the state directory may be longer than an address. */
	snprintf(
		ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/" ATTACH_SOCKET, c->dir_fd);
	return sizeof(*ret);
}

static int listen_attach(const struct container *c, struct err *err)
{
	autoclose int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;
	mode_t old;
	int r;

	if (sock < 0)
		return err_set(err, -errno, "cannot make the attach socket");
	(void)container_attach_address(c, &addr);
	(void)unlinkat(c->dir_fd, ATTACH_SOCKET, 0); /* of the life before */
	old = umask(0077);
	r = bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	(void)umask(old);
	if (r == 0 && listen(sock, ATTACH_BACKLOG) < 0)
		r = -errno;
	if (r < 0)
		return err_set(err, r, "cannot listen on the attach socket of '%s'", c->name);
	return TAKE_FD(sock);
}

/* Puts what the monitor needs at the numbers of enum monitor_fd, and nothing else. */
static int arrange_fds(int fds[MONITOR_FDS], struct err *err)
{
	int i, null, r;

	for (i = MONITOR_PIDFD; i < MONITOR_FDS; i++) {
		if (fds[i] < 0)
			continue;
		r = fcntl(fds[i], F_DUPFD_CLOEXEC, HIGH_FD);
		if (r < 0)
			return err_set(err, -errno, "cannot arrange the monitor's fds");
		fds[i] = r;
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return err_set(err, -errno, "cannot open '/dev/null'");
	for (i = 0; i < MONITOR_PIDFD; i++)
		if (dup2(null, i) < 0)
			return err_set(err, -errno, "cannot arrange the monitor's fds");
	/* The caller's own fds are not to live on in the monitor. */
	if (sys_close_range(MONITOR_FDS, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot close the fds of the caller");
	for (i = MONITOR_PIDFD; i < MONITOR_FDS; i++) {
		if (fds[i] < 0)
			(void)close(i); /* whatever was there has no use in the monitor */
		else if (dup2(fds[i], i) < 0)
			return err_set(err, -errno, "cannot arrange the monitor's fds");
	}
	return 0;
}

/* Becomes the monitor of @c. Returns only to fail. */
static int become_monitor(struct container *c, int *sock, struct err *err)
{
	struct container_making *m = c->making;
	uint64_t log_max = c->params->log_max ? c->params->log_max : LOG_MAX_DEFAULT;
	char pid[16], max[24];
	char *argv[] = {(char *)"kist-monitor", c->name, pid, max, NULL};
	int fds[MONITOR_FDS] = {0}, program, r;

	fds[MONITOR_PIDFD] = c->pidfd;
	fds[MONITOR_DIR] = c->dir_fd;
	fds[MONITOR_OUT] = m->out;
	fds[MONITOR_ERR] = m->err;
	fds[MONITOR_CONSOLE] = m->console;
	fds[MONITOR_SLAVE] = m->slave;
	fds[MONITOR_STDIN] = m->in;
	fds[MONITOR_LISTEN] = listen_attach(c, err);
	if (fds[MONITOR_LISTEN] < 0)
		return fds[MONITOR_LISTEN];
	fds[MONITOR_KIST] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fds[MONITOR_KIST] < 0)
		return err_set(err, -errno, "cannot open kist's own program");
	program = embedded_open("kist-monitor", embedded_monitor, embedded_monitor_size, err);
	if (program < 0)
		return program;
	program = fd_move_above(program, HIGH_FD);
	r = fd_move_above(*sock, HIGH_FD);
	if (program < 0 || r < 0)
		return err_setx(err, -EMFILE, "too few file descriptors for the monitor");
	*sock = r;
	snprintf(pid, sizeof(pid), "%d", (int)c->pid);
	snprintf(max, sizeof(max), "%" PRIu64, log_max);
	container_unlock(c);
	r = arrange_fds(fds, err);
	if (r < 0)
		return r;
	r = start_send(*sock, START_READY, 0, -EBADF);
	if (r < 0)
		return err_set(err, r, "cannot reach kist");
	(void)fexecve(program, argv, environ); /* returns only to fail */
	return err_set(err, -errno, "cannot execute the monitor");
}

int container_make_start(container_make_fn make, void *arg, struct container **ret, struct err *err)
{
	struct container *c;
	int r = make(arg, &c, err);

	if (r == 0 && !c->making->payload)
		r = container_start(c, err);
	else if (r < 0)
		return r;
	if (r < 0)
		container_free(c);
	else
		*ret = c;
	return r;
}

static _Noreturn void monitor_main(int sock, container_make_fn make, void *arg)
{
	struct container *c = NULL;
	struct err err = {0};
	int r;

	if (setsid() < 0)
		r = err_set(&err, -errno, "cannot make a session for the monitor");
	else
		r = container_make_start(make, arg, &c, &err);
	if (r == 0 && chdir("/") < 0)
		r = err_set(&err, -errno, "cannot leave the working directory");
	if (r == 0)
		(void)fault("detach", "monitor", NULL); /* its own failures are rare enough */
	if (r == 0) {
		(void)become_monitor(c, &sock, &err); /* only failures come back */
		(void)container_kill(c, SIGKILL, NULL);
		container_unlock(c);
		(void)container_delete(c->name, true, NULL); /* the first error is told */
	}
	start_send_err(sock, &err);
	_exit(1);
}

int container_detach(container_make_fn make, void *arg, struct err *err)
{
	struct start_msg msg;
	bool ready = false;
	int sock[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return err_set(err, -errno, "cannot make a socket pair");
	pid = fork();
	if (pid == 0) {
		(void)close(sock[0]); /* the caller's */
		monitor_main(sock[1], make, arg);
	}
	(void)close(sock[1]); /* the monitor's */
	r = pid < 0 ? err_set(err, -errno, "cannot start the monitor") : 0;
	while (r == 0) {
		r = start_recv(sock[0], &msg, NULL, err);
		if (r == -EPIPE)
			break;
		ready = r == START_READY;
		r = r < 0 ? r : 0;
	}
	(void)close(sock[0]); /* all was heard */
	if (r == -EPIPE)
		r = ready ? 0 : err_setx(err, r, "the container's monitor died at its start");
	if (r < 0 && pid > 0)
		(void)waitpid(pid, NULL, 0); /* it ends by itself */
	return r;
}
