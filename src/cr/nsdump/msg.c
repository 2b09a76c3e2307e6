// SPDX-License-Identifier: Apache-2.0
/* SysV message queues, msgget(2): id, owner, mode, limit, and every message, read by MSG_COPY. */
#include <stdio.h>
#include <sys/msg.h>

#include "base/util.h"
#include "cr/nsdump/nsdump-internal.h"

struct queue {
	Kist__IpcMessage *v, **list;
	size_t n, cap;
};

static void queue_done(struct queue *q)
{
	size_t i;

	for (i = 0; i < q->n; i++)
		free(q->v[i].text.data);
	free(q->v);
	free(q->list);
}

/* Message @index without taking it off; @space holds a long and @max bytes. */
static int peek(
	int id, int index, struct msgbuf *space, size_t max, struct queue *q, struct err *err)
{
	Kist__IpcMessage *m;
	ssize_t n = msgrcv(id, space, max, index, MSG_COPY | IPC_NOWAIT | MSG_NOERROR);

	if (n < 0 && errno == ENOSYS) {
		err_setx(err, -EOPNOTSUPP, "this kernel cannot look into message queues");
		err_hint(err, "use a kernel with CONFIG_CHECKPOINT_RESTORE");
		return -EOPNOTSUPP;
	}
	if (n < 0)
		return err_set(err, -errno, "cannot read message %d of the queue %d", index, id);
	if (array_reserve(&q->v, &q->cap, q->n + 1, sizeof(*q->v)) < 0)
		return err_oom(err);
	m = &q->v[q->n];
	kist__ipc_message__init(m);
	m->type = space->mtype;
	m->text.data = malloc(n + 1);
	if (!m->text.data)
		return err_oom(err);
	memcpy(m->text.data, space->mtext, n);
	m->text.len = n;
	q->n++;
	return 0;
}

static int peek_all(int id, const struct msqid_ds *ds, struct queue *q, struct err *err)
{
	size_t i, max = ds->__msg_cbytes; /* no message is longer than all together */
	autofree struct msgbuf *space = malloc(sizeof(long) + max + 1);
	int r = 0;

	if (!space)
		return err_oom(err);
	for (i = 0; r == 0 && i < ds->msg_qnum; i++)
		r = peek(id, i, space, max, q, err);
	if (r < 0)
		return r;
	q->list = calloc(q->n + 1, sizeof(*q->list));
	if (!q->list)
		return err_oom(err);
	for (i = 0; i < q->n; i++)
		q->list[i] = &q->v[i];
	return 0;
}

static int save_queue(struct nsdump *d, int id, const struct msqid_ds *ds, struct err *err)
{
	Kist__IpcMsg m = KIST__IPC_MSG__INIT;
	struct queue q = {0};
	Kist__IpcPerm perm;
	int r;

	r = ipc_perm_save(d, "message queue", id, &ds->msg_perm, &perm, err);
	if (r == 0)
		r = peek_all(id, ds, &q, err);
	if (r == 0) {
		m.perm = &perm;
		m.qbytes = ds->msg_qbytes;
		m.messages = q.list;
		m.n_messages = q.n;
		r = image_put(d->w, RECORD_IPC_MSG, &m.base, err);
	}
	queue_done(&q);
	return r;
}

int msg_save(struct nsdump *d, struct err *err)
{
	struct msginfo info;
	struct msqid_ds ds;
	int i, id, r, top = msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&info);

	if (top < 0)
		return err_set(err, -errno, "cannot list the container's message queues");
	for (i = 0; i <= top; i++) {
		id = msgctl(i, MSG_STAT_ANY, &ds);
		if (id < 0)
			continue; /* no queue in this slot */
		r = save_queue(d, id, &ds, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_queue(const Kist__IpcMsg *m, int procfd, struct err *err)
{
	int id, r, back;

	r = ipc_next_id(procfd, "msg_next_id", m->perm, err);
	if (r == 0)
		r = ipc_as_creator(m->perm, err);
	if (r < 0)
		return r;
	id = msgget((key_t)m->perm->key, IPC_CREAT | IPC_EXCL | (int)m->perm->mode);
	r = id < 0 ? -errno : 0;
	if (r < 0)
		err_set(err, r, "cannot create the message queue %u", m->perm->id);
	back = ipc_as_root(r < 0 ? NULL : err);
	if (r == 0)
		r = back;
	if (r == 0 && (uint32_t)id != m->perm->id)
		r = err_setx(err, -EEXIST, "the id %u of a message queue is taken", m->perm->id);
	return r;
}

static int send_message(int id, const Kist__IpcMessage *m, struct err *err)
{
	autofree struct msgbuf *space = malloc(sizeof(long) + m->text.len + 1);

	if (!space)
		return err_oom(err);
	space->mtype = m->type;
	if (m->text.len)
		memcpy(space->mtext, m->text.data, m->text.len);
	if (msgsnd(id, space, m->text.len, IPC_NOWAIT) < 0)
		return err_set(err, -errno, "cannot put a message back into the queue %d", id);
	return 0;
}

static int restore_queue(const Kist__IpcMsg *m, int procfd, struct err *err)
{
	struct msqid_ds ds = {.msg_perm = {
				      .uid = m->perm->uid,
				      .gid = m->perm->gid,
				      .mode = m->perm->mode,
			      }};
	int r, id = (int)m->perm->id;
	size_t i;

	/* The new queue takes as much as kernel.msgmnb says, which is wide open just now. */
	r = make_queue(m, procfd, err);
	for (i = 0; r == 0 && i < m->n_messages; i++)
		r = send_message(id, m->messages[i], err);
	if (r < 0)
		return r;
	ds.msg_qbytes = m->qbytes;
	if (msgctl(id, IPC_SET, &ds) < 0)
		return err_set(
			err, -errno, "cannot set owner and size of the message queue %d", id);
	return 0;
}

int msg_restore(const struct image *img, int procfd, struct err *err)
{
	size_t i;
	int r;

	for (i = 0; i < image_count(img, RECORD_IPC_MSG); i++) {
		r = restore_queue(
			(const Kist__IpcMsg *)image_get(img, RECORD_IPC_MSG, i), procfd, err);
		if (r < 0)
			return r;
	}
	return 0;
}
