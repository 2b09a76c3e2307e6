// SPDX-License-Identifier: Apache-2.0
/* See embedded.h. */
#include "container/embedded.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/io.h"
#include "base/util.h"

int embedded_open(const char *name, const unsigned char *data, unsigned int size, struct err *err)
{
	autoclose int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return err_set(err, -errno, "cannot make the memory file '%s'", name);
	r = io_write(fd, data, size);
	if (r < 0)
		return err_set(err, r, "cannot fill the memory file '%s'", name);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return err_set(err, -errno, "cannot seal the memory file '%s'", name);
	return TAKE_FD(fd);
}
