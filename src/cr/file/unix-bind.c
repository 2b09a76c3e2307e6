// SPDX-License-Identifier: Apache-2.0
/*
 * Names and credentials of unix sockets. A name is text to the kernel as well as a place in the
 * file system: it is bound as it was given, from where it leads to the old place. What another
 * process shall see as SO_PEERCRED is made by a process that is the same in pid, uid and gid.
 */
#include <fcntl.h>
#include <linux/securebits.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/util.h"
#include "cr/file/path.h"
#include "cr/file/unix.h"
#include "sys/syscall.h"

#define ASIDE ".kist-aside"

int unix_addr_of(const ProtobufCBinaryData *name, struct unix_addr *ret)
{
	*ret = (struct unix_addr){.un.sun_family = AF_UNIX};
	if (name->len == 0 || name->len > sizeof(ret->un.sun_path))
		return -EINVAL;
	memcpy(ret->un.sun_path, name->data, name->len);
	ret->len = offsetof(struct sockaddr_un, sun_path) + name->len;
	return 0;
}

int unix_addr_to(int fd, struct unix_addr *ret, int *ret_hold)
{
	int hold;

	*ret = (struct unix_addr){.len = sizeof(ret->un)};
	if (getsockname(fd, (struct sockaddr *)&ret->un, &ret->len) < 0)
		return -errno;
	if (ret->len <= offsetof(struct sockaddr_un, sun_path))
		return -ENOENT;
	*ret_hold = -EBADF;
	if (ret->un.sun_path[0] == '\0')
		return 0;
	hold = ioctl(fd, SIOCUNIXFILE);
	if (hold < 0)
		return -errno;
	*ret_hold = hold;
	snprintf(ret->un.sun_path, sizeof(ret->un.sun_path), "/proc/self/fd/%d", hold);
	ret->len = sizeof(ret->un);
	return 0;
}

/* ---- a process of our own, with our fds ---- */

struct helper {
	pid_t pid; /* 0: any */
	const Kist__UnixCreds *creds;
	int dir; /* where to go, -EBADF: stay */
	bool chroot;
	int (*fn)(void *arg);
	void *arg;
};

static void run_helper(const struct helper *h)
{
	int r = 0;

	if (h->creds) {
		/* privilege stays: the name was open to the process when it had it */
		(void)prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP);
		if (syscall(SYS_setresgid, -1, h->creds->gid, -1) < 0 ||
			syscall(SYS_setresuid, -1, h->creds->uid, -1) < 0)
			_exit(EPERM);
	}
	if (h->dir >= 0 && (fchdir(h->dir) < 0 || (h->chroot && chroot(".") < 0)))
		_exit(errno);
	r = h->fn(h->arg);
	_exit(r < 0 ? -r : 0);
}

/* 1: no such process can be made. Else its result. */
static int in_helper(const struct helper *h)
{
	struct clone_args args = {.flags = CLONE_FILES, .exit_signal = SIGCHLD};
	pid_t pid, want = h->pid;
	int status;

	if (want > 0) {
		args.set_tid = (uint64_t)(uintptr_t)&want;
		args.set_tid_size = 1;
	}
	pid = sys_clone3(&args);
	if (pid < 0)
		return 1;
	if (pid == 0)
		run_helper(h);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status))
		return -EIO;
	return -WEXITSTATUS(status);
}

int unix_as(const Kist__UnixCreds *creds, int (*fn)(void *arg), void *arg, struct err *err)
{
	struct helper h = {.creds = creds, .dir = -EBADF, .fn = fn, .arg = arg};
	int r = 1;

	if (!creds ||
		(creds->pid == getpid() && creds->uid == geteuid() && creds->gid == getegid()))
		return fn(arg);
	if (creds->pid > 0 && creds->pid != getpid()) {
		h.pid = creds->pid;
		r = in_helper(&h);
		h.pid = 0;
	}
	/* the pid is taken: at least the user is right */
	if (r == 1 && (creds->uid != geteuid() || creds->gid != getegid()))
		r = in_helper(&h);
	return r == 1 || r == -EPERM ? fn(arg) : r;
}

/* ---- binding ---- */

struct binding {
	int fd;
	struct unix_addr addr;
};

static int do_bind(void *arg)
{
	const struct binding *b = arg;

	return bind(b->fd, (const struct sockaddr *)&b->addr.un, b->addr.len) < 0 ? -errno : 0;
}

/*
 * From where does @text lead to @path? "" for the root directory itself, else the root of a
 * process that was in a chroot, or the working directory; NULL: nowhere that the text shows.
 */
static char *start_of(const char *path, const char *text)
{
	size_t plen = strlen(path), tlen;

	while (strncmp(text, "./", 2) == 0)
		text += 2;
	tlen = strlen(text);
	if (tlen > plen || strcmp(path + plen - tlen, text) != 0)
		return text[0] == '/' ? strdup("") : NULL; /* through links, from the root */
	if (text[0] != '/' && (plen == tlen || path[plen - tlen - 1] != '/'))
		return NULL;
	return strndup(path, plen - tlen);
}

static int bind_from(struct file_restore *r, struct binding *b, const char *path, struct err *err)
{
	autofree char *text = strndup(b->addr.un.sun_path, sizeof(b->addr.un.sun_path));
	autofree char *start = text ? start_of(path, text) : NULL;
	struct helper h = {.fn = do_bind, .arg = b};
	autoclose int dir = -EBADF;
	int c;

	if (!text)
		return err_oom(err);
	if (!start)
		return err_setx(err, -EINVAL, "socket name '%s' does not lead to '%s'", text, path);
	if (text[0] == '/' && !*start)
		return do_bind(b);
	dir = path_walk(file_restore_root(r), *start ? start : "/", O_PATH | O_DIRECTORY, 0);
	if (dir < 0)
		return dir;
	h.dir = dir;
	h.chroot = text[0] == '/';
	c = in_helper(&h);
	return c == 1 ? -EAGAIN : c;
}

void unix_unbind(struct unix_place *p)
{
	if (p->dir < 0)
		return;
	/* both undo a step of ours; nothing better can be done where one fails */
	if (p->made)
		(void)unlinkat(p->dir, p->base, 0);
	if (p->aside)
		(void)renameat2(p->dir, ASIDE, p->dir, p->base, RENAME_NOREPLACE);
	(void)close(p->dir);
	free(p->base);
	*p = (struct unix_place){.dir = -EBADF};
}

/* Makes the name free. A socket that is left there from before goes, if the name is to stay. */
static int make_room(struct file_restore *r, const char *path, bool keep, struct unix_place *place,
	struct err *err)
{
	autofree char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	struct stat st;
	int c;

	if (!slash)
		return err_oom(err);
	*slash = '\0';
	c = path_walk(file_restore_root(r), *dir ? dir : "/", O_PATH | O_DIRECTORY, 0);
	if (c < 0)
		return err_set(err, c, "cannot open the directory of socket '%s'", path);
	*place = (struct unix_place){.dir = c, .base = strdup(slash + 1)};
	if (!place->base)
		return err_oom(err);
	if (fstatat(place->dir, place->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (keep && S_ISSOCK(st.st_mode))
		return unlinkat(place->dir, place->base, 0) < 0
			       ? err_set(err, -errno, "cannot replace socket '%s'", path)
			       : 0;
	if (keep)
		return err_setx(err, -EEXIST, "'%s' is something else than a socket now", path);
	if (renameat2(place->dir, place->base, place->dir, ASIDE, RENAME_NOREPLACE) < 0)
		return err_set(err, -errno, "cannot move '%s' out of the way", path);
	place->aside = true;
	return 0;
}

static int bind_path(struct file_restore *r, struct binding *b, const Kist__FilePath *p, bool keep,
	struct unix_place *place, struct err *err)
{
	int c = make_room(r, p->path, keep, place, err);

	if (c < 0)
		return c;
	c = bind_from(r, b, p->path, err);
	if (c < 0)
		return err_set(err, c, "cannot bind socket '%s'", p->path);
	place->made = true;
	if (!keep)
		return 0;
	if (fchownat(place->dir, place->base, p->uid, p->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
		fchmodat(place->dir, place->base, p->mode & 07777, 0) < 0)
		return err_set(err, -errno, "cannot set owner and mode of socket '%s'", p->path);
	place->made = false; /* it stays */
	return 0;
}

int unix_bind(struct file_restore *r, int fd, const Kist__UnixName *name, bool keep,
	struct unix_place *place, struct err *err)
{
	Kist__FilePath guess = KIST__FILE_PATH__INIT;
	const Kist__FilePath *p = name->path;
	struct binding b = {.fd = fd};
	int c;

	if (unix_addr_of(&name->name, &b.addr) < 0)
		return err_setx(err, -EINVAL, "image: the name of a unix socket is too long");
	if (b.addr.un.sun_path[0] == '\0') {
		c = do_bind(&b);
		return c < 0 ? err_set(err, c, "cannot bind abstract unix socket '%.100s'",
				       b.addr.un.sun_path + 1)
			     : 0;
	}
	if (!p && b.addr.un.sun_path[0] != '/') /* of a sender that is gone: text only */
		return 0;
	if (!p) {
		guess.path = strndupa(b.addr.un.sun_path, sizeof(b.addr.un.sun_path));
		p = &guess;
	}
	c = bind_path(r, &b, p, keep && !p->deleted, place, err);
	if (c < 0 || keep)
		unix_unbind(place);
	return c;
}
