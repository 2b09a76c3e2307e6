// SPDX-License-Identifier: Apache-2.0
/* See tiny.h: the entry, and the functions that the compiler itself calls. */
#include "container/tiny/tiny.h"

TINY_ENTRY;

_Noreturn void tiny_start(long *sp);
void *memset(void *p, int c, unsigned long n);
void *memcpy(void *to, const void *from, unsigned long n);

_Noreturn void tiny_exit(int status)
{
	for (;;)
		TINY_CALL(__NR_exit_group, status, 0, 0, 0, 0);
}

_Noreturn void tiny_start(long *sp)
{
	char **argv = (char **)(sp + 1);

	tiny_exit(tiny_main((int)sp[0], argv, argv + sp[0] + 1));
}

/* The barrier keeps the compiler from turning the loop into a call of the function itself. */
void *memset(void *p, int c, unsigned long n)
{
	char *s = p;

	while (n--) {
		*s++ = (char)c;
		__asm__ volatile("" ::: "memory");
	}
	return p;
}

void *memcpy(void *to, const void *from, unsigned long n)
{
	const char *f = from;
	char *t = to;

	while (n--) {
		*t++ = *f++;
		__asm__ volatile("" ::: "memory");
	}
	return to;
}

long tiny_number(const char *s)
{
	long n = 0;

	if (!*s)
		return -1;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || n > (1l << 55))
			return -1;
		n = n * 10 + (*s - '0');
	}
	return n;
}

int tiny_decimal(char *buf, long n)
{
	char digits[24];
	int k = 0, len = 0;

	do
		digits[k++] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	while (k)
		buf[len++] = digits[--k];
	buf[len++] = '\n';
	return len;
}
