// SPDX-License-Identifier: Apache-2.0
/* SysV shared memory, shmget(2): id, owner, mode and content. */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/shm.h>
#include <sys/vfs.h>

#include "base/util.h"
#include "cr/nsdump/nsdump-internal.h"

#define HUGE_SHIFT_BITS 26 /* where shmget(2) wants log2 of the page size */

/*
 * The file behind our own attachment, so that holes stay holes. A mapping is named by its ends; of
 * huge pages it is longer than the segment.
 */
static int open_mapped(void *addr, uint64_t size, struct err *err)
{
	static const unsigned int shifts[] = {12, 14, 16, 21, 25, 29, 30};
	const uint64_t start = (uintptr_t)addr;
	uint64_t page;
	char path[96];
	size_t i;
	int fd = -1;

	for (i = 0; fd < 0 && i < ARRAY_SIZE(shifts); i++) {
		page = 1ull << shifts[i];
		snprintf(path, sizeof(path), "/proc/self/map_files/%" PRIx64 "-%" PRIx64, start,
			start + ((size + page - 1) & ~(page - 1)));
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT)
			break;
	}
	if (fd < 0)
		return err_set(err, -errno, "cannot open shared memory through map_files");
	return fd;
}

static int save_content(struct nsdump *d, Kist__IpcShm *m, void *addr, struct err *err)
{
	autoclose int fd = -EBADF;
	struct statfs fs;

	fd = open_mapped(addr, m->size, err);
	if (fd < 0)
		return fd;
	if (fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC) {
		m->has_huge_shift = true;
		m->huge_shift = __builtin_ctzl(fs.f_bsize);
	}
	return image_put_content(d->w, fd, m->size, &m->object, err);
}

static int save_segment(struct nsdump *d, int id, const struct shmid_ds *ds, struct err *err)
{
	Kist__IpcShm m = KIST__IPC_SHM__INIT;
	Kist__IpcPerm perm;
	void *addr;
	int r;

	r = ipc_perm_save(d, "shared memory segment", id, &ds->shm_perm, &perm, err);
	if (r < 0)
		return r;
	m.perm = &perm;
	m.size = ds->shm_segsz;
	m.locked = ds->shm_perm.mode & SHM_LOCKED;
	m.destroyed = ds->shm_perm.mode & SHM_DEST;
	addr = shmat(id, NULL, SHM_RDONLY);
	if (addr == (void *)-1)
		return err_set(err, -errno, "cannot attach the shared memory segment %d", id);
	r = save_content(d, &m, addr, err);
	(void)shmdt(addr); /* ours, attached just now */
	if (r < 0)
		return err_wrap(err, "shared memory segment %d", id);
	return image_put(d->w, RECORD_IPC_SHM, &m.base, err);
}

int shm_save(struct nsdump *d, struct err *err)
{
	struct shm_info info;
	struct shmid_ds ds;
	int i, id, r, top = shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info);

	if (top < 0)
		return err_set(err, -errno, "cannot list the container's shared memory");
	for (i = 0; i <= top; i++) {
		id = shmctl(i, SHM_STAT_ANY, &ds);
		if (id < 0)
			continue; /* no segment in this slot */
		r = save_segment(d, id, &ds, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_segment(const Kist__IpcShm *m, int procfd, struct err *err)
{
	int flags = IPC_CREAT | IPC_EXCL | (int)m->perm->mode, id, r, back;

	if (m->has_huge_shift)
		flags |= SHM_HUGETLB | (int)(m->huge_shift << HUGE_SHIFT_BITS);
	r = ipc_next_id(procfd, "shm_next_id", m->perm, err);
	if (r == 0 && !m->has_huge_shift) /* those take a capability to make */
		r = ipc_as_creator(m->perm, err);
	if (r < 0)
		return r;
	id = shmget((key_t)m->perm->key, m->size, flags);
	r = id < 0 ? -errno : 0;
	if (r < 0)
		err_set(err, r, "cannot create the shared memory segment %u of %" PRIu64 " bytes",
			m->perm->id, m->size);
	back = ipc_as_root(r < 0 ? NULL : err);
	if (r == 0)
		r = back;
	if (r == 0 && (uint32_t)id != m->perm->id)
		r = err_setx(
			err, -EEXIST, "the id %u of a shared memory segment is taken", m->perm->id);
	return r;
}

static int restore_segment(
	const struct image *img, const Kist__IpcShm *m, int procfd, struct err *err)
{
	struct shmid_ds ds = {.shm_perm = {
				      .uid = m->perm->uid,
				      .gid = m->perm->gid,
				      .mode = m->perm->mode,
			      }};
	int r, id = (int)m->perm->id;
	void *addr;

	r = make_segment(m, procfd, err);
	if (r < 0)
		return r;
	addr = shmat(id, NULL, 0);
	if (addr == (void *)-1)
		return err_set(err, -errno, "cannot attach the shared memory segment %d", id);
	r = image_read_content(img, m->object, addr, m->size, err);
	(void)shmdt(addr); /* ours, attached just now */
	if (r == 0 && shmctl(id, IPC_SET, &ds) < 0)
		r = err_set(
			err, -errno, "cannot set the owner of the shared memory segment %d", id);
	if (r == 0 && m->locked && shmctl(id, SHM_LOCK, NULL) < 0)
		r = err_set(err, -errno, "cannot lock the shared memory segment %d", id);
	return r;
}

int shm_restore(const struct image *img, int procfd, struct err *err)
{
	size_t i;
	int r;

	for (i = 0; i < image_count(img, RECORD_IPC_SHM); i++) {
		r = restore_segment(
			img, (const Kist__IpcShm *)image_get(img, RECORD_IPC_SHM, i), procfd, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int shm_restore_late(const struct image *img, struct err *err)
{
	size_t i;

	for (i = 0; i < image_count(img, RECORD_IPC_SHM); i++) {
		const Kist__IpcShm *m = (const Kist__IpcShm *)image_get(img, RECORD_IPC_SHM, i);

		if (m->destroyed && shmctl((int)m->perm->id, IPC_RMID, NULL) < 0)
			return err_set(err, -errno,
				"cannot mark the shared memory segment %u as removed", m->perm->id);
	}
	return 0;
}
