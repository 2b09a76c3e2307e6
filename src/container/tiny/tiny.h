/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kist's two small programs (init, monitor) have in place of a libc: they are in memory for
 * as long as their container lives, so every page counts, and an init without libc is the same in
 * every rootfs. Results are those of the kernel: ≥ 0 or -errno.
 */
#pragma once

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/types.h>

#include <tiny-arch.h>

#define TINY_CALL(nr, a, b, c, d, e) \
	tiny_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))

typedef __u64 tiny_sigset;
#define TINY_SIG(n) (1ull << ((n)-1))

int tiny_main(int argc, char **argv, char **envp);

static inline long tiny_read(int fd, void *p, unsigned long n)
{
	return TINY_CALL(__NR_read, fd, p, n, 0, 0);
}

static inline long tiny_write(int fd, const void *p, unsigned long n)
{
	return TINY_CALL(__NR_write, fd, p, n, 0, 0);
}

static inline long tiny_close(int fd)
{
	return TINY_CALL(__NR_close, fd, 0, 0, 0, 0);
}

static inline long tiny_sigmask(const tiny_sigset *set, tiny_sigset *old)
{
	return TINY_CALL(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, set, old, sizeof(*set), 0);
}

_Noreturn void tiny_exit(int status);
/* The decimal number @s, -1 when it is none. */
long tiny_number(const char *s);
/* Writes @n in decimal with a newline to @buf (24 bytes), returns the length. */
int tiny_decimal(char *buf, long n);
