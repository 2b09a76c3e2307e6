// SPDX-License-Identifier: Apache-2.0
/*
 * The agent that decides system calls of the container (seccomp's listenerPath): reached from
 * outside, before there is a container; told of the process by a document that only the parent can
 * write, as it knows the pid, and that the process itself hands over, at the moment the filter is
 * loaded. It lies in a memfd that both have.
 */
#include <linux/seccomp.h>
#include <sys/mman.h>

#include "base/io.h"
#include "base/util.h"
#include "container/agent.h"
#include "container/oci.h"

int container_agent_connect(const struct spec_seccomp *sc, const struct seccomp_prog *prog,
	struct container_agent *ret, struct err *err)
{
	int fd;

	if (!sc->set || !(prog->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return 0;
	fd = listener_connect(sc->listener_path, err);
	if (fd < 0)
		return fd;
	ret->sock = fd;
	fd = memfd_create("kist-state", MFD_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "cannot make a file for the state");
	ret->state = fd;
	return 0;
}

int container_agent_describe(const struct container_agent *a, const struct container *c, pid_t pid,
	const char *status, struct err *err)
{
	const struct spec *s = c->params->spec;
	const char *metadata = s->linux_.seccomp.listener_metadata;
	autofree char *text = NULL;
	json_t *state = NULL, *j;
	int r;

	if (a->sock < 0)
		return 0;
	r = container_oci_state(c, status, &state, err);
	if (r < 0)
		return r;
	j = json_pack("{s:s, s:[s], s:i, s:s, s:o}", "ociVersion",
		s->oci_version ? s->oci_version : SPEC_OCI_VERSION, "fds", "seccompFd", "pid",
		(int)pid, "metadata", metadata ? metadata : "", "state", state);
	text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	json_decref(j);
	if (!text)
		return err_oom(err);
	r = io_write(a->state, text, strlen(text));
	return r < 0 ? err_set(err, r, "cannot write the state for the seccomp agent") : 0;
}

int container_agent_load(
	const struct container_agent *a, const struct seccomp_prog *prog, struct err *err)
{
	autofree char *text = NULL;
	off_t size;

	if (a->sock < 0)
		return listener_load(prog, -EBADF, "", err);
	size = lseek(a->state, 0, SEEK_END);
	text = size > 0 ? calloc(1, (size_t)size + 1) : NULL;
	if (!text || io_pread(a->state, text, (size_t)size, 0) != size)
		return err_setx(err, -EIO, "cannot read the state for the seccomp agent");
	return listener_load(prog, a->sock, text, err);
}

void container_agent_done(struct container_agent *a)
{
	autoclose int sock = TAKE_FD(a->sock);
	autoclose int state = TAKE_FD(a->state);
}
