// SPDX-License-Identifier: Apache-2.0
/* IPC objects: what all kinds share. sysvipc(7), proc_sys_kernel(5) (*_next_id). */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/nsdump/nsdump-internal.h"

int ipc_perm_save(struct nsdump *d, const char *what, int id, const struct ipc_perm *perm,
	Kist__IpcPerm *p, struct err *err)
{
	kist__ipc_perm__init(p);
	p->id = id;
	p->key = perm->__key;
	p->mode = perm->mode & 0777;
	p->uid = idmap_inside(&d->ids.uid, perm->uid);
	p->gid = idmap_inside(&d->ids.gid, perm->gid);
	p->cuid = idmap_inside(&d->ids.uid, perm->cuid);
	p->cgid = idmap_inside(&d->ids.gid, perm->cgid);
	if (p->uid == IDMAP_NONE || p->gid == IDMAP_NONE || p->cuid == IDMAP_NONE ||
		p->cgid == IDMAP_NONE) {
		err_setx(err, -EOPNOTSUPP,
			"the %s with id %d belongs to a user from outside of the container (uid "
			"%u)",
			what, id, perm->uid);
		err_hint(err,
			"remove it inside with 'ipcrm', or give it to a user of the container");
		return -EOPNOTSUPP;
	}
	return 0;
}

int ipc_next_id(int procfd, const char *name, const Kist__IpcPerm *p, struct err *err)
{
	char path[64], text[16];
	int r;

	snprintf(path, sizeof(path), "sys/kernel/%s", name);
	snprintf(text, sizeof(text), "%" PRIu32, p->id);
	r = file_write_at(procfd, path, text);
	if (r == -ENOENT) {
		err_setx(err, -EOPNOTSUPP, "this kernel cannot give an IPC object its old id");
		err_hint(err, "use a kernel with CONFIG_CHECKPOINT_RESTORE");
		return -EOPNOTSUPP;
	}
	return r < 0 ? err_set(err, r, "cannot choose the id of an IPC object ('%s')", name) : 0;
}

int ipc_as_creator(const Kist__IpcPerm *p, struct err *err)
{
	if (p->cgid && setegid(p->cgid) < 0)
		return err_set(err, -errno, "cannot act as the group %u", p->cgid);
	if (p->cuid && seteuid(p->cuid) < 0)
		return err_set(err, -errno, "cannot act as the user %u", p->cuid);
	return 0;
}

int ipc_as_root(struct err *err)
{
	if ((geteuid() != 0 && seteuid(0) < 0) || (getegid() != 0 && setegid(0) < 0))
		return err_set(err, -errno, "cannot become root again");
	return 0;
}

int ipc_save(struct nsdump *d, struct err *err)
{
	static int (*const steps[])(struct nsdump *, struct err *) = {
		sysctl_save, shm_save, sem_save, msg_save, mqueue_save};
	struct visit v;
	size_t i;
	int r;

	r = visit_enter(&v, d->env->proc_pid_fd, "ipc", CLONE_NEWIPC, err);
	for (i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
		r = steps[i](d, err);
	visit_leave(&v);
	return r;
}

static int check_perm(const Kist__IpcPerm *p, const char *what, struct err *err)
{
	if (p->id > INT32_MAX || p->mode > 0777)
		return err_setx(
			err, -EBADMSG, "the image is damaged: impossible %s %u", what, p->id);
	return 0;
}

int ipc_check(const struct image *img, struct err *err)
{
	uint64_t size;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < image_count(img, RECORD_IPC_SHM); i++) {
		const Kist__IpcShm *m = (const Kist__IpcShm *)image_get(img, RECORD_IPC_SHM, i);

		r = check_perm(m->perm, "shared memory segment", err);
		if (r == 0)
			r = image_content_size(img, m->object, &size, err);
		if (r == 0 && (size != m->size || m->huge_shift > 40))
			r = err_setx(err, -EBADMSG,
				"the image is damaged: shared memory segment %u has a wrong size",
				m->perm->id);
	}
	for (i = 0; r == 0 && i < image_count(img, RECORD_IPC_SEM); i++)
		r = check_perm(((const Kist__IpcSem *)image_get(img, RECORD_IPC_SEM, i))->perm,
			"semaphore set", err);
	for (i = 0; r == 0 && i < image_count(img, RECORD_IPC_MSG); i++)
		r = check_perm(((const Kist__IpcMsg *)image_get(img, RECORD_IPC_MSG, i))->perm,
			"message queue", err);
	for (i = 0; r == 0 && i < image_count(img, RECORD_MQUEUE); i++) {
		const Kist__Mqueue *m = (const Kist__Mqueue *)image_get(img, RECORD_MQUEUE, i);

		if (m->name.len == 0 || m->name.len > 255 ||
			memchr(m->name.data, '/', m->name.len) ||
			memchr(m->name.data, '\0', m->name.len))
			r = err_setx(err, -EBADMSG,
				"the image is damaged: impossible name of a POSIX message queue");
	}
	return r;
}

int ipc_restore(const struct image *img, int procfd, struct err *err)
{
	int r;

	if (image_count(img, RECORD_IPC_SHM) + image_count(img, RECORD_IPC_SEM) +
		image_count(img, RECORD_IPC_MSG) + image_count(img, RECORD_MQUEUE)) {
		r = sysctl_widen(procfd, err);
		if (r == 0)
			r = shm_restore(img, procfd, err);
		if (r == 0)
			r = sem_restore(img, procfd, err);
		if (r == 0)
			r = msg_restore(img, procfd, err);
		if (r == 0)
			r = mqueue_restore(img, err);
		if (r < 0)
			return r;
	}
	return sysctl_restore(img, procfd, false, err);
}
