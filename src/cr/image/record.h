/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of record in state.pb, and the protobuf message of each. Numbers are part of the format
 * and are never used again for something else; a new kind takes the next free number of its range.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

enum record_type {
	/* 1–19 the tree: src/cr/image/task.proto */
	RECORD_TREE = 1,
	RECORD_TASK = 2,
	RECORD_MM = 3,
	RECORD_FD_TABLE = 4,
	/* 20–79 open files: file.proto, sock.proto */
	RECORD_REG = 20,
	RECORD_PIPE = 21,
	RECORD_EVENTFD = 22,
	RECORD_EPOLL = 23,
	RECORD_SIGNALFD = 24,
	RECORD_TIMERFD = 25,
	RECORD_INOTIFY = 26,
	RECORD_TTY = 27,
	RECORD_MEMFD = 28,
	RECORD_SHANON = 29,
	RECORD_UNIX = 30,
	RECORD_INET = 31,
	RECORD_NETLINK = 32,
	RECORD_PIDFD = 33,
	RECORD_NSFD = 34,
	RECORD_CHARDEV = 35,
	RECORD_LOCK = 36,
	RECORD_EXTERNAL = 39,
	RECORD_CONTENT = 79, /* of image_put_content */
	/* 80–119 inside namespaces: ns.proto, net.proto, mount.proto, ipc.proto */
	RECORD_UTS = 80,
	RECORD_TIME = 81,
	RECORD_MOUNT = 82,
	RECORD_IPC_SHM = 83,
	RECORD_IPC_SEM = 84,
	RECORD_IPC_MSG = 85,
	RECORD_NET_LINK = 87,
	RECORD_NET_ADDR = 88,
	RECORD_NET_ROUTE = 89,
	RECORD_NET_RULE = 90,
	RECORD_SYSCTL = 91,
	RECORD_MQUEUE = 92,
	RECORD_TMPFS = 93,
	RECORD_CGROUP = 94,
	RECORD_NET_NEIGH = 96,
	RECORD_NET_NFT = 97,
	RECORD_NET_SYSCTL = 98,
	RECORD_MAX = 120,
};

struct record_kind {
	enum record_type type;
	const char *name; /* as `kist image show` prints it */
	const ProtobufCMessageDescriptor *message;
};
/* NULL for a number without a kind. */
const struct record_kind *record_kind(enum record_type type);
