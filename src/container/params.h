/* SPDX-License-Identifier: Apache-2.0 */
/* How a container is to be made: what its spec does not say, and the spec. Kept in state.json. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "mount/rootfs.h"
#include "net/bridge.h"
#include "spec/spec.h"

/* Ids of a container with --userns auto. */
#define CONTAINER_USERNS_AUTO 65536

enum container_net {
	CONTAINER_NET_NONE, /* a network namespace with lo only, or what the spec says */
	CONTAINER_NET_HOST,
	CONTAINER_NET_BRIDGE,
};

struct container_params {
	char *name;	   /* NULL: one is made up */
	struct spec *spec; /* limits in spec->linux_.limits, tty in spec->process.terminal */
	enum rootfs_kind rootfs;
	char *bundle; /* absolute directory where relative paths of the spec start, or NULL */
	enum container_net net;
	char *address; /* wanted on the bridge, or NULL */
	/*
	 * A restore's network lock (net_lock_guard), the @guard of net_bridge_attach. Borrowed, not
	 * kept in the state.
	 */
	const char *net_guard;
	struct net_port *ports;
	size_t n_ports;
	int preserve_fds;     /* so many of the caller's are passed on, from 3; not kept */
	bool detach;	      /* has (or will have) a monitor; stdio goes to its log */
	bool interactive;     /* stdin is kept open and passed on */
	bool later;	      /* started by another process, supervised by none: OCI's create */
	bool keep_keyring;    /* the caller's session keyring is the container's too */
	bool init;	      /* pid 1 is kist's init, the command its child */
	bool remove;	      /* --rm: deleted when it ends */
	bool idmap;	      /* with a user namespace: files of host's root are root's inside */
	uint64_t log_max;     /* bytes of a log file before it is rotated; 0: the default */
	uint32_t userns_size; /* --userns auto: ids to allocate at creation; 0: as in the spec */
};

struct container_params *container_params_new(void); /* with an empty spec; NULL without memory */
/* With a user namespace: owners on the upper layer's disk are the container's own ids. */
bool container_params_shifted(const struct container_params *p);
void container_params_free(struct container_params *p);
/* As one JSON object, and back: the state directory and checkpoint images carry it. */
int container_params_to_json(const struct container_params *p, json_t **ret, struct err *err);
/* The same as text, appended to @b; cheaper. */
int container_params_print(const struct container_params *p, struct buf *b, struct err *err);
int container_params_from_json(const json_t *j, struct container_params **ret, struct err *err);
