// SPDX-License-Identifier: Apache-2.0
/* SysV shared memory: attached twice, read-only, by two processes, and one removed yet attached. */
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "cr.h"

#define LEN 65536ul

int main(int argc, char **argv)
{
	int id, gone;
	char *a, *b, *g;
	struct shmid_ds ds;
	pid_t pid;

	cr_init(argc, argv);
	id = shmget(IPC_PRIVATE, LEN, IPC_CREAT | 0640);
	gone = shmget(IPC_PRIVATE, LEN, IPC_CREAT | 0600);
	MUST(id >= 0 && gone >= 0);
	a = shmat(id, NULL, 0);
	b = shmat(id, NULL, SHM_RDONLY);
	g = shmat(gone, NULL, 0);
	MUST(a != (void *)-1 && b != (void *)-1 && g != (void *)-1);
	MUST(shmctl(gone, IPC_RMID, NULL) == 0);
	cr_fill(a, LEN, 1);
	cr_fill(g, LEN, 2);
	pid = cr_fork();
	if (pid == 0) {
		cr_child_ready();
		cr_wait_go();
		g[0] = a[0] = 'c';
		_exit(cr_done());
	}
	cr_wait();
	cr_reap(pid);
	CHECK(b[0] == 'c' && g[0] == 'c', "a write of the other process");
	cr_fill(a, 1, 1);
	cr_fill(g, 1, 2);
	CHECK(cr_filled(a, LEN, 1) && cr_filled(b, LEN, 1), "content");
	CHECK(cr_filled(g, LEN, 2), "content of the removed one");
	CHECK(cr_faults(b, true) != 0, "the read-only attachment can be written");
	CHECK(shmctl(id, IPC_STAT, &ds) == 0, "the id is gone: %m");
	CHECK_EQ(ds.shm_nattch, 2);
	CHECK_EQ(ds.shm_segsz, LEN);
	CHECK_EQ(ds.shm_perm.mode & 0777, 0640);
	CHECK(shmdt(b) == 0 && shmdt(a) == 0, "shmdt: %m");
	CHECK(shmctl(id, IPC_RMID, NULL) == 0, "IPC_RMID: %m");
	CHECK(shmdt(g) == 0, "shmdt of the removed one: %m");
	CHECK(shmget(IPC_PRIVATE, 0, 0) < 0, "shmget without a size");
	return cr_done();
}
