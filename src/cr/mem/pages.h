/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies the private pages of stopped processes into data files of the image, by several threads
 * when there are many: each thread appends to a file of its own ("pages-1", …), since the kernel
 * lets only one at a time write into a file.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cr/image/image.h"
#include "cr/mem/vma.h"
#include "cr/tape/target.h"

/* Flat arrays, as the protobuf fields want them. */
struct pages_saved {
	uint64_t *extents; /* triples: address, bytes, offset in the file; ascending */
	uint32_t *files;   /* of each extent: index into names */
	size_t n;	   /* extents */
	char **names;	   /* the array is ours, the names are the pool's */
	size_t n_names;
};
void pages_saved_done(struct pages_saved *s);

struct pages_guards {
	uint64_t *ranges; /* pairs: address, bytes */
	size_t n, cap;
};

struct pages_pool; /* threads, buffers and files of a dump; takes 256 KiB for each thread */
int pages_pool_new(struct image_writer *w, struct pages_pool **ret, struct err *err);
/* Ends the files; after this, only pages_pool_free. */
int pages_pool_close(struct pages_pool *p, struct err *err);
/* Takes NULL. Without pages_pool_close before it: before image_writer_free. */
void pages_pool_free(struct pages_pool *p);

/*
 * Lets every page be saved that [@v->start, @v->end) has of its own (anonymous memory, private
 * copies of file pages). Pages of zeros are left out where nothing lies beneath. Guard pages
 * (MADV_GUARD_INSTALL) are noted in @guards. Mappings of targets, all ascending; these must stand
 * still until pages_wait, but may be made to run calls.
 */
int pages_dump(struct pages_pool *p, struct target *t, int pagemap_fd, const struct vma *v,
	struct pages_guards *guards, struct err *err);
/* Waits until all is copied. */
int pages_wait(struct pages_pool *p, struct err *err);
/* Behind it, for each target since the last one in their order: what was saved, and where. */
int pages_take(
	struct pages_pool *p, const struct target *t, struct pages_saved *ret, struct err *err);
