// SPDX-License-Identifier: Apache-2.0
/* See show.h. Bytes are text where they are printable, else hexadecimal with their length. */
#include <inttypes.h>
#include <stdio.h>

#include "base/util.h"
#include "cr/image/image-internal.h"
#include "cr/image/show.h"

/* Longer bytes are cut in print: an image may hold much, and `show` is for eyes. */
#define BYTES_SHOWN 256u

static json_t *text_json(const char *s, size_t len)
{
	json_t *j = json_stringn(s, len); /* NULL when it is not UTF-8 */

	return j ? j : json_stringn_nocheck("(not UTF-8)", sizeof("(not UTF-8)") - 1);
}

static bool printable(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((p[i] < ' ' && p[i] != '\n' && p[i] != '\t') || p[i] >= 0x7f)
			return false;
	return len > 0;
}

static json_t *bytes_json(const ProtobufCBinaryData *b)
{
	size_t i, n = MIN(b->len, (size_t)BYTES_SHOWN);
	char hex[2 * BYTES_SHOWN + 1] = "";

	if (b->len <= BYTES_SHOWN && printable(b->data, b->len))
		return text_json((const char *)b->data, b->len);
	for (i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", b->data[i]);
	return json_pack(
		"{s:I,s:s}", "length", (json_int_t)b->len, n < b->len ? "hex_start" : "hex", hex);
}

static json_t *u64_json(uint64_t v)
{
	char s[24];

	if (v <= INT64_MAX)
		return json_integer(v);
	snprintf(s, sizeof(s), "0x%" PRIx64, v); /* JSON's integers end at 2^63 */
	return json_string(s);
}

static json_t *enum_json(const ProtobufCEnumDescriptor *d, int v)
{
	const ProtobufCEnumValue *e = protobuf_c_enum_descriptor_get_value(d, v);

	return e ? json_string(e->name) : json_integer(v);
}

static size_t value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 4;
	}
}

static json_t *value_json(const ProtobufCFieldDescriptor *f, const void *p)
{
	const char *s;

	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return json_integer(*(const int32_t *)p);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return json_integer(*(const uint32_t *)p);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return json_integer(*(const int64_t *)p);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return u64_json(*(const uint64_t *)p);
	case PROTOBUF_C_TYPE_FLOAT:
		return json_real(*(const float *)p);
	case PROTOBUF_C_TYPE_DOUBLE:
		return json_real(*(const double *)p);
	case PROTOBUF_C_TYPE_BOOL:
		return json_boolean(*(const protobuf_c_boolean *)p);
	case PROTOBUF_C_TYPE_ENUM:
		return enum_json(f->descriptor, *(const int *)p);
	case PROTOBUF_C_TYPE_STRING:
		s = *(char *const *)p;
		return text_json(s ? s : "", s ? strlen(s) : 0);
	case PROTOBUF_C_TYPE_BYTES:
		return bytes_json(p);
	case PROTOBUF_C_TYPE_MESSAGE:
		return message_json(*(ProtobufCMessage *const *)p);
	}
	return json_null();
}

static json_t *list_json(const ProtobufCFieldDescriptor *f, const char *elements, size_t n)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < n; i++)
		if (json_array_append_new(list, value_json(f, elements + i * value_size(f->type))) <
			0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* Is a field that is not repeated there? */
static bool field_set(const ProtobufCFieldDescriptor *f, const char *base)
{
	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)(base + f->quantifier_offset) == f->id;
	if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE)
		return *(void *const *)(base + f->offset) != NULL;
	if (f->label == PROTOBUF_C_LABEL_OPTIONAL && f->quantifier_offset)
		return *(const protobuf_c_boolean *)(base + f->quantifier_offset);
	return true;
}

json_t *message_json(const ProtobufCMessage *msg)
{
	const ProtobufCMessageDescriptor *d = msg->descriptor;
	const char *base = (const char *)msg;
	json_t *obj = json_object(), *v;
	unsigned int i;

	for (i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];

		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			size_t n = *(const size_t *)(base + f->quantifier_offset);

			if (n == 0)
				continue;
			v = list_json(f, *(char *const *)(base + f->offset), n);
		} else if (field_set(f, base)) {
			v = value_json(f, base + f->offset);
		} else {
			continue;
		}
		if (json_object_set_new(obj, f->name, v) < 0) {
			json_decref(obj);
			return NULL;
		}
	}
	return obj;
}

static json_t *record_json(const struct image_record *r)
{
	json_t *obj = json_object(), *fields = message_json(r->msg);

	if (json_object_set_new(obj, "record", json_string(record_kind(r->type)->name)) < 0 ||
		!fields || json_object_update_missing(obj, fields) < 0) {
		json_decref(obj);
		obj = NULL;
	}
	json_decref(fields);
	return obj;
}

json_t *image_json(const struct image *img)
{
	json_t *records = json_array(), *j = manifest_json(&img->manifest);
	int bad = 0;
	size_t i;

	for (i = 0; i < img->records.n; i++)
		bad |= json_array_append_new(records, record_json(&img->records.all[i]));
	bad |= json_object_set_new(j, "records", records);
	if (bad) {
		json_decref(j);
		j = NULL;
	}
	return j;
}
