// SPDX-License-Identifier: Apache-2.0
/*
 * A container's place on the bridge network. Bridge, addresses and rules belong to the host, that
 * is to the network namespace in which kist runs, and not to one KIST_ROOT: all state directories
 * share one lease book, or the last container of one would take the bridge from those of another.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/util.h"
#include "container/container-internal.h"
#include "container/dirs.h"

#define NET_RUN "/run/kist/net"

static int make_directory(const char *path, struct err *err)
{
	if (mkdir(path, 0711) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make the directory '%s'", path);
	return 0;
}

/* The directory of the book for the network namespace that we are in. */
static int open_run_dir(struct err *err)
{
	char path[64];
	struct stat st;
	int fd, r;

	if (stat("/proc/thread-self/ns/net", &st) < 0)
		return err_set(err, -errno, "cannot look at our network namespace");
	snprintf(path, sizeof(path), NET_RUN "/%lu", (unsigned long)st.st_ino);
	r = make_directory(CONTAINER_ROOT_DEFAULT, err);
	if (r == 0)
		r = make_directory(NET_RUN, err);
	if (r == 0)
		r = make_directory(path, err);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "cannot open '%s'", path) : fd;
}

int container_net_attach(struct container *c, const char *guard, struct err *err)
{
	const struct container_params *p = c->params;
	autoclose int run = open_run_dir(err), netns = -EBADF;
	char id[CONTAINER_HOST_NAME_MAX], path[32];
	int r;

	if (run < 0)
		return run;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)c->pid);
	netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		return err_set(err, -errno, "cannot open '%s'", path);
	container_host_name(c->name, id, sizeof(id));
	r = net_bridge_attach(
		run, id, netns, p->address, p->ports, p->n_ports, guard, &c->net, err);
	c->net_attached = r == 0;
	return r;
}

int container_net_leave(struct container *c, bool park, struct err *err)
{
	autoclose int run = open_run_dir(err);
	char id[CONTAINER_HOST_NAME_MAX];
	int r;

	if (run < 0)
		return run;
	container_host_name(c->name, id, sizeof(id));
	r = park ? net_bridge_park(run, id, err) : net_bridge_detach(run, id, err);
	if (r == 0 || r == -ENOENT)
		c->net_attached = false;
	return r == -ENOENT ? 0 : r; /* there was no lease */
}
