/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte string. Invariant: data is NULL (len and cap 0) or data[len] is '\0'. All growth
 * of strings in kist goes through here. The first failed allocation is remembered in `failed`, and
 * every later call is then refused, so that a series of adds needs one check.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t len, cap;
	bool failed;
};

#define autobuf __attribute__((cleanup(buf_done)))

void buf_done(struct buf *b);
void buf_reset(struct buf *b);
/* Each returns 0 or -ENOMEM. */
int buf_reserve(struct buf *b, size_t extra);
int buf_add(struct buf *b, const void *data, size_t len);
int buf_adds(struct buf *b, const char *s);
int buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The string ("" when empty); stays the buffer's. */
const char *buf_str(const struct buf *b);
/* The string, now the caller's to free; the buffer is empty again. NULL when an add failed. */
char *buf_take(struct buf *b);
