// SPDX-License-Identifier: Apache-2.0
/*
 * POSIX message queues, mq_overview(7), seen through a mount of our own. No call peeks into one:
 * messages are received and sent back at once, in their order, by a thread that takes no signals,
 * while the container stands still. Where that would be seen (a registered mq_notify), the queue
 * is refused.
 */
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/util.h"
#include "cr/nsdump/nsdump-internal.h"
#include "sys/syscall.h"

struct messages {
	Kist__MqueueMessage *v, **list;
	size_t n;
};

static void messages_done(struct messages *q)
{
	size_t i;

	for (i = 0; q->v && i < q->n; i++)
		free(q->v[i].text.data);
	free(q->v);
	free(q->list);
}

static int mount_mqueue(struct err *err)
{
	autoclose int fs = sys_fsopen("mqueue");
	int r = fs;

	if (r >= 0)
		r = sys_fsconfig_create(fs);
	if (r >= 0)
		r = sys_fsmount(fs, 0);
	return r < 0 ? err_set(err, r, "cannot look at the POSIX message queues") : r;
}

/* Takes all out; *q->n tells how many were, also on failure. */
static int receive_all(int fd, const struct mq_attr *attr, struct messages *q)
{
	Kist__MqueueMessage *m;
	unsigned int priority;
	ssize_t n;

	for (; q->n < (size_t)attr->mq_curmsgs; q->n++) {
		m = &q->v[q->n];
		n = mq_receive(fd, (char *)m->text.data, attr->mq_msgsize, &priority);
		if (n < 0)
			return -errno;
		m->priority = priority;
		m->text.len = n;
	}
	return 0;
}

static int send_back(int fd, const struct messages *q, size_t n)
{
	int r = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if (mq_send(fd, (const char *)q->v[i].text.data, q->v[i].text.len,
			    q->v[i].priority) < 0)
			r = -errno;
	return r;
}

/* All space is there before the first message is taken. */
static int prepare(const struct mq_attr *attr, struct messages *q)
{
	size_t n = attr->mq_curmsgs, i;

	q->v = calloc(n + 1, sizeof(*q->v));
	q->list = calloc(n + 1, sizeof(*q->list));
	if (!q->v || !q->list)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		kist__mqueue_message__init(&q->v[i]);
		q->list[i] = &q->v[i];
		q->v[i].text.data = malloc(attr->mq_msgsize + 1);
		if (!q->v[i].text.data) {
			q->n = i;
			return -ENOMEM;
		}
	}
	return 0;
}

static int peek_all(
	int fd, const char *name, const struct mq_attr *attr, struct messages *q, struct err *err)
{
	sigset_t all, old;
	size_t n = attr->mq_curmsgs, got;
	int r, back;

	r = prepare(attr, q);
	if (r < 0)
		return err_oom(err);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	r = receive_all(fd, attr, q);
	got = q->n;
	back = send_back(fd, q, got);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	q->n = n; /* all of the space is freed by messages_done */
	if (back < 0)
		return err_set(
			err, back, "cannot put messages back into the POSIX queue '/%s'", name);
	if (r < 0)
		return err_set(err, r, "cannot read the POSIX message queue '/%s'", name);
	return 0;
}

static int refuse_notify(int fd, const char *name, struct err *err)
{
	autobuf struct buf b = {0};
	const char *p;
	int r = io_read_all(fd, &b, 4096);

	if (r < 0)
		return err_set(err, r, "cannot read the state of the POSIX queue '/%s'", name);
	p = strstr(buf_str(&b), "NOTIFY_PID:");
	if (p && strtol(p + strlen("NOTIFY_PID:"), NULL, 10) != 0) {
		err_setx(err, -EOPNOTSUPP,
			"a process waits for a message in the POSIX queue '/%s' by mq_notify",
			name);
		err_hint(err,
			"such a registration cannot be saved; let the program give it up first");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int save_queue(struct nsdump *d, int dirfd, const char *name, struct err *err)
{
	autoclose int fd = openat(dirfd, name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	Kist__Mqueue m = KIST__MQUEUE__INIT;
	struct messages q = {0};
	struct mq_attr attr;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || mq_getattr(fd, &attr) < 0)
		return err_set(err, -errno, "cannot open the POSIX message queue '/%s'", name);
	r = refuse_notify(fd, name, err);
	if (r < 0)
		return r;
	m.name.data = (uint8_t *)name;
	m.name.len = strlen(name);
	m.mode = st.st_mode & 07777;
	m.uid = idmap_inside(&d->ids.uid, st.st_uid);
	m.gid = idmap_inside(&d->ids.gid, st.st_gid);
	m.maxmsg = attr.mq_maxmsg;
	m.msgsize = attr.mq_msgsize;
	if (m.uid == IDMAP_NONE || m.gid == IDMAP_NONE)
		return err_setx(err, -EOPNOTSUPP,
			"the POSIX queue '/%s' belongs to a user from outside of the container",
			name);
	if (attr.mq_curmsgs)
		r = peek_all(fd, name, &attr, &q, err);
	m.messages = q.list;
	m.n_messages = attr.mq_curmsgs;
	if (r == 0)
		r = image_put(d->w, RECORD_MQUEUE, &m.base, err);
	messages_done(&q);
	return r;
}

int mqueue_save(struct nsdump *d, struct err *err)
{
	autoclose int mnt = mount_mqueue(err);
	autodir DIR *dir = NULL;
	struct dirent *e;
	int r = 0;

	if (mnt == -ENODEV)
		return 0; /* a kernel without them */
	if (mnt < 0)
		return mnt;
	dir = dir_open_at(mnt, ".");
	if (!dir)
		return err_set(err, -errno, "cannot list the POSIX message queues");
	while (r == 0 && (e = dir_next(dir)))
		r = save_queue(d, mnt, e->d_name, err);
	return r;
}

static int restore_queue(const Kist__Mqueue *m, struct err *err)
{
	struct mq_attr attr = {.mq_maxmsg = m->maxmsg, .mq_msgsize = m->msgsize};
	autoclose int fd = -EBADF;
	char name[258];
	size_t i;

	snprintf(name, sizeof(name), "/%.*s", (int)m->name.len, (const char *)m->name.data);
	fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC, 0600, &attr);
	if (fd < 0) {
		int r = err_set(err, -errno, "cannot create the POSIX message queue '%s'", name);

		if (r == -EMFILE)
			err_hint(err, "raise the limit of message queue bytes (ulimit -q)");
		return r;
	}
	for (i = 0; i < m->n_messages; i++)
		if (mq_send(fd,
			    m->messages[i]->text.len ? (const char *)m->messages[i]->text.data : "",
			    m->messages[i]->text.len, m->messages[i]->priority) < 0)
			return err_set(err, -errno,
				"cannot put a message back into the POSIX queue '%s'", name);
	if (fchown(fd, m->uid, m->gid) < 0 || fchmod(fd, m->mode & 07777) < 0)
		return err_set(err, -errno, "cannot set the owner of the POSIX queue '%s'", name);
	return 0;
}

int mqueue_restore(const struct image *img, struct err *err)
{
	size_t i;
	int r;

	for (i = 0; i < image_count(img, RECORD_MQUEUE); i++) {
		r = restore_queue((const Kist__Mqueue *)image_get(img, RECORD_MQUEUE, i), err);
		if (r < 0)
			return r;
	}
	return 0;
}
