// SPDX-License-Identifier: Apache-2.0
/* See util.h. */
#include "base/util.h"

uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts); /* cannot fail for these */
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

int64_t clock_ms(void)
{
	return (int64_t)(clock_ns(CLOCK_MONOTONIC) / 1000000);
}

int array_reserve(void *ptr, size_t *cap, size_t need, size_t size)
{
	void **array = ptr;
	size_t n;
	char *p;

	if (need <= *cap)
		return 0;
	n = MAX(need, MAX(*cap * 2, (size_t)8));
	p = reallocarray(*array, n, size);
	if (!p)
		return -ENOMEM;
	memset(p + *cap * size, 0, (n - *cap) * size);
	*array = p;
	*cap = n;
	return 0;
}

void strv_free(char **v)
{
	char **s;

	for (s = v; s && *s; s++)
		free(*s);
	free(v);
}

size_t strv_len(char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

int strv_push(char ***v, const char *s)
{
	size_t n = strv_len(*v);
	char *copy = strdup(s);
	char **p;

	if (!copy)
		return -ENOMEM;
	p = reallocarray(*v, n + 2, sizeof(*p));
	if (!p) {
		free(copy);
		return -ENOMEM;
	}
	p[n] = copy;
	p[n + 1] = NULL;
	*v = p;
	return 0;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(char **v)
{
	if (v)
		qsort(v, strv_len(v), sizeof(*v), compare_strings);
}

bool strv_sorted_has(char *const *v, const char *s)
{
	return v && bsearch(&s, v, strv_len(v), sizeof(*v), compare_strings);
}

char **strv_dup(char *const *v)
{
	size_t i, n = strv_len(v);
	char **copy = calloc(n + 1, sizeof(*copy));

	for (i = 0; copy && i < n; i++) {
		copy[i] = strdup(v[i]);
		if (!copy[i]) {
			strv_free(copy);
			return NULL;
		}
	}
	return copy;
}

int env_put(char ***env, const char *entry)
{
	size_t n = strcspn(entry, "=") + 1, i;
	char *copy;

	for (i = 0; *env && (*env)[i]; i++) {
		if (strncmp((*env)[i], entry, n) != 0)
			continue;
		copy = strdup(entry);
		if (!copy)
			return -ENOMEM;
		free((*env)[i]);
		(*env)[i] = copy;
		return 0;
	}
	return strv_push(env, entry);
}
