// SPDX-License-Identifier: Apache-2.0
/*
 * Pipes and fifos. What is in a pipe is copied by tee(2) into a pipe of ours, so that the tree's
 * own stays as it is. All descriptions of a pipe are made from the first one's inode.
 */
#include <fcntl.h>
#include <linux/limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/file/path.h"
#include "cr/file/restore-internal.h"
#include "sys/syscall.h"

#define PIPE_MAX (1u << 30)

/* ---- dump ---- */

/* A pipe of the tree, to see that both of its ends are there. */
struct pipe_seen {
	ino_t ino;
	dev_t dev;
	bool reads, writes;
	struct target *task;
	int fd;
	const char *what;
};

struct pipe_state {
	struct pipe_seen *pipes;
	size_t n, cap;
};

static void pipe_done(struct file_dump *d)
{
	struct pipe_state *s = *file_dump_state(d, &file_kind_pipe);

	if (s)
		free(s->pipes);
	free(s);
}

static int pipe_probe(struct file_dump *d, const struct fd_view *v)
{
	return S_ISFIFO(v->st.st_mode) && !(v->flags & O_PATH);
}

static bool is_named(const struct fd_view *v)
{
	return v->link[0] == '/';
}

/* Remembers which ends of an unnamed pipe the tree has. */
static int note_end(struct file_dump *d, const struct fd_view *v, struct err *err)
{
	struct pipe_state *s = *file_dump_state(d, &file_kind_pipe);
	unsigned int mode = v->flags & O_ACCMODE;
	struct pipe_seen *p = NULL;
	size_t i;

	if (!s)
		*file_dump_state(d, &file_kind_pipe) = s = calloc(1, sizeof(*s));
	if (!s)
		return err_oom(err);
	for (i = s->n; i > 0 && !p; i--)
		if (s->pipes[i - 1].ino == v->st.st_ino && s->pipes[i - 1].dev == v->st.st_dev)
			p = &s->pipes[i - 1];
	if (!p) {
		if (array_reserve(&s->pipes, &s->cap, s->n + 1, sizeof(*p)) < 0)
			return err_oom(err);
		p = &s->pipes[s->n++];
		*p = (struct pipe_seen){.ino = v->st.st_ino,
			.dev = v->st.st_dev,
			.task = v->task,
			.fd = v->fd,
			.what = v->what};
	}
	p->reads = p->reads || mode == O_RDONLY || mode == O_RDWR;
	p->writes = p->writes || mode == O_WRONLY || mode == O_RDWR;
	return 0;
}

/* A copy of what is in the pipe, as a pipe of ours to read from. */
static int copy_pipe(const struct fd_view *v, int bytes, int size)
{
	autoclose int from = file_view_reopen(v, O_RDONLY | O_NONBLOCK), to = -EBADF;
	autoclose int back = -EBADF;
	int p[2];
	ssize_t n;

	if (from < 0)
		return from;
	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	back = p[0];
	to = p[1];
	if (fcntl(to, F_SETPIPE_SZ, size) < 0)
		return -errno;
	n = tee(from, to, bytes, SPLICE_F_NONBLOCK);
	if (n != bytes)
		return n < 0 ? -errno : -EIO;
	return TAKE_FD(back);
}

/* Do packets (O_DIRECT) lie in it? Then a read of one byte throws the rest of the packet away. */
static int has_packets(const struct fd_view *v, int bytes, int size)
{
	autoclose int copy = copy_pipe(v, bytes, size);
	int left;
	char c;

	if (copy < 0)
		return copy;
	if (read(copy, &c, 1) != 1 || ioctl(copy, FIONREAD, &left) < 0)
		return -errno;
	return left != bytes - 1;
}

static int read_packets(int fd, Kist__Pipe *msg, uint8_t *data, size_t len)
{
	size_t at = 0, cap = 0;
	ssize_t n;

	while (at < len) {
		n = read(fd, data + at, len - at);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		if (array_reserve(&msg->packets, &cap, msg->n_packets + 1, sizeof(*msg->packets)) <
			0)
			return -ENOMEM;
		msg->packets[msg->n_packets++] = n;
		at += n;
	}
	return 0;
}

/* Content and size; msg->content.data and msg->packets are the caller's to free. */
static int dump_content(const struct fd_view *v, Kist__Pipe *msg, struct err *err)
{
	int size = fcntl(v->local, F_GETPIPE_SZ), bytes = 0, packets, r = 0;
	autoclose int copy = -EBADF;

	if (size < 0 || ioctl(v->local, FIONREAD, &bytes) < 0)
		return file_refuse(v, err, -errno, "its size cannot be read: %m");
	msg->has_size = true;
	msg->size = size;
	if (bytes == 0)
		return 0;
	packets = has_packets(v, bytes, size);
	copy = packets < 0 ? packets : copy_pipe(v, bytes, size);
	if (copy < 0)
		return file_refuse(
			v, err, copy, "its content cannot be copied: %s", strerror(-copy));
	msg->content.data = malloc(bytes);
	if (!msg->content.data)
		return err_oom(err);
	msg->has_content = true;
	msg->content.len = bytes;
	if (packets)
		r = read_packets(copy, msg, msg->content.data, bytes);
	else if (io_read(copy, msg->content.data, bytes) != bytes)
		r = -EIO;
	return r < 0 ? file_refuse(v, err, r, "its content cannot be read: %s", strerror(-r)) : 0;
}

static int put_pipe(
	struct file_dump *d, const struct fd_view *v, uint32_t id, Kist__Pipe *msg, struct err *err)
{
	struct path_dump p = {0};
	Kist__FileDesc desc;
	Kist__FdOwner owner;
	uint32_t first;
	int r;

	r = file_dump_inode(d, v, id, &first, err);
	if (r < 0)
		return r;
	if (first == id) {
		r = dump_content(v, msg, err);
		if (r == 0 && is_named(v))
			r = path_dump(d, v, id, &p, err);
		if (r < 0)
			return r;
		msg->path = is_named(v) ? &p.msg : NULL;
		if (msg->path)
			p.msg.inode_of = p.msg.has_inode_of = 0; /* it is this one's own */
	} else {
		msg->has_inode_of = true;
		msg->inode_of = first;
	}
	file_dump_desc(d, v, id, &desc, &owner);
	msg->desc = &desc;
	r = file_dump_put(d, v, RECORD_PIPE, msg, err);
	path_dump_done(&p);
	return r;
}

static int pipe_dump(struct file_dump *d, const struct fd_view *v, uint32_t id, struct err *err)
{
	Kist__Pipe msg = KIST__PIPE__INIT;
	int r;

	r = is_named(v) ? 0 : note_end(d, v, err);
	if (r == 0)
		r = put_pipe(d, v, id, &msg, err);
	free(msg.content.data);
	free(msg.packets);
	return r;
}

/* Someone outside reads or writes, if the kernel does not say that this end is alone. */
static int refuse_outside(struct file_dump *d, const struct pipe_seen *p, struct err *err)
{
	struct fd_view v = {.task = p->task, .fd = p->fd, .what = p->what, .link = (char *)"pipe"};

	(void)file_refuse(&v, err, -EXDEV, "a process outside of the tree %s this pipe",
		p->reads ? "writes to" : "reads from");
	return err_hint(err, "checkpoint that process too, or close or redirect this fd");
}

static int pipe_finish(struct file_dump *d, struct err *err)
{
	struct pipe_state *s = *file_dump_state(d, &file_kind_pipe);
	struct pollfd pfd;
	size_t i;

	for (i = 0; s && i < s->n; i++) {
		struct pipe_seen *p = &s->pipes[i];

		if (p->reads && p->writes)
			continue;
		pfd = (struct pollfd){
			.fd = p->what ? -1 : sys_pidfd_getfd(p->task->pidfd, p->fd), .events = 0};
		if (pfd.fd < 0)
			continue;	/* a passed fd: its pipe is at rest in a queue */
		(void)poll(&pfd, 1, 0); /* nothing is waited for */
		(void)close(pfd.fd);	/* a duplicate */
		if (!(pfd.revents & (p->reads ? POLLHUP : POLLERR)))
			return refuse_outside(d, p, err);
	}
	return 0;
}

/* ---- restore ---- */

static int pipe_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Pipe *msg = (const Kist__Pipe *)m;
	uint64_t sum = 0;
	size_t i;

	if (msg->path && path_check(msg->path, err) < 0)
		return err->code;
	if (msg->path && (!S_ISFIFO(msg->path->mode) || msg->path->inode_of))
		return err_setx(err, -EINVAL, "image: '%s' is no fifo", msg->path->path);
	for (i = 0; i < msg->n_packets; i++)
		sum += msg->packets[i];
	if ((msg->n_packets && sum != msg->content.len) || msg->size > PIPE_MAX ||
		msg->content.len > PIPE_MAX || (msg->inode_of && msg->content.len))
		return err_setx(err, -EINVAL, "image: the content of the pipe makes no sense");
	return file_check_inode_of(r, msg->desc->id, msg->inode_of, RECORD_PIPE, err);
}

static int fill(int fd, const Kist__Pipe *msg, struct err *err)
{
	size_t i, at = 0;
	ssize_t n;
	int c;

	/* without privilege the size is bounded; then writing tells whether it is enough */
	if (msg->size && fcntl(fd, F_SETPIPE_SZ, (int)msg->size) < 0 && errno != EPERM)
		return err_set(err, -errno, "cannot set the size of a pipe to %u", msg->size);
	if (!msg->n_packets) {
		c = io_write(fd, msg->content.data, msg->content.len);
		return c < 0 ? err_set(err, c, "cannot fill a pipe") : 0;
	}
	if (fcntl(fd, F_SETFL, O_DIRECT | O_NONBLOCK) < 0)
		return err_set(err, -errno, "cannot write packets to a pipe");
	for (i = 0; i < msg->n_packets; i++) {
		n = write(fd, msg->content.data + at, msg->packets[i]);
		if (n != (ssize_t)msg->packets[i])
			return err_set(err, n < 0 ? -errno : -EIO, "cannot fill a pipe");
		at += n;
	}
	return 0;
}

/* A named pipe, made by an fd that reads and writes: an open of one end would wait or fail. */
static int open_fifo(struct file_restore *r, const Kist__Pipe *msg, struct err *err)
{
	autoclose int both = -EBADF;
	int c;

	c = path_open(r, msg->path, O_RDWR | O_NONBLOCK, &both, err);
	if (c == 0)
		c = fill(both, msg, err);
	if (c < 0)
		return c;
	c = file_reopen(r, both, (int)(msg->desc->flags & (O_ACCMODE | O_NONBLOCK)));
	return c < 0 ? err_set(err, c, "cannot open fifo '%s' again", msg->path->path) : c;
}

/* Of the new pipe's ends one is this description, the other waits for the next. */
static int open_unnamed(struct file_restore *r, const Kist__Pipe *msg, struct err *err)
{
	autoclose int read_end = -EBADF, write_end = -EBADF;
	int mode = (int)msg->desc->flags & O_ACCMODE, p[2], c;

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set(err, -errno, "cannot make a pipe");
	read_end = p[0];
	write_end = p[1];
	c = fill(write_end, msg, err);
	if (c < 0)
		return c;
	if (mode == O_RDWR) {
		c = file_reopen(r, read_end, O_RDWR);
		return c < 0 ? err_set(err, c, "cannot open a pipe again") : c;
	}
	c = fd_move_above(mode == O_RDONLY ? write_end : read_end, r->base);
	if (c < 0)
		return err_set(err, c, "cannot keep a pipe open");
	r->entries[msg->desc->id].spare = c;
	(void)TAKE_FD(read_end); /* one has moved, the other is the result */
	(void)TAKE_FD(write_end);
	return mode == O_RDONLY ? p[0] : p[1];
}

static int open_next(struct file_restore *r, const Kist__Pipe *msg, struct err *err)
{
	struct file_entry *first = &r->entries[msg->inode_of];
	int mode = (int)msg->desc->flags & O_ACCMODE, fd;
	autoclose int both = -EBADF;

	if (first->spare >= 0 && (fcntl(first->spare, F_GETFL) & O_ACCMODE) == mode)
		return TAKE_FD(first->spare);
	both = file_reopen(r, first->fd, O_RDWR | O_NONBLOCK);
	fd = both < 0 ? both
		      : file_reopen(r, both, (int)msg->desc->flags & (O_ACCMODE | O_NONBLOCK));
	return fd < 0 ? err_set(err, fd, "cannot open a pipe again") : fd;
}

static int pipe_open(struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Pipe *msg = (const Kist__Pipe *)m;
	int fd;

	if (msg->inode_of && file_restore_fd(r, msg->inode_of) < 0)
		return 1;
	fd = msg->inode_of ? open_next(r, msg, err)
	     : msg->path   ? open_fifo(r, msg, err)
			   : open_unnamed(r, msg, err);
	return fd < 0 ? fd : file_store(r, msg->desc->id, fd, err);
}

const struct file_kind file_kind_pipe = {
	.name = "pipe",
	.record = RECORD_PIPE,
	.probe = pipe_probe,
	.dump = pipe_dump,
	.dump_finish = pipe_finish,
	.dump_done = pipe_done,
	.check = pipe_check,
	.open = pipe_open,
};
