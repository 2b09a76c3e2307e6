/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of cr/nsdump: a file each. Stays inside the folder. */
#pragma once

#include <stdbool.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/stat.h>

#include "cr/image/ipc.pb-c.h"
#include "cr/image/ns.pb-c.h"
#include "cr/nsdump/nsdump.h"
#include "sys/idmap.h"

/* ---- bytes of a message, whose data is NULL when there are none ---- */
static inline bool bytes_plain(const ProtobufCBinaryData *b) /* no NUL inside */
{
	return b->len == 0 || !memchr(b->data, '\0', b->len);
}

static inline char *bytes_dup(const ProtobufCBinaryData *b) /* NULL without memory */
{
	return b->len ? strndup((const char *)b->data, b->len) : strdup("");
}

/* idmap-spec.c: the maps of the container to be made. */
void idmaps_from_spec(const struct spec *spec, struct idmaps *ret);

/* ---- visit.c: this thread in a namespace of another process, for a while ---- */
struct visit {
	int home; /* -EBADF: not away */
	int type;
};
/* 1: the process has a namespace @name ("ipc") that is not ours, 0: it shares ours. */
int visit_differs(int proc_pid_fd, const char *name, struct err *err);
int visit_enter(struct visit *v, int proc_pid_fd, const char *name, int type, struct err *err);
/* Ends the process when the way back is barred: it would go on in the wrong place. */
void visit_leave(struct visit *v);

/* ---- what every save gets ---- */
struct nsdump {
	const struct nsdump_env *env;
	struct image_writer *w;
	struct idmaps ids;
	int procfd; /* /proc */
};

/* uts.c, time.c */
int uts_save(struct nsdump *d, struct err *err);
int uts_check(const struct image *img, struct err *err);
int uts_restore(const struct image *img, struct err *err);
int time_save(struct nsdump *d, struct err *err);
int time_restore_spec(const struct image *img, struct spec *spec, struct err *err);

/* cgroup.c, cgroup-restore.c */
int cgroups_save(struct nsdump *d, struct err *err);
int cgroups_check(const struct image *img, struct err *err);

/* sysctl.c: called while visiting the ipc namespace */
int sysctl_save(struct nsdump *d, struct err *err);
int sysctl_restore_check(const struct image *img, struct err *err);
/* Before objects are made: limits as wide as they go. Then the saved values. */
int sysctl_widen(int procfd, struct err *err);
int sysctl_restore(const struct image *img, int procfd, bool late, struct err *err);

/* ipc.c and a file for each kind; called while visiting the ipc namespace */
int ipc_save(struct nsdump *d, struct err *err);
int ipc_check(const struct image *img, struct err *err);
int ipc_restore(const struct image *img, int procfd, struct err *err);
int shm_save(struct nsdump *d, struct err *err);
int shm_restore(const struct image *img, int procfd, struct err *err);
int shm_restore_late(const struct image *img, struct err *err);
int sem_save(struct nsdump *d, struct err *err);
int sem_restore(const struct image *img, int procfd, struct err *err);
int msg_save(struct nsdump *d, struct err *err);
int msg_restore(const struct image *img, int procfd, struct err *err);
int mqueue_save(struct nsdump *d, struct err *err);
int mqueue_restore(const struct image *img, struct err *err);

/* Owners as the container knows them, and the id. @p must outlive the message. */
int ipc_perm_save(struct nsdump *d, const char *what, int id, const struct ipc_perm *perm,
	Kist__IpcPerm *p, struct err *err);
/* The next object made gets the id of @p: /proc/sys/kernel/NAME, "shm_next_id". */
int ipc_next_id(int procfd, const char *name, const Kist__IpcPerm *p, struct err *err);
/* Becomes the creator that @p had (effective ids only), and returns to root. */
int ipc_as_creator(const Kist__IpcPerm *p, struct err *err);
int ipc_as_root(struct err *err);
