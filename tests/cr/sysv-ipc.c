// SPDX-License-Identifier: Apache-2.0
/* SysV semaphores (values, a waiter; the kernel tells nobody of undos) and message queues (order,
 * types), under their ids. */
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

#include "cr.h"

struct msg {
	long type;
	char text[100];
};

static void put(int q, long type, const char *text)
{
	struct msg m = {.type = type};

	strcpy(m.text, text);
	MUST(msgsnd(q, &m, strlen(text) + 1, 0) == 0);
}

static void take(int q, long type, const char *text)
{
	struct msg m = {0};

	CHECK(msgrcv(q, &m, sizeof(m.text), type, IPC_NOWAIT) == (ssize_t)strlen(text) + 1,
		"message '%s': %m", text);
	CHECK(strcmp(m.text, text) == 0, "message '%s', not '%s'", m.text, text);
}

static pid_t waiter(int sem)
{
	struct sembuf down = {.sem_num = 2, .sem_op = -1};
	pid_t pid = cr_fork();

	if (pid == 0) {
		cr_child_ready();
		CHECK(semop(sem, &down, 1) == 0, "a blocked semop: %m");
		_exit(cr_done());
	}
	return pid;
}

int main(int argc, char **argv)
{
	int sem, queue, i;
	unsigned short values[5] = {3, 1, 0, 7, 32767}, now[5];
	struct msqid_ds ds;
	pid_t pid;

	cr_init(argc, argv);
	sem = semget(IPC_PRIVATE, 5, IPC_CREAT | 0600);
	queue = msgget(IPC_PRIVATE, IPC_CREAT | 0604);
	MUST(sem >= 0 && queue >= 0);
	MUST(semctl(sem, 0, SETALL, values) == 0);
	put(queue, 5, "first");
	put(queue, 3, "second");
	put(queue, 5, "third");
	pid = waiter(sem);
	usleep(100000);
	cr_wait();
	MUST(semctl(sem, 0, GETALL, now) == 0);
	for (i = 0; i < 5; i++)
		CHECK_EQ(now[i], values[i]);
	CHECK_EQ(semctl(sem, 2, GETNCNT), 1);
	CHECK(semop(sem, &(struct sembuf){.sem_num = 2, .sem_op = 1}, 1) == 0, "semop: %m");
	cr_reap(pid);
	CHECK(msgctl(queue, IPC_STAT, &ds) == 0, "the queue is gone: %m");
	CHECK_EQ(ds.msg_qnum, 3);
	CHECK_EQ(ds.msg_perm.mode & 0777, 0604);
	take(queue, 3, "second");
	take(queue, 0, "first");
	take(queue, 0, "third");
	CHECK(semctl(sem, 0, IPC_RMID) == 0 && msgctl(queue, IPC_RMID, NULL) == 0, "remove: %m");
	return cr_done();
}
