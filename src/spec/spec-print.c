// SPDX-License-Identifier: Apache-2.0
/*
 * struct spec → config.json, by the field tables. Written by hand rather than by jansson, whose
 * integers are signed; strings are quoted by jansson, which also refuses what is not UTF-8.
 */
#include <inttypes.h>
#include <sys/capability.h>

#include "base/util.h"
#include "spec/spec-internal.h"

static void out_indent(struct json_out *out)
{
	int i;

	/* failed adds are remembered by the buffer and reported once, by spec_print */
	(void)buf_adds(out->buf, out->more ? ",\n" : "\n");
	for (i = 0; i < out->depth; i++)
		(void)buf_add(out->buf, "\t", 1);
	out->more = true;
}

static void out_name(struct json_out *out, const char *name)
{
	if (out->depth)
		out_indent(out);
	if (name)
		(void)buf_addf(out->buf, "\"%s\": ", name);
}

static void out_open(struct json_out *out, const char *name, const char *bracket)
{
	out_name(out, name);
	(void)buf_adds(out->buf, bracket);
	out->depth++;
	out->more = false;
}

static void out_close(struct json_out *out, const char *bracket)
{
	bool any = out->more;

	out->depth--;
	out->more = false;
	if (any)
		out_indent(out);
	(void)buf_adds(out->buf, bracket);
	out->more = true;
}

/* The text of a string, quoted and escaped. */
static int out_quote(struct json_out *out, const char *s, const char *what, struct err *err)
{
	json_t *json = json_string(s);
	autofree char *quoted = NULL;

	if (!json)
		return err_setx(err, -EILSEQ, "'%s' holds a string that is not valid UTF-8", what);
	quoted = json_dumps(json, JSON_ENCODE_ANY);
	json_decref(json);
	if (!quoted)
		return err_oom(err);
	(void)buf_adds(out->buf, quoted);
	return 0;
}

static int out_string(struct json_out *out, const char *name, const char *s, struct err *err)
{
	out_name(out, name);
	return out_quote(out, s, name, err);
}

static int out_strv(struct json_out *out, const char *name, char *const *v, struct err *err)
{
	int r = 0;

	out_open(out, name, "[");
	for (; *v && r == 0; v++) {
		out_indent(out);
		r = out_quote(out, *v, name, err);
	}
	out_close(out, "]");
	return r;
}

static void out_caps(struct json_out *out, const char *name, uint64_t mask)
{
	int cap;

	out_open(out, name, "[");
	for (cap = 0; cap < 64; cap++) {
		char *s, *c;

		if (!(mask >> cap & 1))
			continue;
		s = cap_to_name(cap); /* a bare number when libcap has no name for it */
		if (!s) {
			out->buf->failed = true;
			break;
		}
		for (c = s; *c; c++)
			*c = *c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c;
		out_indent(out);
		(void)buf_addf(out->buf, "\"%s\"", s);
		(void)cap_free(s);
	}
	out_close(out, "]");
}

/* The value of a pair: its text, or an object that holds it as "name". */
static int out_pair(
	struct json_out *out, const struct field *f, const struct field_pair *p, struct err *err)
{
	int r;

	out_indent(out);
	r = out_quote(out, p->key, f->name, err);
	(void)buf_adds(out->buf, ": ");
	if (r < 0 || !(f->flags & FIELD_NAMED))
		return r < 0 ? r : out_quote(out, p->value, p->key, err);
	(void)buf_adds(out->buf, "{");
	out->depth++;
	out->more = false;
	if (*p->value)
		r = out_string(out, "name", p->value, err);
	out_close(out, "}");
	return r;
}

static int out_map(struct json_out *out, const struct field *f, const struct field_pair *pairs,
	size_t n, struct err *err)
{
	size_t i, j;
	int r = 0;

	out_open(out, f->name, "{");
	for (i = 0; i < n && r == 0; i++) {
		for (j = i + 1; j < n && strcmp(pairs[i].key, pairs[j].key) != 0; j++)
			;
		if (j < n) /* a later one wins */
			continue;
		r = out_pair(out, f, &pairs[i], err);
	}
	out_close(out, "}");
	return r;
}

static int out_array(
	struct json_out *out, const struct field *f, const char *array, size_t n, struct err *err)
{
	size_t i;
	int r = 0;

	out_open(out, f->name, "[");
	for (i = 0; i < n && r == 0; i++) {
		out_open(out, NULL, "{");
		r = print_fields(out, f->sub, array + i * f->size, err);
		out_close(out, "}");
	}
	out_close(out, "]");
	return r;
}

/* An object without members is left out, unless its presence means something. */
static int out_object(
	struct json_out *out, const struct field *f, const void *base, struct err *err)
{
	bool present = f->aux && *((const bool *)base + f->aux);
	struct json_out saved = *out;
	size_t len = out->buf->len;
	int r;

	if (f->aux && !present)
		return 0;
	out_open(out, f->name, "{");
	r = print_fields(out, f->sub, (const char *)base + f->offset, err);
	if (!out->more && !present && !out->buf->failed) {
		*out = saved;
		out->buf->len = len;
		out->buf->data[len] = '\0';
		return r;
	}
	out_close(out, "}");
	return r;
}

static void out_u32v(struct json_out *out, const char *name, const uint32_t *v, size_t n)
{
	size_t i;

	out_open(out, name, "[");
	for (i = 0; i < n; i++) {
		out_indent(out);
		(void)buf_addf(out->buf, "%" PRIu32, v[i]);
	}
	out_close(out, "]");
}

static void out_number(struct json_out *out, const struct field *f, const void *at)
{
	int64_t i = 0;
	uint64_t u = 0;

	if (f->type == FIELD_I64) {
		i = *(const int64_t *)at;
		if (i == ((f->flags & FIELD_ZERO) ? 0 : SPEC_UNSET))
			return;
		out_name(out, f->name);
		(void)buf_addf(out->buf, "%" PRId64, i);
		return;
	}
	u = f->type == FIELD_U32 ? *(const uint32_t *)at : *(const uint64_t *)at;
	if (!u && !(f->flags & FIELD_ALWAYS))
		return;
	out_name(out, f->name);
	(void)buf_addf(out->buf, "%" PRIu64, u);
}

static int out_enum(struct json_out *out, const struct field *f, int64_t value, struct err *err)
{
	int64_t i;

	for (i = 0; f->names[i] && i != value; i++)
		;
	return f->names[i] ? out_string(out, f->name, f->names[i], err) : 0;
}

static int print_field(
	struct json_out *out, const struct field *f, const void *base, struct err *err)
{
	const void *at = (const char *)base + f->offset;
	void *const *p = at;
	char text[5] = "";
	size_t n = 0;

	if (f->type == FIELD_U32V || f->type == FIELD_MAP || f->type == FIELD_ARRAY)
		n = *(const size_t *)((const char *)base + f->aux);

	switch (f->type) {
	case FIELD_STRING:
		return *p ? out_string(out, f->name, *p, err) : 0;
	case FIELD_BOOL:
		if (!*(const bool *)at && !(f->flags & FIELD_ALWAYS))
			return 0;
		out_name(out, f->name);
		(void)buf_adds(out->buf, *(const bool *)at ? "true" : "false");
		return 0;
	case FIELD_U32:
	case FIELD_I64:
	case FIELD_U64:
		out_number(out, f, at);
		return 0;
	case FIELD_ENUM:
		return out_enum(out, f, *(const int64_t *)at, err);
	case FIELD_CHAR:
	case FIELD_ACCESS:
		memcpy(text, at, f->type == FIELD_CHAR ? 1 : 4);
		return text[0] ? out_string(out, f->name, text, err) : 0;
	case FIELD_STRV:
		return *p ? out_strv(out, f->name, *p, err) : 0;
	case FIELD_U32V:
		if (n)
			out_u32v(out, f->name, *p, n);
		return 0;
	case FIELD_CAPS:
		out_caps(out, f->name, *(const uint64_t *)at);
		return 0;
	case FIELD_MAP:
		return n ? out_map(out, f, *p, n, err) : 0;
	case FIELD_OBJECT:
		return out_object(out, f, base, err);
	case FIELD_ARRAY:
		return n ? out_array(out, f, *p, n, err) : 0;
	case FIELD_CUSTOM:
		return f->print ? f->print(out, base, err) : 0;
	case FIELD_END:
		break;
	}
	return 0;
}

int print_fields(struct json_out *out, const struct field *rows, const void *base, struct err *err)
{
	const struct field *f;
	int r = 0;

	for (f = rows; f->type && r == 0; f++)
		r = print_field(out, f, base, err);
	return r;
}

int print_namespaces(struct json_out *out, const void *base, struct err *err)
{
	const struct spec_linux *l = base;
	bool opened = false;
	int ns, r = 0;

	for (ns = 0; ns < SPEC_NS_COUNT && r == 0; ns++) {
		if (!l->ns[ns].enabled)
			continue;
		if (!opened)
			out_open(out, "namespaces", "[");
		opened = true;
		out_open(out, NULL, "{");
		r = out_string(out, "type", spec_ns_name(ns), err);
		if (r == 0 && l->ns[ns].path)
			r = out_string(out, "path", l->ns[ns].path, err);
		out_close(out, "}");
	}
	if (opened)
		out_close(out, "]");
	return r;
}

int spec_print(const struct spec *spec, char **ret, struct err *err)
{
	autobuf struct buf buf = {0};
	struct json_out out = {.buf = &buf};
	char *text;
	int r;

	out_open(&out, NULL, "{");
	r = print_fields(&out, spec_fields, spec, err);
	if (r < 0)
		return r;
	out_close(&out, "}\n");
	text = buf_take(&buf);
	if (!text)
		return err_oom(err);
	*ret = text;
	return 0;
}
