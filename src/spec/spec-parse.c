// SPDX-License-Identifier: Apache-2.0
/*
 * config.json → struct spec, by the field tables. Types are checked strictly; null counts as absent
 * and members that no row names are ignored, as the OCI specification asks.
 */
#include <ctype.h>
#include <stdio.h>
#include <sys/capability.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "spec/spec-internal.h"

#define JSON_MAX ((size_t)16 << 20)

/* "linux.namespaces[2].type" */
static void at_spell(const struct json_at *at, struct buf *b)
{
	if (!at)
		return;
	at_spell(at->up, b);
	/* a failed add shows as a shorter path in the message */
	if (!at->name)
		(void)buf_addf(b, "[%zu]", at->index);
	else
		(void)buf_addf(b, "%s%s", b->len ? "." : "", at->name);
}

int parse_fail(struct err *err, const struct json_at *at, const char *fmt, ...)
{
	autobuf struct buf path = {0};
	char text[256];
	va_list ap;

	at_spell(at, &path);
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* a cut text is still a text */
	va_end(ap);
	return err_setx(
		err, -EINVAL, "config.json: '%s' %s", path.len ? path.data : "(document)", text);
}

/* Numbers beyond INT64_MAX arrive as {"u64": "digits"}, see widen(). */
static int get_u64(json_t *json, uint64_t *ret)
{
	const char *big;

	if (json_is_integer(json)) {
		if (json_integer_value(json) < 0)
			return -EINVAL;
		*ret = json_integer_value(json);
		return 0;
	}
	big = json_is_object(json) && json_object_size(json) == 1
		      ? json_string_value(json_object_get(json, "u64"))
		      : NULL;
	return big ? parse_u64(big, 10, ret) : -EINVAL;
}

static int parse_string(json_t *json, char **ret, const struct json_at *at, struct err *err)
{
	char *s;

	if (!json_is_string(json))
		return parse_fail(err, at, "must be a string");
	s = strdup(json_string_value(json));
	if (!s)
		return err_oom(err);
	free(*ret);
	*ret = s;
	return 0;
}

static int parse_strv(json_t *json, char ***ret, const struct json_at *at, struct err *err)
{
	size_t i, n = json_array_size(json);
	autostrv char **v = NULL;
	int r;

	if (!json_is_array(json))
		return parse_fail(err, at, "must be a list of strings");
	v = calloc(n + 1, sizeof(*v));
	if (!v)
		return err_oom(err);
	for (i = 0; i < n; i++) {
		const struct json_at elem = {.up = at, .index = i};

		r = parse_string(json_array_get(json, i), &v[i], &elem, err);
		if (r < 0)
			return r;
	}
	strv_free(*ret);
	*ret = TAKE_PTR(v);
	return 0;
}

static int parse_u32_value(json_t *json, uint32_t *ret, const struct json_at *at, struct err *err)
{
	uint64_t n;

	if (get_u64(json, &n) < 0 || n > UINT32_MAX)
		return parse_fail(err, at, "must be a whole number from 0 to 4294967295");
	*ret = (uint32_t)n;
	return 0;
}

static int parse_u32v(
	json_t *json, uint32_t **ret, size_t *ret_n, const struct json_at *at, struct err *err)
{
	size_t i, n = json_array_size(json);
	autofree uint32_t *v = NULL;
	int r;

	if (!json_is_array(json))
		return parse_fail(err, at, "must be a list of numbers");
	v = calloc(n ? n : 1, sizeof(*v));
	if (!v)
		return err_oom(err);
	for (i = 0; i < n; i++) {
		const struct json_at elem = {.up = at, .index = i};

		r = parse_u32_value(json_array_get(json, i), &v[i], &elem, err);
		if (r < 0)
			return r;
	}
	free(*ret);
	*ret = n ? TAKE_PTR(v) : NULL;
	*ret_n = n;
	return 0;
}

static int parse_caps(json_t *json, uint64_t *ret, const struct json_at *at, struct err *err)
{
	size_t i, n = json_array_size(json);
	uint64_t mask = 0;

	if (!json_is_array(json))
		return parse_fail(err, at, "must be a list of capability names");
	for (i = 0; i < n; i++) {
		const struct json_at elem = {.up = at, .index = i};
		const char *name = json_string_value(json_array_get(json, i));
		cap_value_t cap;

		if (!name)
			return parse_fail(err, &elem, "must be a string");
		/* libcap also takes bare numbers, which the specification does not */
		if (strncasecmp(name, "CAP_", 4) != 0 || cap_from_name(name, &cap) < 0 || cap > 63)
			log_warn("ignoring the unknown capability '%s'", name); /* as OCI wants */
		else
			mask |= UINT64_C(1) << cap;
	}
	*ret = mask;
	return 0;
}

static int parse_map(
	json_t *json, const struct field *f, void *base, const struct json_at *at, struct err *err)
{
	struct field_pair **ret = (struct field_pair **)((char *)base + f->offset);
	size_t *ret_n = (size_t *)((char *)base + f->aux);
	const char *key;
	json_t *value;

	if (!json_is_object(json))
		return parse_fail(err, at, "must be an object of %s",
			f->flags & FIELD_NAMED ? "objects" : "strings");
	json_object_foreach(json, key, value)
	{
		const struct json_at elem = {.up = at, .name = key};
		const struct json_at name = {.up = &elem, .name = "name"};

		if ((f->flags & FIELD_NAMED) && !json_is_object(value))
			return parse_fail(err, &elem, "must be an object");
		if (f->flags & FIELD_NAMED)
			value = json_object_get(value, "name");
		if (value && !json_is_string(value))
			return parse_fail(
				err, f->flags & FIELD_NAMED ? &name : &elem, "must be a string");
		if (pairs_put(ret, ret_n, key, value ? json_string_value(value) : "") < 0)
			return err_oom(err);
	}
	return 0;
}

static int parse_array(
	json_t *json, const struct field *f, void *base, const struct json_at *at, struct err *err)
{
	size_t i, n = json_array_size(json), *count = (size_t *)((char *)base + f->aux);
	char **array = (char **)((char *)base + f->offset);
	int r;

	if (!json_is_array(json))
		return parse_fail(err, at, "must be a list of objects");
	if (n == 0)
		return 0;
	*array = calloc(n, f->size);
	if (!*array)
		return err_oom(err);
	for (i = 0; i < n; i++) {
		const struct json_at elem = {.up = at, .index = i};

		fields_unset(f->sub, *array + i * f->size);
		*count = i + 1; /* so that a half-read element is freed too */
		r = parse_fields(f->sub, json_array_get(json, i), *array + i * f->size, &elem, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_short(json_t *json, char *ret, size_t min, size_t max, const char *allowed,
	const struct json_at *at, struct err *err)
{
	const char *s = json_string_value(json);
	size_t n = s ? strlen(s) : 0;

	if (!s || n < min || n > max || strspn(s, allowed) != n)
		return parse_fail(err, at, "must be a string of %zu to %zu of the letters '%s'",
			min, max, allowed);
	memcpy(ret, s, n);
	return 0;
}

static int parse_enum(json_t *json, const struct field *f, int64_t *ret, const struct json_at *at,
	struct err *err)
{
	const char *s = json_string_value(json);
	int64_t i;

	for (i = 0; s && f->names[i]; i++)
		if (!strcmp(s, f->names[i])) {
			*ret = i;
			return 0;
		}
	return parse_fail(err, at, "is none of the known names: '%s'", s ? s : "(not a string)");
}

static int parse_i64_value(json_t *json, const struct field *f, int64_t *ret,
	const struct json_at *at, struct err *err)
{
	json_int_t n = json_integer_value(json);

	if (!json_is_integer(json) || n == SPEC_UNSET)
		return parse_fail(err, at, "must be a whole number");
	*ret = (f->flags & FIELD_ANY) && n < 0 ? SPEC_UNSET : n;
	return 0;
}

static int parse_object(
	json_t *json, const struct field *f, void *base, const struct json_at *at, struct err *err)
{
	if (f->aux)
		*((bool *)base + f->aux) = true;
	return parse_fields(f->sub, json, (char *)base + f->offset, at, err);
}

static int parse_field(
	json_t *json, const struct field *f, void *base, const struct json_at *at, struct err *err)
{
	void *to = (char *)base + f->offset;

	switch (f->type) {
	case FIELD_STRING:
		return parse_string(json, to, at, err);
	case FIELD_BOOL:
		if (!json_is_boolean(json))
			return parse_fail(err, at, "must be true or false");
		*(bool *)to = json_is_true(json);
		return 0;
	case FIELD_U32:
		return parse_u32_value(json, to, at, err);
	case FIELD_I64:
		return parse_i64_value(json, f, to, at, err);
	case FIELD_U64:
		if (get_u64(json, to) < 0)
			return parse_fail(err, at, "must be a whole number, 0 or more");
		return 0;
	case FIELD_ENUM:
		return parse_enum(json, f, to, at, err);
	case FIELD_CHAR:
		return parse_short(json, to, 0, 1, "abcpu", at, err);
	case FIELD_ACCESS:
		memset(to, 0, 4);
		return parse_short(json, to, 0, 3, "rwm", at, err);
	case FIELD_STRV:
		return parse_strv(json, to, at, err);
	case FIELD_U32V:
		return parse_u32v(json, to, (size_t *)((char *)base + f->aux), at, err);
	case FIELD_CAPS:
		return parse_caps(json, to, at, err);
	case FIELD_MAP:
		return parse_map(json, f, base, at, err);
	case FIELD_OBJECT:
		return parse_object(json, f, base, at, err);
	case FIELD_ARRAY:
		return parse_array(json, f, base, at, err);
	case FIELD_CUSTOM:
		return f->parse(json, base, at, err);
	case FIELD_END:
		break;
	}
	return 0;
}

int parse_fields(const struct field *rows, json_t *json, void *base, const struct json_at *at,
	struct err *err)
{
	const struct field *f;
	int r;

	if (!json_is_object(json))
		return parse_fail(err, at, "must be an object");
	for (f = rows; f->type; f++) {
		const struct json_at member = {.up = at, .name = f->name};
		json_t *value = json_object_get(json, f->name);

		if (!value || json_is_null(value))
			continue;
		r = parse_field(value, f, base, &member, err);
		if (r < 0)
			return r;
	}
	return 0;
}

struct namespace_entry {
	char *type, *path;
};

static const struct field namespace_fields[] = {
	{"type", FIELD_STRING, .offset = offsetof(struct namespace_entry, type)},
	{"path", FIELD_STRING, .offset = offsetof(struct namespace_entry, path)},
	{0},
};

static int parse_namespace(
	json_t *json, struct spec_linux *l, const struct json_at *at, struct err *err)
{
	const struct json_at type = {.up = at, .name = "type"};
	struct namespace_entry e = {0};
	int ns, r;

	r = parse_fields(namespace_fields, json, &e, at, err);
	for (ns = 0; r == 0 && ns < SPEC_NS_COUNT; ns++)
		if (e.type && !strcmp(e.type, spec_ns_name(ns)))
			break;
	if (r == 0 && ns == SPEC_NS_COUNT)
		r = parse_fail(err, &type, "is no kind of namespace: '%s'", e.type ? e.type : "");
	else if (r == 0 && l->ns[ns].enabled)
		r = parse_fail(err, &type, "gives the namespace '%s' a second time", e.type);
	if (r == 0) {
		l->ns[ns].enabled = true;
		if (e.path && *e.path)
			l->ns[ns].path = TAKE_PTR(e.path);
	}
	fields_free(namespace_fields, &e);
	return r;
}

int parse_namespaces(json_t *json, void *base, const struct json_at *at, struct err *err)
{
	struct spec_linux *l = base;
	size_t i;
	int r;

	if (!json_is_array(json))
		return parse_fail(err, at, "must be a list of objects");
	for (i = 0; i < json_array_size(json); i++) {
		const struct json_at elem = {.up = at, .index = i};

		r = parse_namespace(json_array_get(json, i), l, &elem, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * jansson's integers are signed, the specification's (RLIM_INFINITY, seccomp arguments) are not:
 * copies the document with each number from 2^63 to 2^64-1 replaced by an object, which every other
 * field refuses as a wrong type.
 */
static int widen(const char *json, size_t len, struct buf *out)
{
	size_t i = 0, start;
	uint64_t n;

	while (i < len && !out->failed) {
		start = i;
		if (json[i] == '"') {
			for (i++; i < len && json[i] != '"'; i++)
				if (json[i] == '\\')
					i++;
			i = MIN(i + 1, len);
		} else if (strchr("+-.", json[i]) || isalnum((unsigned char)json[i])) {
			char digits[24] = "";

			while (i < len &&
				(strchr("+-.", json[i]) || isalnum((unsigned char)json[i])))
				i++;
			if (i - start < sizeof(digits))
				memcpy(digits, json + start, i - start);
			if (digits[0] >= '1' && digits[0] <= '9' &&
				parse_u64(digits, 10, &n) == 0 && n > INT64_MAX) {
				(void)buf_addf(out, "{\"u64\":\"%s\"}", digits);
				continue;
			}
		} else {
			i++;
		}
		(void)buf_add(out, json + start, i - start); /* out->failed is looked at below */
	}
	return out->failed ? -ENOMEM : 0;
}

static int load(const char *text, size_t len, json_t **ret, struct err *err)
{
	autobuf struct buf wide = {0};
	json_error_t e;

	if (len > JSON_MAX)
		return err_setx(err, -EFBIG, "config.json is larger than %zu MiB", JSON_MAX >> 20);
	if (widen(text, len, &wide) < 0)
		return err_oom(err);
	*ret = json_loadb(buf_str(&wide), wide.len, 0, &e);
	if (!*ret)
		return err_setx(
			err, -EINVAL, "config.json is not JSON, line %d: %s", e.line, e.text);
	return 0;
}

/* What absence means to the kernel. */
static void complete_device_rules(struct spec_linux *l)
{
	size_t i;

	for (i = 0; i < l->n_device_rules; i++) {
		if (!l->device_rules[i].type)
			l->device_rules[i].type = 'a';
		if (!l->device_rules[i].access[0])
			memcpy(l->device_rules[i].access, "rwm", 4);
	}
}

int spec_parse(const char *json, size_t len, struct spec **ret, struct err *err)
{
	struct spec *spec;
	json_t *doc;
	int r;

	r = load(json, len, &doc, err);
	if (r < 0)
		return r;
	spec = spec_new();
	r = spec ? parse_fields(spec_fields, doc, spec, NULL, err) : err_oom(err);
	json_decref(doc);
	if (r < 0) {
		spec_free(spec);
		return r;
	}
	complete_device_rules(&spec->linux_);
	*ret = spec;
	return 0;
}

int spec_parse_process(const char *json, size_t len, struct spec *spec, struct err *err)
{
	struct spec_process p = {0};
	json_t *doc;
	int r;

	r = load(json, len, &doc, err);
	if (r < 0)
		return r;
	fields_unset(spec_process_fields, &p);
	r = parse_fields(spec_process_fields, doc, &p, NULL, err);
	json_decref(doc);
	if (r < 0) {
		fields_free(spec_process_fields, &p);
		return r;
	}
	fields_free(spec_process_fields, &spec->process);
	spec->process = p;
	spec->has_process = true;
	return 0;
}
