// SPDX-License-Identifier: Apache-2.0
/*
 * Terminals at restore: pty masters under their old index, slaves through their masters, the
 * controlling terminal and the foreground group in the session's leader.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/util.h"
#include "cr/file/path.h"
#include "cr/file/tty.h"

#define INDEX_MAX 4096 /* ptys that are opened to come to the wanted index */

int tty_check(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Tty *msg = (const Kist__Tty *)m;
	const Kist__Tty *master = file_restore_msg(r, msg->inode_of, RECORD_TTY);

	if (msg->has_termios && msg->termios.len != sizeof(struct termios2))
		return err_setx(
			err, -EINVAL, "image: terminal settings of %zu bytes", msg->termios.len);
	if (msg->size && (msg->size->rows > 0xffff || msg->size->cols > 0xffff))
		return err_setx(err, -EINVAL, "image: a terminal of impossible size");
	switch (msg->kind) {
	case TTY_MASTER:
		if (!msg->path || msg->index >= INDEX_MAX)
			return err_setx(err, -EINVAL, "image: the pty makes no sense");
		return path_check(msg->path, err);
	case TTY_SLAVE:
		if (!master || master->kind != TTY_MASTER)
			return err_setx(err, -EINVAL, "image: a pty without its other side");
		return 0;
	case TTY_OUTSIDE:
		if (msg->key && file_restore_external(r, msg->key))
			return 0;
		(void)err_setx(err, -ENOENT,
			"the image wants terminal '%.100s' from outside, and nobody gives it",
			msg->key ? msg->key : "");
		return err_hint(err, "restore it from a terminal, with --shell-job");
	}
	return err_setx(err, -EINVAL, "image: terminal of kind %u", msg->kind);
}

/*
 * Opens masters until one has the wanted index: the kernel gives the lowest free one. Without it
 * (the host's own ptys are in the way) another does, and the names in /proc differ.
 */
static int open_master(struct file_restore *r, const Kist__Tty *msg, struct err *err)
{
	autofree int *spare = calloc(INDEX_MAX, sizeof(*spare));
	unsigned int index = 0;
	int fd = -EBADF, n = 0, c;

	if (!spare)
		return err_oom(err);
	do {
		if (fd >= 0)
			spare[n++] = fd;
		c = path_open(r, msg->path, O_RDWR | O_NOCTTY, &fd, err);
		if (c < 0 || ioctl(fd, TIOCGPTN, &index) < 0) {
			if (c == 0)
				c = err_set(err, -errno, "'%s' gives no pty", msg->path->path);
			break;
		}
	} while (index < msg->index && n < INDEX_MAX);
	while (n > 0)
		(void)close(spare[--n]); /* never used */
	if (c < 0)
		return c;
	if (index != msg->index)
		log_warn("pty %u is taken: the terminal is %u now", msg->index, index);
	return fd;
}

static int set_attributes(int master, const Kist__Tty *msg, struct err *err)
{
	autoclose int peer = ioctl(master, TIOCGPTPEER, O_PATH | O_NOCTTY | O_CLOEXEC);
	char name[32];

	if (!msg->has_mode)
		return 0;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", peer);
	if (peer < 0 || fchownat(peer, "", msg->uid, msg->gid, AT_EMPTY_PATH) < 0 ||
		chmod(name, msg->mode & 07777) < 0)
		return err_set(err, -errno, "cannot set owner and mode of pty %u", msg->index);
	return 0;
}

static int set_settings(int fd, const Kist__Tty *msg, struct err *err)
{
	int on = 1;

	if (msg->has_termios && ioctl(fd, TCSETS2, msg->termios.data) < 0)
		return err_set(err, -errno, "cannot set a terminal");
	if (msg->size) {
		struct winsize ws = {.ws_row = msg->size->rows,
			.ws_col = msg->size->cols,
			.ws_xpixel = msg->size->xpixel,
			.ws_ypixel = msg->size->ypixel};

		if (ioctl(fd, TIOCSWINSZ, &ws) < 0)
			return err_set(err, -errno, "cannot set the size of a terminal");
	}
	if (msg->packet && ioctl(fd, TIOCPKT, &on) < 0)
		return err_set(err, -errno, "cannot set packet mode");
	return 0;
}

static int make_master(struct file_restore *r, const Kist__Tty *msg, struct err *err)
{
	autoclose int fd = open_master(r, msg, err);
	int off = 0, c;

	if (fd < 0)
		return fd;
	if (ioctl(fd, TIOCSPTLCK, &off) < 0)
		return err_set(err, -errno, "cannot unlock pty %u", msg->index);
	c = set_attributes(fd, msg, err);
	if (c == 0)
		c = set_settings(fd, msg, err);
	return c < 0 ? c : TAKE_FD(fd);
}

int tty_open(struct file_restore *r, const ProtobufCMessage *m, int pass, struct err *err)
{
	const Kist__Tty *msg = (const Kist__Tty *)m;
	int flags = (int)(msg->desc->flags & (O_ACCMODE | O_NONBLOCK)), fd, c = 0;

	if (msg->kind == TTY_MASTER) {
		fd = make_master(r, msg, err);
		return fd < 0 ? fd : file_store(r, msg->desc->id, fd, err);
	}
	if (msg->kind == TTY_SLAVE) {
		fd = file_restore_fd(r, msg->inode_of);
		if (fd < 0)
			return 1;
		fd = ioctl(fd, TIOCGPTPEER, flags | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			return err_set(err, -errno, "cannot open pty %u", msg->index);
		return file_store(r, msg->desc->id, fd, err);
	}
	fd = fcntl(file_restore_external(r, msg->key)->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, -errno, "cannot duplicate '%s'", msg->key);
	if (isatty(fd))
		c = set_settings(fd, msg, err);
	if (c < 0) {
		(void)close(fd); /* a duplicate */
		return c;
	}
	return file_store(r, msg->desc->id, fd, err);
}

/* tcsetpgrp(3) from wherever we are: SIGTTOU must not stop us. */
static int set_foreground(int fd, pid_t group)
{
	sigset_t set, old;
	int c;

	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, &old);
	c = ioctl(fd, TIOCSPGRP, &group) < 0 ? -errno : 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
	return c;
}

/* The store's fd of a session's terminal; of a master its slave, opened, to be closed. */
static int session_terminal(const struct file_restore *r, const Kist__Tty *msg, int *ret_opened)
{
	int fd;

	*ret_opened = -EBADF;
	if (!msg->session || msg->session != getpid() || getsid(0) != getpid())
		return -ENOENT;
	fd = file_restore_fd(r, msg->desc->id);
	if (msg->kind == TTY_MASTER)
		fd = *ret_opened = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	/* A terminal from outside may have been replaced by something else. */
	return fd >= 0 && isatty(fd) ? fd : -ENOENT;
}

int file_restore_session(struct file_restore *r, struct err *err)
{
	const struct image *img = file_restore_image(r);
	size_t i, n = image_count(img, RECORD_TTY);

	for (i = 0; i < n; i++) {
		autoclose int opened = -EBADF;
		int fd = session_terminal(
			r, (const Kist__Tty *)image_get(img, RECORD_TTY, i), &opened);

		if (fd >= 0 && ioctl(fd, TIOCSCTTY, 0) < 0)
			return err_set(err, -errno, "cannot become the session's terminal");
	}
	return 0;
}

int tty_task(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Tty *msg = (const Kist__Tty *)m;
	autoclose int opened = -EBADF;
	int fd = session_terminal(r, msg, &opened), c;

	if (fd < 0 || !msg->group)
		return 0;
	c = set_foreground(fd, msg->group);
	/* the group may have died with its last process, then the shell takes the terminal back */
	return c < 0 && c != -ESRCH ? err_set(err, c, "cannot set foreground group %d", msg->group)
				    : 0;
}

int tty_last(struct file_restore *r, const ProtobufCMessage *m, struct err *err)
{
	const Kist__Tty *msg = (const Kist__Tty *)m;
	int fd = file_restore_fd(r, msg->desc->id), on = 1;

	if (msg->locked && ioctl(fd, TIOCSPTLCK, &on) < 0)
		return err_set(err, -errno, "cannot lock pty %u", msg->index);
	if (msg->exclusive && ioctl(fd, TIOCEXCL) < 0)
		return err_set(err, -errno, "cannot make pty %u exclusive", msg->index);
	return 0;
}
