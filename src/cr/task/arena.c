// SPDX-License-Identifier: Apache-2.0
/* Memory of a record under construction, freed all at once. */
#include "base/util.h"
#include "cr/task/task-internal.h"

void *arena_alloc(struct arena *a, size_t size)
{
	void *p;

	if (array_reserve(&a->p, &a->cap, a->n + 1, sizeof(*a->p)) < 0)
		return NULL;
	p = calloc(1, size ? size : 1);
	if (p)
		a->p[a->n++] = p;
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	size_t len = strlen(s) + 1;
	char *p = arena_alloc(a, len);

	return p ? memcpy(p, s, len) : NULL;
}

void arena_done(struct arena *a)
{
	while (a->n)
		free(a->p[--a->n]);
	free(a->p);
	*a = (struct arena){0};
}
