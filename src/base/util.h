/* SPDX-License-Identifier: Apache-2.0 */
/* Ownership helpers and the few macros that a function cannot replace. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

static inline void autofree_p(void *p)
{
	free(*(void **)p);
}

static inline void autoclose_p(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd); /* nothing useful can be done about a failed close */
	errno = saved;
}

/* Frees, or closes, the variable when it goes out of scope. An unset fd is -EBADF. */
#define autofree  __attribute__((cleanup(autofree_p), unused))
#define autoclose __attribute__((cleanup(autoclose_p), unused))

/* Hands the value over and leaves the variable unset. */
#define TAKE_PTR(p)                      \
	({                               \
		__auto_type take_ = (p); \
		(p) = NULL;              \
		take_;                   \
	})
#define TAKE_FD(fd)               \
	({                        \
		int take_ = (fd); \
		(fd) = -EBADF;    \
		take_;            \
	})

/*
 * Makes room for @need elements of @size bytes in the array *@ptr that has room for *@cap.
 * New elements are zeroed. Returns 0 or -ENOMEM (the array is then untouched).
 */
int array_reserve(void *ptr, size_t *cap, size_t need, size_t size);

/* A clock of clock_gettime(2) that every Linux has, in nanoseconds. */
uint64_t clock_ns(clockid_t clock);
/* CLOCK_MONOTONIC in milliseconds, for deadlines. */
int64_t clock_ms(void);
#define NSEC_PER_SEC 1000000000

/* Frees a NULL-terminated array of strings and the strings. NULL is fine. */
void strv_free(char **v);
size_t strv_len(char *const *v);
/* Appends a copy of @s to *@v. Returns 0 or -ENOMEM. */
int strv_push(char ***v, const char *s);
/* Sets "NAME=VALUE" in an environment, in the place of what NAME was. Returns 0 or -ENOMEM. */
int env_put(char ***env, const char *assignment);
/* Sorts by bytes; and is @s in the sorted @v? NULL is an empty list. */
void strv_sort(char **v);
bool strv_sorted_has(char *const *v, const char *s);
/* A deep copy, or NULL without memory. */
char **strv_dup(char *const *v);

static inline void strv_free_p(char ***v)
{
	strv_free(*v);
}
#define autostrv __attribute__((cleanup(strv_free_p)))
