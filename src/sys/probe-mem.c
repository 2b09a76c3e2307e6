// SPDX-License-Identifier: Apache-2.0
/* Attempts at what concerns memory. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/util.h"
#include "sys/pagemap.h"
#include "sys/probe-internal.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15) /* Linux 6.7 */
#endif
#define PAGEMAP_SCAN_NOTHING 0xc0606610ul /* _IOWR('f', 16, struct pm_scan_arg) */

int probe_process_vm(void)
{
	char from = 1, to = 0;
	struct iovec local = {&to, 1}, remote = {&from, 1};

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) < 0 ? -errno : 0;
}

int probe_set_mm_map(void)
{
	unsigned int size = 0;

	return prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) < 0 ? -errno : 0;
}

int probe_pagemap_scan(void)
{
	autoclose int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* a kernel that knows the call looks at its argument */
	return ioctl(fd, PAGEMAP_SCAN_NOTHING, NULL) < 0 && errno == EFAULT ? 0 : -ENOTTY;
}

int probe_guard_pages(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r;

	if (p == MAP_FAILED)
		return -errno;
	r = madvise(p, 4096, MADV_GUARD_INSTALL) < 0 ? -errno : 0;
	(void)munmap(p, 4096); /* just mapped */
	return r;
}

/* A userfaultfd, by the system call or by the device, with @features; or -errno. */
static int uffd_open(uint64_t features)
{
	struct uffdio_api api = {.api = UFFD_API, .features = features};
	autoclose int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK), dev = -EBADF;

	if (fd < 0) {
		dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
		fd = dev < 0 ? -1 : ioctl(dev, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
	}
	if (fd < 0)
		return -errno;
	return ioctl(fd, UFFDIO_API, &api) < 0 ? -errno : 0;
}

int probe_userfaultfd(void)
{
	return uffd_open(0);
}

int probe_uffd_minor(void)
{
	return uffd_open(UFFD_FEATURE_MINOR_SHMEM);
}

int probe_uffd_wp_async(void)
{
	return uffd_open(UFFD_FEATURE_WP_ASYNC);
}
