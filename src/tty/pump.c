// SPDX-License-Identifier: Apache-2.0
/* See tty.h: struct tty_pump. The caller polls; nothing here waits. */
#include <poll.h>

#include "base/util.h"
#include "tty/tty.h"

short tty_pump_wants_read(const struct tty_pump *p)
{
	return !p->eof && p->len == 0 ? POLLIN : 0;
}

short tty_pump_wants_write(const struct tty_pump *p)
{
	return p->len ? POLLOUT : 0;
}

void tty_pump_read(struct tty_pump *p)
{
	ssize_t n = read(p->from, p->data, sizeof(p->data));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		p->eof = true;
		return;
	}
	p->off = 0;
	p->len = (size_t)n;
}

int tty_pump_write(struct tty_pump *p)
{
	ssize_t n = write(p->to, p->data + p->off, p->len);

	if (n < 0) {
		if (errno == EINTR || errno == EAGAIN)
			return 0;
		p->len = 0;
		return -EPIPE;
	}
	p->off += n;
	p->len -= n;
	return 0;
}
