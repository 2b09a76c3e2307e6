// SPDX-License-Identifier: Apache-2.0
/* The three front doors: which one is told by the name of the program. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "criu/criu.h"
#include "oci/oci.h"

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} fronts[] = {
	{"kist-criu", criu_main},
	{"kist-oci", oci_main},
	/* in the place of the programs that callers look for */
	{"criu", criu_main},
	{"crun", oci_main},
	{"runc", oci_main},
};

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
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc ? argv[0] : "";
	size_t i;

	if (ensure_stdio() < 0)
		return 1;
	for (i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++)
		if (strcmp(name, fronts[i].name) == 0)
			return fronts[i].main(argc, argv);
	return cli_main(argc, argv);
}
