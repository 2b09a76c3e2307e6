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

#include "base/log.h"
#include "base/util.h"
#include "container/dirs.h"
#include "container/making.h"
#include "net/device.h"

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

static int open_netns(const struct container *c, struct err *err)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)c->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "cannot open '%s'", path) : fd;
}

int container_net_attach(struct container *c, const char *guard, struct err *err)
{
	const struct container_params *p = c->params;
	autoclose int run = open_run_dir(err), netns = -EBADF;
	char id[CONTAINER_HOST_NAME_MAX];
	int r;

	if (run < 0)
		return run;
	netns = open_netns(c, err);
	if (netns < 0)
		return netns;
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

static const char *inner_name(const struct spec_net_device *d)
{
	return *d->name ? d->name : d->host;
}

int container_devices_move(struct container *c, struct err *err)
{
	const struct spec_linux *l = &c->params->spec->linux_;
	int r = 0, netns;

	if (!l->n_net_devices)
		return 0;
	netns = open_netns(c, err);
	if (netns < 0)
		return netns;
	c->making->devices_ns = netns;
	while (r == 0 && c->making->moved_devices < l->n_net_devices) {
		const struct spec_net_device *d = &l->net_devices[c->making->moved_devices];

		r = net_device_move(-EBADF, netns, d->host, inner_name(d), err);
		if (r == 0)
			c->making->moved_devices++;
	}
	return r;
}

void container_devices_return(struct container *c)
{
	const struct spec_linux *l = &c->params->spec->linux_;
	autoclose int home = -EBADF, netns = -EBADF;
	struct err err = {0};

	if (!c->making->moved_devices)
		return;
	netns = TAKE_FD(c->making->devices_ns);
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	while (home >= 0 && netns >= 0 && c->making->moved_devices) {
		const struct spec_net_device *d = &l->net_devices[--c->making->moved_devices];

		if (net_device_move(netns, home, inner_name(d), d->host, &err) < 0)
			log_warn("%s", err.text);
	}
}
