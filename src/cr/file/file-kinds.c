// SPDX-License-Identifier: Apache-2.0
/*
 * The table of kinds. Order matters: probing takes the first row that fits; finishing a dump and
 * filling slots go through the rows from top to bottom.
 */
#include "base/util.h"
#include "cr/file/file-internal.h"

const struct file_kind *const file_kinds[] = {
	&file_kind_external,
	&file_kind_nsfd,
	&file_kind_memfd,
	&file_kind_shanon,
	&file_kind_tty,
	&file_kind_pipe,
	&file_kind_unix,
	&file_kind_eventfd,
	&file_kind_signalfd,
	&file_kind_timerfd,
	&file_kind_inotify,
	&file_kind_pidfd,
	&file_kind_inet,
	&file_kind_netlink,
	&file_kind_reg,
	&file_kind_chardev,
	&file_kind_epoll, /* last: a target may be anything */
	NULL,
};

size_t file_kind_count(void)
{
	return ARRAY_SIZE(file_kinds) - 1;
}
