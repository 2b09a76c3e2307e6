// SPDX-License-Identifier: Apache-2.0
/* The table of records: a row for each kind, beside the number that record.h gives it. */
#include "cr/image/record.h"

#include "base/util.h"
#include "cr/image/content.pb-c.h"
#include "cr/image/file.pb-c.h"
#include "cr/image/inet.pb-c.h"
#include "cr/image/ipc.pb-c.h"
#include "cr/image/mount.pb-c.h"
#include "cr/image/netns.pb-c.h"
#include "cr/image/ns.pb-c.h"
#include "cr/image/sock.pb-c.h"
#include "cr/image/task.pb-c.h"

#define KIND(number, text, msg) \
	[number] = {.type = number, .name = text, .message = &kist__##msg##__descriptor}

static const struct record_kind kinds[RECORD_MAX] = {
	KIND(RECORD_FD_TABLE, "fd-table", fd_table),
	KIND(RECORD_REG, "file", reg),
	KIND(RECORD_PIPE, "pipe", pipe),
	KIND(RECORD_EVENTFD, "eventfd", eventfd),
	KIND(RECORD_EPOLL, "epoll", epoll),
	KIND(RECORD_SIGNALFD, "signalfd", signalfd),
	KIND(RECORD_TIMERFD, "timerfd", timerfd),
	KIND(RECORD_INOTIFY, "inotify", inotify),
	KIND(RECORD_TTY, "tty", tty),
	KIND(RECORD_MEMFD, "memfd", memfd),
	KIND(RECORD_SHANON, "shared-memory", shanon),
	KIND(RECORD_UNIX, "unix", unix),
	KIND(RECORD_PIDFD, "pidfd", pidfd),
	KIND(RECORD_NSFD, "namespace-fd", nsfd),
	KIND(RECORD_CHARDEV, "device", chardev),
	KIND(RECORD_LOCK, "lock", lock),
	KIND(RECORD_EXTERNAL, "external", external),
	KIND(RECORD_INET, "inet", inet),
	KIND(RECORD_MM, "mm", mm),
	KIND(RECORD_NETLINK, "netlink", netlink),
	KIND(RECORD_TASK, "task", task),
	KIND(RECORD_TREE, "tree", tree),
	KIND(RECORD_CONTENT, "content", content),
	KIND(RECORD_NET_LINK, "net-link", net_link),
	KIND(RECORD_NET_ADDR, "net-addr", net_addr),
	KIND(RECORD_NET_ROUTE, "net-route", net_message),
	KIND(RECORD_NET_RULE, "net-rule", net_message),
	KIND(RECORD_NET_NEIGH, "net-neigh", net_message),
	KIND(RECORD_NET_NFT, "net-nft", net_nft),
	KIND(RECORD_NET_SYSCTL, "net-sysctl", net_sysctl),
	KIND(RECORD_UTS, "uts", uts),
	KIND(RECORD_TIME, "time", time),
	KIND(RECORD_MOUNT, "mount", mount),
	KIND(RECORD_IPC_SHM, "ipc-shm", ipc_shm),
	KIND(RECORD_IPC_SEM, "ipc-sem", ipc_sem),
	KIND(RECORD_IPC_MSG, "ipc-msg", ipc_msg),
	KIND(RECORD_SYSCTL, "sysctl", sysctl),
	KIND(RECORD_MQUEUE, "mqueue", mqueue),
	KIND(RECORD_TMPFS, "file", tree_entry),
	KIND(RECORD_CGROUP, "cgroup", cgroup),
};

const struct record_kind *record_kind(enum record_type type)
{
	if ((unsigned int)type >= RECORD_MAX || !kinds[type].message)
		return NULL;
	return &kinds[type];
}
