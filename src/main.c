// SPDX-License-Identifier: Apache-2.0
/* The three front doors: which one is told by the name of the program. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/cli.h"

/* Without fds 0-2, the next files that are opened would be taken for them. */
static int ensure_stdio(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_NOCTTY); /* not close-on-exec: they are for all */
		if (fd < 0)
			return -errno;
	} while (fd <= STDERR_FILENO);
	return close(fd) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	if (ensure_stdio() < 0)
		return 1;
	return cli_main(argc, argv);
}
