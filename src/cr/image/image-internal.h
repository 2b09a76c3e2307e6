/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of cr/image: hashed output files, the manifest, frames. Stays inside cr/image. */
#pragma once

#include <jansson.h>
#include <pthread.h>
#include KIST_XXHASH

#include "base/buf.h"
#include "cr/image/image.h"

#define IMAGE_FORMAT	   2u /* raised when an older kist could not read what a newer one writes */
#define IMAGE_MANIFEST	   "manifest.json"
#define IMAGE_STATE	   "state.pb"
#define IMAGE_CONTENT	   "content"
#define IMAGE_NAME_MAX	   63
#define IMAGE_FILES_MAX	   4096u
#define IMAGE_MANIFEST_MAX (16u << 20)
#define IMAGE_STATE_MAX	   (1u << 30)
#define IMAGE_RECORD_MAX   (64u << 20) /* bytes of one message */
#define IMAGE_BUFFER	   (256u << 10)

/* Letters, digits, '.', '_' and '-', not first a '.', and not the manifest. */
bool image_name_valid(const char *name);

/* ---- stream.c: a new file whose bytes are hashed as they pass ---- */
struct stream {
	int fd;
	bool sync; /* set by the caller of stream_open */
	uint64_t size;
	XXH3_state_t *hash;
	char name[IMAGE_NAME_MAX + 1];
};
int stream_open(struct stream *s, int dirfd, const char *name, struct err *err);
int stream_writev(struct stream *s, const struct iovec *iov, size_t n, struct err *err);
int stream_write(struct stream *s, const void *data, size_t len, struct err *err);
/* Syncs if s->sync, closes; the hash is in *ret_hash. */
int stream_finish(struct stream *s, uint64_t *ret_hash, struct err *err);
void stream_done(struct stream *s);

/* ---- manifest.c ---- */
struct manifest_file {
	char name[IMAGE_NAME_MAX + 1];
	uint64_t size, xxh3;
};
struct manifest_info {
	char *key, *value;
};
struct manifest {
	struct manifest_file *files;
	size_t n_files, files_cap;
	struct manifest_info *info;
	size_t n_info, info_cap;
};
void manifest_done(struct manifest *m);
int manifest_add_file(struct manifest *m, const char *name, uint64_t size, uint64_t xxh3);
/* Adds, or replaces the value of @key. */
int manifest_set_info(struct manifest *m, const char *key, const char *value);
const char *manifest_get_info(const struct manifest *m, const char *key);
const struct manifest_file *manifest_find(const struct manifest *m, const char *name);
int manifest_print(const struct manifest *m, struct buf *out, struct err *err);
/* As an object, without the checksum of the first line. NULL: no memory, or text not UTF-8. */
json_t *manifest_json(const struct manifest *m);
/* Refuses what is damaged, too new, or names impossible files. */
int manifest_parse(const char *text, size_t len, struct manifest *ret, struct err *err);

/* ---- frame.c: the records of state.pb ---- */
struct records {
	struct image_record *all; /* in the order of writing */
	size_t n, cap;
	struct {
		const ProtobufCMessage **v;
		size_t n, cap;
	} kind[RECORD_MAX];
};
void records_done(struct records *r);
#define FRAME_HEAD 8u /* little endian: type, length of the message */
void frame_head(uint8_t head[FRAME_HEAD], enum record_type type, size_t len);
/* Unpacks every frame; errors name @name and the offset. */
int records_parse(
	const uint8_t *data, size_t len, const char *name, struct records *ret, struct err *err);

/* ---- writer.c ---- */
struct image_writer {
	int dirfd;
	bool finished, sync;
	pthread_mutex_t lock; /* manifest, state, names */
	struct manifest manifest;
	char **names; /* files made: removed when unfinished */
	struct stream state;
	struct buf pending; /* records not yet in state */
	pthread_mutex_t content_lock;
	struct image_data *content;
	uint32_t objects;
};
/* Makes the file and remembers its name. */
int writer_create(struct image_writer *w, struct stream *s, const char *name, struct err *err);
/* Ends the file and lists it in the manifest. */
int writer_close(struct image_writer *w, struct stream *s, struct err *err);

/* ---- image.c ---- */
struct image {
	int dirfd;
	struct manifest manifest;
	int *fds; /* of manifest.files; -EBADF: not a data file */
	struct records records;
};
/* content.c: checks the content records against each other and the data files. */
int content_check(const struct image *img, struct err *err);
