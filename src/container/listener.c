// SPDX-License-Identifier: Apache-2.0
/* The notify fd of a seccomp filter goes to whoever answers for it, at 'listenerPath'. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/io.h"
#include "base/util.h"
#include "container/container-internal.h"
#include "container/oci.h"

/* ContainerProcessState of the specification. */
static char *describe(const struct container *c, pid_t pid, struct err *err)
{
	const char *metadata = c->params->spec->linux_.seccomp.listener_metadata;
	json_t *state = NULL, *j;
	char *text;

	if (container_oci_state(c, "creating", &state, err) < 0)
		return NULL;
	j = json_pack("{s:s, s:[s], s:i, s:s, s:o}", "ociVersion", "0.2.0", "fds", "seccompFd",
		"pid", (int)pid, "metadata", metadata ? metadata : "", "state", state);
	text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	json_decref(j);
	if (!text)
		(void)err_oom(err); /* NULL says that it failed */
	return text;
}

int container_send_listener(const struct container *c, pid_t pid, int fd, struct err *err)
{
	const char *path = c->params->spec->linux_.seccomp.listener_path;
	autoclose int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), at = -EBADF;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	autofree char *text = describe(c, pid, err);
	int r;

	if (!text)
		return err ? err->code : -ENOMEM;
	/* by an fd, for a path may be longer than an address can be */
	at = open(path, O_PATH | O_CLOEXEC);
	if (sock < 0 || at < 0)
		return err_set(err, -errno, "cannot open the seccomp listener '%s'", path);
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d", at);
	if (connect(sock, (struct sockaddr *)&a, sizeof(a)) < 0)
		return err_set(err, -errno, "cannot connect to the seccomp listener '%s'", path);
	r = fd_send(sock, &fd, 1, text, strlen(text));
	return r < 0 ? err_set(err, r, "cannot send the filter's fd to '%s'", path) : 0;
}
