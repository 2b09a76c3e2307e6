// SPDX-License-Identifier: Apache-2.0
/* Making and freeing descriptions by their field tables, and the names of namespaces. */
#include "spec/spec.h"

#include <sched.h>

#include "base/util.h"
#include "spec/spec-internal.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static const struct {
	const char *name;
	int flag;
} namespaces[SPEC_NS_COUNT] = {
	[SPEC_NS_USER] = {"user", CLONE_NEWUSER},
	[SPEC_NS_CGROUP] = {"cgroup", CLONE_NEWCGROUP},
	[SPEC_NS_IPC] = {"ipc", CLONE_NEWIPC},
	[SPEC_NS_UTS] = {"uts", CLONE_NEWUTS},
	[SPEC_NS_NET] = {"network", CLONE_NEWNET},
	[SPEC_NS_PID] = {"pid", CLONE_NEWPID},
	[SPEC_NS_TIME] = {"time", CLONE_NEWTIME},
	[SPEC_NS_MNT] = {"mount", CLONE_NEWNS},
};

const char *spec_ns_name(enum spec_ns ns)
{
	return namespaces[ns].name;
}

int spec_ns_clone_flag(enum spec_ns ns)
{
	return namespaces[ns].flag;
}

void fields_unset(const struct field *rows, void *base)
{
	const struct field *f;

	for (f = rows; f->type; f++) {
		void *at = (char *)base + f->offset;

		if (f->type == FIELD_ENUM || (f->type == FIELD_I64 && !(f->flags & FIELD_ZERO)))
			*(int64_t *)at = SPEC_UNSET;
		else if (f->type == FIELD_OBJECT)
			fields_unset(f->sub, at);
	}
}

static void pairs_free(struct field_pair *pairs, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(pairs[i].key);
		free(pairs[i].value);
	}
	free(pairs);
}

int pairs_put(struct field_pair **pairs, size_t *n, const char *key, const char *value)
{
	autofree char *k = NULL, *v = strdup(value);
	struct field_pair *p;
	size_t i;

	if (!v)
		return -ENOMEM;
	for (i = 0; i < *n; i++)
		if (!strcmp((*pairs)[i].key, key)) {
			free((*pairs)[i].value);
			(*pairs)[i].value = TAKE_PTR(v);
			return 0;
		}
	k = strdup(key);
	p = k ? reallocarray(*pairs, *n + 1, sizeof(*p)) : NULL;
	if (!p)
		return -ENOMEM;
	p[*n] = (struct field_pair){TAKE_PTR(k), TAKE_PTR(v)};
	*pairs = p;
	++*n;
	return 0;
}

void fields_free(const struct field *rows, void *base)
{
	const struct field *f;

	for (f = rows; f->type; f++) {
		void *at = (char *)base + f->offset;
		size_t i, n = 0;

		if (f->type == FIELD_MAP || f->type == FIELD_ARRAY)
			n = *(size_t *)((char *)base + f->aux);
		switch (f->type) {
		case FIELD_STRING:
		case FIELD_U32V:
			free(*(void **)at);
			break;
		case FIELD_STRV:
			strv_free(*(char ***)at);
			break;
		case FIELD_MAP:
			pairs_free(*(struct field_pair **)at, n);
			break;
		case FIELD_OBJECT:
			fields_free(f->sub, at);
			break;
		case FIELD_ARRAY:
			for (i = 0; i < n; i++)
				fields_free(f->sub, *(char **)at + i * f->size);
			free(*(void **)at);
			break;
		default:
			break;
		}
	}
}

struct spec *spec_new(void)
{
	struct spec *spec = calloc(1, sizeof(*spec));

	if (spec)
		fields_unset(spec_fields, spec);
	return spec;
}

void spec_free(struct spec *spec)
{
	size_t i;

	if (!spec)
		return;
	fields_free(spec_fields, spec);
	for (i = 0; i < SPEC_NS_COUNT; i++)
		free(spec->linux_.ns[i].path);
	free(spec);
}

void spec_seccomp_done(struct spec_seccomp *sc)
{
	fields_free(spec_seccomp_fields, sc);
	memset(sc, 0, sizeof(*sc));
	fields_unset(spec_seccomp_fields, sc);
}
