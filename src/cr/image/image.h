/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image on disk: a directory with manifest.json (format version, host, files with size and
 * XXH3), state.pb (frames of u32 type, u32 length, protobuf message), config.json, and data files
 * of page-aligned raw bytes. The manifest is written last: a directory without one is no image.
 * Reading verifies everything before anything is created; an image is hostile input. Only file I/O.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/err.h"
#include "cr/image/record.h"

#define IMAGE_PAGE 4096u

/* ---- writing ---- */
struct image_writer;
/* Starts an image in the empty (or new) directory @dirfd; keeps a copy of the fd. */
int image_writer_new(int dirfd, struct image_writer **ret, struct err *err);
/*
 * A string of manifest.json beside the files, e.g. "container". The writer itself puts "kist",
 * "created", "kernel", "machine" and "cpu". Values must be UTF-8.
 */
int image_put_info(struct image_writer *w, const char *key, const char *value, struct err *err);
/* Appends a record. Thread-safe. */
int image_put(struct image_writer *w, enum record_type type, const ProtobufCMessage *msg,
	struct err *err);
/* A small whole file ("config.json"). */
int image_put_file(
	struct image_writer *w, const char *name, const void *data, size_t len, struct err *err);
/* What is written from now on is on the disk when image_writer_finish returns; fsync(2). */
void image_writer_sync(struct image_writer *w);
/* Writes the manifest. After this, only image_writer_free. */
int image_writer_finish(struct image_writer *w, struct err *err);
/* Without image_writer_finish before it: removes every file that was written. */
void image_writer_free(struct image_writer *w);

/*
 * A data file ("pages-1"): bytes appended in order, hashed as they pass. One writer thread a file.
 * image_data_append returns the offset at which the bytes lie (a multiple of IMAGE_PAGE when every
 * append is); image_data_close adds the file to the manifest.
 */
struct image_data;
int image_data_new(
	struct image_writer *w, const char *name, struct image_data **ret, struct err *err);
int image_data_append(struct image_data *d, const struct iovec *iov, size_t n, uint64_t *ret_off,
	struct err *err);
int image_data_close(struct image_data *d, struct err *err); /* frees @d, also on failure */
void image_data_abandon(struct image_data *d); /* instead of close, before image_writer_free */

/*
 * Saves what a seekable fd holds, holes left out (SEEK_DATA): memfd, shared memory, deleted files.
 * Gives an object number to keep in a record. The fd's position is not used or changed.
 */
int image_put_content(
	struct image_writer *w, int fd, uint64_t size, uint32_t *ret_object, struct err *err);

/* ---- reading ---- */
struct image;
/* Opens and verifies (version, sizes, XXH3 of every file, every frame and message). */
int image_open(int dirfd, struct image **ret, struct err *err);
void image_free(struct image *img);
/* Removes the image in @dirfd, if there is one, and no other file: for callers that overwrite. */
int image_discard(int dirfd, struct err *err);
const char *image_info(const struct image *img, const char *key); /* NULL without it */
struct image_record {
	enum record_type type;
	const ProtobufCMessage *msg;
};
/* Bytes of all listed files. */
uint64_t image_size(const struct image *img);
/* All records in the order of writing; NULL past the last. */
size_t image_total(const struct image *img);
const struct image_record *image_nth(const struct image *img, size_t i);
/* The unpacked messages of a type, in the order of writing; they stay the image's. */
size_t image_count(const struct image *img, enum record_type type);
const ProtobufCMessage *image_get(const struct image *img, enum record_type type, size_t i);
/* A whole small file, copied; the caller frees *ret. */
int image_get_file(
	const struct image *img, const char *name, char **ret, size_t *ret_len, struct err *err);
/* A read-only fd of a data file (the image's own, stays open with it) and its size. */
int image_data_fd(const struct image *img, const char *name, uint64_t *ret_size, struct err *err);
int image_content_size(
	const struct image *img, uint32_t object, uint64_t *ret_size, struct err *err);
/* Writes object @object into @fd at the same offsets; @fd is truncated to the saved size first. */
int image_get_content(const struct image *img, uint32_t object, int fd, struct err *err);
/* The same into zeroed memory of @size bytes, which is the object's size. */
int image_read_content(
	const struct image *img, uint32_t object, void *mem, uint64_t size, struct err *err);
