// SPDX-License-Identifier: Apache-2.0
/* SysV semaphores, semget(2): id, owner, mode and values. */
#include <stdio.h>
#include <sys/sem.h>

#include "base/util.h"
#include "cr/nsdump/nsdump-internal.h"

#define SEM_VALUE_LIMIT 32767 /* SEMVMX */

union semun { /* semctl(2) has the caller define it */
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

static int save_set(struct nsdump *d, int id, const struct semid_ds *ds, struct err *err)
{
	autofree unsigned short *values = calloc(ds->sem_nsems + 1, sizeof(*values));
	autofree uint32_t *wide = calloc(ds->sem_nsems + 1, sizeof(*wide));
	Kist__IpcSem m = KIST__IPC_SEM__INIT;
	Kist__IpcPerm perm;
	size_t i;
	int r;

	if (!values || !wide)
		return err_oom(err);
	r = ipc_perm_save(d, "semaphore set", id, &ds->sem_perm, &perm, err);
	if (r < 0)
		return r;
	if (semctl(id, 0, GETALL, (union semun){.array = values}) < 0)
		return err_set(err, -errno, "cannot read the semaphore set %d", id);
	for (i = 0; i < ds->sem_nsems; i++)
		wide[i] = values[i];
	m.perm = &perm;
	m.n_values = ds->sem_nsems;
	m.values = wide;
	return image_put(d->w, RECORD_IPC_SEM, &m.base, err);
}

int sem_save(struct nsdump *d, struct err *err)
{
	struct seminfo info;
	struct semid_ds ds;
	int i, id, r, top = semctl(0, 0, SEM_INFO, (union semun){.info = &info});

	if (top < 0)
		return err_set(err, -errno, "cannot list the container's semaphores");
	for (i = 0; i <= top; i++) {
		id = semctl(i, 0, SEM_STAT_ANY, (union semun){.buf = &ds});
		if (id < 0)
			continue; /* no set in this slot */
		r = save_set(d, id, &ds, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_set(const Kist__IpcSem *m, int procfd, struct err *err)
{
	int id, r, back;

	r = ipc_next_id(procfd, "sem_next_id", m->perm, err);
	if (r == 0)
		r = ipc_as_creator(m->perm, err);
	if (r < 0)
		return r;
	id = semget((key_t)m->perm->key, m->n_values, IPC_CREAT | IPC_EXCL | (int)m->perm->mode);
	r = id < 0 ? -errno : 0;
	if (r < 0)
		err_set(err, r, "cannot create the semaphore set %u of %zu", m->perm->id,
			m->n_values);
	back = ipc_as_root(r < 0 ? NULL : err);
	if (r == 0)
		r = back;
	if (r == 0 && (uint32_t)id != m->perm->id)
		r = err_setx(err, -EEXIST, "the id %u of a semaphore set is taken", m->perm->id);
	return r;
}

static int restore_set(const Kist__IpcSem *m, int procfd, struct err *err)
{
	struct semid_ds ds = {.sem_perm = {
				      .uid = m->perm->uid,
				      .gid = m->perm->gid,
				      .mode = m->perm->mode,
			      }};
	autofree unsigned short *values = calloc(m->n_values + 1, sizeof(*values));
	int r, id = (int)m->perm->id;
	size_t i;

	if (!values)
		return err_oom(err);
	for (i = 0; i < m->n_values; i++) {
		if (m->values[i] > SEM_VALUE_LIMIT)
			return err_setx(err, -EBADMSG,
				"the image is damaged: impossible semaphore set %d", id);
		values[i] = m->values[i];
	}
	r = make_set(m, procfd, err);
	if (r < 0)
		return r;
	if (semctl(id, 0, SETALL, (union semun){.array = values}) < 0)
		return err_set(err, -errno, "cannot set the values of the semaphore set %d", id);
	if (semctl(id, 0, IPC_SET, (union semun){.buf = &ds}) < 0)
		return err_set(err, -errno, "cannot set the owner of the semaphore set %d", id);
	return 0;
}

int sem_restore(const struct image *img, int procfd, struct err *err)
{
	size_t i;
	int r;

	for (i = 0; i < image_count(img, RECORD_IPC_SEM); i++) {
		r = restore_set(
			(const Kist__IpcSem *)image_get(img, RECORD_IPC_SEM, i), procfd, err);
		if (r < 0)
			return r;
	}
	return 0;
}
