// SPDX-License-Identifier: Apache-2.0
/*
 * manifest.json. Its first line carries the XXH3-64 of all bytes after that line, so that a flipped
 * bit anywhere in it is seen. Parsing takes hostile text and touches no file.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/util.h"
#include "cr/image/image-internal.h"

#define HEAD_FORMAT "{\"xxh3\": \"%016" PRIx64 "\",\n"
#define HEAD_LEN    (sizeof("{\"xxh3\": \"\",\n") - 1 + 16)

static void json_done(json_t **j)
{
	json_decref(*j);
}
#define autojson __attribute__((cleanup(json_done)))

static void string_done(char **s)
{
	free(*s);
}

bool image_name_valid(const char *name)
{
	static const char ok[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(name);

	return len && len <= IMAGE_NAME_MAX && name[0] != '.' && strspn(name, ok) == len &&
	       strcmp(name, IMAGE_MANIFEST) != 0;
}

void manifest_done(struct manifest *m)
{
	size_t i;

	for (i = 0; i < m->n_info; i++) {
		free(m->info[i].key);
		free(m->info[i].value);
	}
	free(m->info);
	free(m->files);
	*m = (struct manifest){0};
}

int manifest_add_file(struct manifest *m, const char *name, uint64_t size, uint64_t xxh3)
{
	int r = array_reserve(&m->files, &m->files_cap, m->n_files + 1, sizeof(*m->files));
	struct manifest_file *f;

	if (r < 0)
		return r;
	f = &m->files[m->n_files++];
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->size = size;
	f->xxh3 = xxh3;
	return 0;
}

int manifest_set_info(struct manifest *m, const char *key, const char *value)
{
	char *k __attribute__((cleanup(string_done))) = strdup(key);
	char *v __attribute__((cleanup(string_done))) = strdup(value);
	size_t i;

	if (!k || !v || array_reserve(&m->info, &m->info_cap, m->n_info + 1, sizeof(*m->info)) < 0)
		return -ENOMEM;
	for (i = 0; i < m->n_info; i++) {
		if (strcmp(m->info[i].key, key) != 0)
			continue;
		free(m->info[i].value);
		m->info[i].value = TAKE_PTR(v);
		return 0;
	}
	m->info[m->n_info++] = (struct manifest_info){TAKE_PTR(k), TAKE_PTR(v)};
	return 0;
}

const char *manifest_get_info(const struct manifest *m, const char *key)
{
	size_t i;

	for (i = 0; i < m->n_info; i++)
		if (strcmp(m->info[i].key, key) == 0)
			return m->info[i].value;
	return NULL;
}

const struct manifest_file *manifest_find(const struct manifest *m, const char *name)
{
	size_t i;

	for (i = 0; i < m->n_files; i++)
		if (strcmp(m->files[i].name, name) == 0)
			return &m->files[i];
	return NULL;
}

json_t *manifest_json(const struct manifest *m)
{
	json_t *info = json_object(), *files = json_array();
	char hash[17];
	size_t i;
	int bad = 0;

	for (i = 0; i < m->n_info; i++)
		bad |= json_object_set_new(info, m->info[i].key, json_string(m->info[i].value));
	for (i = 0; i < m->n_files; i++) {
		snprintf(hash, sizeof(hash), "%016" PRIx64, m->files[i].xxh3);
		bad |= json_array_append_new(
			files, json_pack("{s:s,s:I,s:s}", "name", m->files[i].name, "size",
				       (json_int_t)m->files[i].size, "xxh3", hash));
	}
	if (bad) {
		json_decref(info);
		json_decref(files);
		return NULL;
	}
	return json_pack(
		"{s:i,s:o,s:o}", "format", (int)IMAGE_FORMAT, "info", info, "files", files);
}

int manifest_print(const struct manifest *m, struct buf *out, struct err *err)
{
	autojson json_t *j = manifest_json(m);
	autofree char *text = j ? json_dumps(j, JSON_INDENT(1)) : NULL;
	size_t len;

	if (!text) {
		err_setx(err, -EINVAL, "cannot print the manifest: some text in it is not UTF-8");
		return -EINVAL;
	}
	/* "{\n" of the document is replaced by the first line */
	len = strlen(text) - 2;
	if (buf_addf(out, HEAD_FORMAT, XXH3_64bits(text + 2, len)) < 0 ||
		buf_add(out, text + 2, len) < 0)
		return err_oom(err);
	return 0;
}

static int damaged(struct err *err, const char *what)
{
	return err_setx(err, -EBADMSG, "the image is damaged: '" IMAGE_MANIFEST "' %s", what);
}

static int parse_file(const json_t *entry, struct manifest *m, struct err *err)
{
	const char *name, *hex, *end;
	json_t *size;
	uint64_t hash;

	name = json_string_value(json_object_get(entry, "name"));
	hex = json_string_value(json_object_get(entry, "xxh3"));
	size = json_object_get(entry, "size");
	if (!name || !hex || !json_is_integer(size) || json_integer_value(size) < 0)
		return damaged(err, "lists a file without name, size or hash");
	if (!image_name_valid(name))
		return damaged(err, "lists a file with an impossible name");
	if (manifest_find(m, name))
		return damaged(err, "lists a file twice");
	hash = strtoull(hex, (char **)&end, 16);
	if (strlen(hex) != 16 || *end)
		return damaged(err, "lists a file with an impossible hash");
	if (manifest_add_file(m, name, json_integer_value(size), hash) < 0)
		return err_oom(err);
	return 0;
}

static int parse_document(json_t *root, struct manifest *m, struct err *err)
{
	json_t *info = json_object_get(root, "info"), *files = json_object_get(root, "files"), *v;
	const char *key;
	size_t i;
	int r;

	if (!json_is_object(info) || !json_is_array(files))
		return damaged(err, "lacks 'info' or 'files'");
	if (json_array_size(files) > IMAGE_FILES_MAX)
		return damaged(err, "lists too many files");
	json_object_foreach(info, key, v)
	{
		if (!json_is_string(v))
			return damaged(err, "has an info that is no string");
		if (manifest_set_info(m, key, json_string_value(v)) < 0)
			return err_oom(err);
	}
	json_array_foreach(files, i, v)
	{
		r = parse_file(v, m, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The version stands before the checksum: a later format may keep its checksum elsewhere. */
static int check_head(const char *text, size_t len, json_t *root, struct err *err)
{
	json_t *format = json_object_get(root, "format");
	char head[HEAD_LEN + 1];
	bool sound = false;

	if (len > HEAD_LEN) {
		snprintf(head, sizeof(head), HEAD_FORMAT,
			XXH3_64bits(text + HEAD_LEN, len - HEAD_LEN));
		sound = memcmp(text, head, HEAD_LEN) == 0;
	}
	if (json_is_integer(format) && json_integer_value(format) > IMAGE_FORMAT) {
		err_setx(err, -EPROTONOSUPPORT,
			"the image has format %" JSON_INTEGER_FORMAT ", this kist (" KIST_VERSION
			") reads formats up to %u",
			json_integer_value(format), IMAGE_FORMAT);
		err_hint(err, "use the kist that wrote it, or a later one");
		return -EPROTONOSUPPORT;
	}
	if (!sound)
		return damaged(err, "does not match its checksum");
	if (!json_is_integer(format) || json_integer_value(format) < 1)
		return damaged(err, "has no valid format number");
	return 0;
}

int manifest_parse(const char *text, size_t len, struct manifest *ret, struct err *err)
{
	struct manifest m = {0};
	json_error_t je;
	autojson json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	int r;

	if (!root) {
		err_setx(err, -EBADMSG,
			"the image is damaged: '" IMAGE_MANIFEST "' is no JSON (line %d: %s)",
			je.line, je.text);
		return -EBADMSG;
	}
	r = check_head(text, len, root, err);
	if (r == 0)
		r = parse_document(root, &m, err);
	if (r < 0) {
		manifest_done(&m);
		return r;
	}
	*ret = m;
	return 0;
}
