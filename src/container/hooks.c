// SPDX-License-Identifier: Apache-2.0
/* Programs that the description wants to be run at points of the container's life. */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/util.h"
#include "container/making.h"
#include "container/oci.h"
#include "sys/syscall.h"

static const char *const names[SPEC_HOOK_COUNT] = {
	[SPEC_HOOK_PRESTART] = "prestart",
	[SPEC_HOOK_CREATE_RUNTIME] = "createRuntime",
	[SPEC_HOOK_CREATE_CONTAINER] = "createContainer",
	[SPEC_HOOK_START_CONTAINER] = "startContainer",
	[SPEC_HOOK_POSTSTART] = "poststart",
	[SPEC_HOOK_POSTSTOP] = "poststop",
};

static json_t *annotations(const struct spec *s)
{
	json_t *j = json_object();
	size_t i;

	for (i = 0; i < s->n_annotations; i++)
		(void)json_object_set_new(
			j, s->annotations[i].key, json_string(s->annotations[i].value));
	return j;
}

int container_oci_state(
	const struct container *c, const char *status, json_t **ret, struct err *err)
{
	const struct container_params *p = c->params;
	bool alive = strcmp(status, "stopped") != 0;
	json_t *j = json_pack("{s:s, s:s, s:s, s:i, s:s, s:o}", "ociVersion",
		p->spec->oci_version ? p->spec->oci_version : SPEC_OCI_VERSION, "id", c->name,
		"status", status, "pid", alive ? (int)c->pid : 0, "bundle",
		p->bundle ? p->bundle : "/", "annotations", annotations(p->spec));

	if (!j)
		return err_oom(err);
	*ret = j;
	return 0;
}

static _Noreturn void execute(const struct spec_hook *h, int in)
{
	char *const only[] = {h->path, NULL};
	sigset_t empty;

	(void)sigemptyset(&empty); /* cannot fail, as the next */
	(void)sigprocmask(SIG_SETMASK, &empty, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (dup2(in, 0) < 0 || sys_close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(126);
	(void)execve(h->path, h->args ? h->args : only, h->env ? h->env : environ);
	_exit(errno == ENOENT ? 127 : 126);
}

/* Its end, within its time. */
static int wait_for(const struct spec_hook *h, const char *kind, pid_t pid, struct err *err)
{
	autoclose int pidfd = sys_pidfd_open(pid, 0);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	int timeout = h->timeout == SPEC_UNSET ? -1 : (int)MIN(h->timeout, 1000000) * 1000;
	int status = 0, r;

	do
		r = pidfd < 0 ? 1 : poll(&p, 1, timeout);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		(void)kill(pid, SIGKILL); /* our child, not reaped yet */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0)
		return err_setx(err, -ETIMEDOUT, "the %s hook '%s' ran longer than %d s", kind,
			h->path, timeout / 1000);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) >= 126)
		return err_setx(err, WEXITSTATUS(status) == 127 ? -ENOENT : -EACCES,
			"the %s hook '%s' cannot be executed, or ended with status %d", kind,
			h->path, WEXITSTATUS(status));
	return err_setx(err, -EIO, "the %s hook '%s' %s %d", kind, h->path,
		WIFEXITED(status) ? "ended with status" : "was killed by signal",
		WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static int run(const struct spec_hook *h, const char *kind, const char *state, struct err *err)
{
	autoclose int in = memfd_create("kist-state", MFD_CLOEXEC);
	pid_t pid;
	int r;

	if (in < 0)
		return err_set(err, -errno, "cannot make a file for the state");
	r = io_write(in, state, strlen(state));
	if (r < 0 || lseek(in, 0, SEEK_SET) < 0)
		return err_set(err, r < 0 ? r : -errno, "cannot write the state for a hook");
	pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "cannot start the %s hook '%s'", kind, h->path);
	if (pid == 0)
		execute(h, in);
	return wait_for(h, kind, pid, err);
}

int container_hooks(
	const struct container *c, enum spec_hook_kind kind, const char *status, struct err *err)
{
	const struct spec *s = c->params->spec;
	autofree char *text = NULL;
	json_t *j = NULL;
	size_t i;
	int r;

	if (!s->n_hooks[kind])
		return 0;
	r = container_oci_state(c, status, &j, err);
	if (r < 0)
		return r;
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	if (!text)
		return err_oom(err);
	for (i = 0; r == 0 && i < s->n_hooks[kind]; i++)
		r = run(&s->hooks[kind][i], names[kind], text, err);
	return r;
}
