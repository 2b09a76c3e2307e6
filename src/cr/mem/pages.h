/* SPDX-License-Identifier: Apache-2.0 */
/* Copies the private pages of a stopped process into a data file of the image. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cr/image/image.h"
#include "cr/mem/vma.h"
#include "cr/tape/target.h"

/* Flat arrays, as the protobuf fields want them. */
struct pages_saved {
	uint64_t *extents; /* triples: address, bytes, offset in the file */
	size_t n_extents, extents_cap;
	uint64_t bytes;
};
void pages_saved_done(struct pages_saved *s);

struct pages_guards {
	uint64_t *ranges; /* pairs: address, bytes */
	size_t n, cap;
};

struct pages_reader; /* buffers, kept between mappings and processes */
int pages_reader_new(struct pages_reader **ret, struct err *err);
void pages_reader_free(struct pages_reader *r);

/*
 * Appends every page that [@v->start, @v->end) has of its own (anonymous memory, private copies of
 * file pages) to @out. Pages of zeros are left out where nothing lies beneath. Guard pages
 * (MADV_GUARD_INSTALL) are noted in @guards.
 */
int pages_dump(struct pages_reader *r, struct target *t, int pagemap_fd, const struct vma *v,
	struct image_data *out, struct pages_saved *saved, struct pages_guards *guards,
	struct err *err);
