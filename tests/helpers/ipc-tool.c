// SPDX-License-Identifier: Apache-2.0
/*
 * ipc-tool make: IPC objects of every kind in the caller's IPC namespace; prints "ready", waits.
 * ipc-tool print: all that can be seen of the objects there, a line each, for comparison.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>
#include <xxhash.h>

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

static void need(int r, const char *what)
{
	if (r >= 0)
		return;
	perror(what);
	exit(1);
}

static void make_shm(void)
{
	struct shmid_ds ds;
	char *p;
	int id, i;

	for (i = 0; i < 3; i++) { /* so that ids are not the first of their slots */
		id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
		need(id, "shmget");
		need(shmctl(id, IPC_RMID, NULL), "shmctl");
	}
	id = shmget(0x4b495354, (3 << 20) + 5, IPC_CREAT | 0640);
	need(id, "shmget");
	p = shmat(id, NULL, 0);
	strcpy(p + (2 << 20), "in the middle");
	p[(3 << 20) + 4] = 'z';
	shmdt(p);
	need(shmctl(id, IPC_STAT, &ds), "shmctl");
	ds.shm_perm.uid = 33;
	ds.shm_perm.gid = 34;
	need(shmctl(id, IPC_SET, &ds), "shmctl");
	need(shmctl(id, SHM_LOCK, NULL), "shmctl");

	need(seteuid(1000), "seteuid");
	id = shmget(IPC_PRIVATE, 100, IPC_CREAT | 0666);
	need(id, "shmget");
	need(seteuid(0), "seteuid");
	strcpy(shmat(id, NULL, 0), "removed but attached"); /* until we exit */
	need(shmctl(id, IPC_RMID, NULL), "shmctl");
}

static void make_others(void)
{
	struct {
		long type;
		char text[64];
	} m;
	unsigned short values[5] = {0, 7, 32767, 1, 2};
	struct mq_attr attr = {.mq_maxmsg = 8, .mq_msgsize = 100};
	int id;

	need(setegid(50), "setegid");
	need(seteuid(51), "seteuid");
	id = semget(0x1234, 5, IPC_CREAT | 0604);
	need(id, "semget");
	need(seteuid(0), "seteuid");
	need(setegid(0), "setegid");
	need(semctl(id, 0, SETALL, (union semun){.array = values}), "semctl");

	id = msgget(0x77, IPC_CREAT | 0620);
	need(id, "msgget");
	m.type = 5;
	strcpy(m.text, "first");
	need(msgsnd(id, &m, 5, 0), "msgsnd");
	m.type = 1;
	need(msgsnd(id, &m, 0, 0), "msgsnd");
	m.type = INT64_MAX;
	strcpy(m.text, "third");
	need(msgsnd(id, &m, 64, 0), "msgsnd");

	id = mq_open("/kist-full", O_RDWR | O_CREAT | O_EXCL, 0640, &attr);
	need(id, "mq_open");
	need(mq_send(id, "low", 3, 1), "mq_send");
	need(mq_send(id, "high", 4, 9), "mq_send");
	need(mq_send(id, "low again", 9, 1), "mq_send");
	need(fchown(id, 33, 33), "fchown");
	id = mq_open("/kist-empty", O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	need(id, "mq_open");
}

static void print_perm(const char *what, int id, const struct ipc_perm *p)
{
	printf("%s id=%d key=%#x uid=%u gid=%u cuid=%u cgid=%u mode=%o", what, id, p->__key, p->uid,
		p->gid, p->cuid, p->cgid, p->mode);
}

static void print_sysv(void)
{
	union {
		struct shmid_ds shm;
		struct semid_ds sem;
		struct msqid_ds msg;
	} ds;
	unsigned short values[64];
	char *space = malloc(1 << 16);
	int i, id, k;
	void *p;

	for (i = 0; i < 1000; i++) {
		id = shmctl(i, SHM_STAT, &ds.shm);
		if (id < 0)
			continue;
		print_perm("shm", id, &ds.shm.shm_perm);
		p = shmat(id, NULL, SHM_RDONLY);
		printf(" size=%zu hash=%" PRIx64 "\n", ds.shm.shm_segsz,
			(uint64_t)XXH3_64bits(p, ds.shm.shm_segsz));
		shmdt(p);
	}
	for (i = 0; i < 1000; i++) {
		id = semctl(i, 0, SEM_STAT, (union semun){.buf = &ds.sem});
		if (id < 0)
			continue;
		print_perm("sem", id, &ds.sem.sem_perm);
		need(semctl(id, 0, GETALL, (union semun){.array = values}), "semctl");
		for (k = 0; k < (int)ds.sem.sem_nsems; k++)
			printf(" %u", values[k]);
		printf("\n");
	}
	for (i = 0; i < 1000; i++) {
		id = msgctl(i, MSG_STAT, &ds.msg);
		if (id < 0)
			continue;
		print_perm("msg", id, &ds.msg.msg_perm);
		printf(" qbytes=%lu", ds.msg.msg_qbytes);
		for (k = 0; k < (int)ds.msg.msg_qnum; k++) {
			ssize_t n = msgrcv(id, space, 60000, k, MSG_COPY | IPC_NOWAIT);

			printf(" %ld:%zd:%" PRIx64, *(long *)space, n,
				(uint64_t)XXH3_64bits(space + sizeof(long), n));
		}
		printf("\n");
	}
	free(space);
}

static void print_mq(const char *name)
{
	struct mq_attr attr;
	unsigned int priority;
	char text[8192];
	int fd = mq_open(name, O_RDWR | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return;
	mq_getattr(fd, &attr);
	printf("mq %s %ld %ld %ld", name, attr.mq_maxmsg, attr.mq_msgsize, attr.mq_curmsgs);
	while ((n = mq_receive(fd, text, sizeof(text), &priority)) >= 0)
		printf(" %u:%.*s", priority, (int)n, text);
	printf("\n");
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "make") == 0) {
		make_shm();
		make_others();
		printf("ready\n");
		fflush(stdout);
		pause();
	}
	print_sysv();
	if (argc > 2) { /* takes the messages out: only after the restore */
		print_mq("/kist-full");
		print_mq("/kist-empty");
	}
	return 0;
}
