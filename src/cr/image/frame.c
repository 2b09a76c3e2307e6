// SPDX-License-Identifier: Apache-2.0
/* state.pb: frames of type, length, protobuf message. Parsing takes hostile bytes. */
#include "base/util.h"
#include "cr/image/image-internal.h"

static void put_u32(uint8_t *p, uint32_t v)
{
	p[0] = v;
	p[1] = v >> 8;
	p[2] = v >> 16;
	p[3] = v >> 24;
}

static uint32_t get_u32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void frame_head(uint8_t head[FRAME_HEAD], enum record_type type, size_t len)
{
	put_u32(head, type);
	put_u32(head + 4, len);
}

void records_done(struct records *r)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		protobuf_c_message_free_unpacked((ProtobufCMessage *)r->all[i].msg, NULL);
	for (i = 0; i < RECORD_MAX; i++)
		free(r->kind[i].v);
	free(r->all);
	*r = (struct records){0};
}

/* Takes @msg over, also on failure. */
static int records_add(struct records *r, enum record_type type, ProtobufCMessage *msg)
{
	__auto_type k = &r->kind[type];

	if (array_reserve(&r->all, &r->cap, r->n + 1, sizeof(*r->all)) < 0 ||
		array_reserve(&k->v, &k->cap, k->n + 1, sizeof(*k->v)) < 0) {
		protobuf_c_message_free_unpacked(msg, NULL);
		return -ENOMEM;
	}
	r->all[r->n++] = (struct image_record){.type = type, .msg = msg};
	k->v[k->n++] = msg;
	return 0;
}

static int parse_frame(const uint8_t *data, size_t len, size_t *off, const char *name,
	struct records *r, struct err *err)
{
	const struct record_kind *kind;
	ProtobufCMessage *msg;
	uint32_t type, size;

	if (len - *off < FRAME_HEAD)
		return err_setx(err, -EBADMSG,
			"the image is damaged: '%s' ends in the middle of a record (offset %zu)",
			name, *off);
	type = get_u32(data + *off);
	size = get_u32(data + *off + 4);
	kind = record_kind(type);
	if (!kind)
		return err_setx(err, -EBADMSG,
			"the image is damaged: '%s' has a record of unknown type %u at offset %zu",
			name, type, *off);
	if (size > IMAGE_RECORD_MAX || size > len - *off - FRAME_HEAD)
		return err_setx(err, -EBADMSG,
			"the image is damaged: '%s' has a record '%s' with impossible length %u at "
			"offset %zu",
			name, kind->name, size, *off);
	msg = protobuf_c_message_unpack(kind->message, NULL, size, data + *off + FRAME_HEAD);
	if (!msg)
		return err_setx(err, -EBADMSG,
			"the image is damaged: the record '%s' at offset %zu of '%s' cannot be "
			"read",
			kind->name, *off, name);
	if (records_add(r, type, msg) < 0)
		return err_oom(err);
	*off += FRAME_HEAD + size;
	return 0;
}

int records_parse(
	const uint8_t *data, size_t len, const char *name, struct records *ret, struct err *err)
{
	struct records r = {0};
	size_t off = 0;
	int e;

	while (off < len) {
		e = parse_frame(data, len, &off, name, &r, err);
		if (e < 0) {
			records_done(&r);
			return e;
		}
	}
	*ret = r;
	return 0;
}
