// SPDX-License-Identifier: Apache-2.0
/* Making ptys, their size, and handing a master to whoever asked for it by a console socket. */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "base/util.h"
#include "sys/syscall.h"
#include "tty/tty.h"

int tty_open_peer(int master)
{
	int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int tty_open_pty(const char *ptmx_path, int *ret_master, int *ret_slave, struct err *err)
{
	struct open_how how = {
		.flags = O_RDWR | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	autoclose int master = sys_openat2(AT_FDCWD, ptmx_path, &how), slave = -EBADF;
	struct statfs fs;

	if (master < 0)
		return err_set(err, master, "cannot open '%s' for a terminal", ptmx_path);
	if (fstatfs(master, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC)
		return err_setx(err, -ENODEV, "'%s' is not of a devpts file system", ptmx_path);
	if (unlockpt(master) < 0)
		return err_set(err, -errno, "cannot unlock a terminal of '%s'", ptmx_path);
	slave = tty_open_peer(master);
	if (slave < 0)
		return err_set(err, slave, "cannot open a terminal of '%s'", ptmx_path);
	*ret_master = TAKE_FD(master);
	*ret_slave = TAKE_FD(slave);
	return 0;
}

void tty_set_size(int fd, unsigned short rows, unsigned short columns)
{
	struct winsize ws = {.ws_row = rows, .ws_col = columns};

	(void)ioctl(fd, TIOCSWINSZ, &ws); /* a wrong size is better than no terminal */
}

void tty_copy_size(int from, int to)
{
	struct winsize ws;

	if (ioctl(from, TIOCGWINSZ, &ws) == 0)
		(void)ioctl(to, TIOCSWINSZ, &ws); /* as above */
}

int tty_console_socket_send(const char *path, int master, struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	static const char name[] = "/dev/ptmx";
	autoclose int sock = -EBADF;
	int r;

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_setx(
			err, -ENAMETOOLONG, "the console socket's path '%s' is too long", path);
	strcpy(addr.sun_path, path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_set(err, -errno, "cannot connect to the console socket '%s'", path);
	r = fd_send(sock, &master, 1, name, sizeof(name) - 1);
	if (r < 0)
		return err_set(err, r, "cannot send the terminal to the console socket '%s'", path);
	return 0;
}
