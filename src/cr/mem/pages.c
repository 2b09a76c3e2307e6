// SPDX-License-Identifier: Apache-2.0
/* See pages.h. */
#include "cr/mem/pages.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "base/io.h"
#include "base/util.h"
#include "sys/pagemap.h"

#define PAGE	4096ull
#define REGIONS 512
#define CHUNK	(256u << 10) /* stays in the second level cache from copy to copy */

struct pages_reader {
	struct page_region regions[REGIONS];
	char *chunk; /* CHUNK bytes, page aligned */
};

int pages_reader_new(struct pages_reader **ret, struct err *err)
{
	struct pages_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return err_oom(err);
	r->chunk = aligned_alloc(PAGE, CHUNK);
	if (!r->chunk) {
		free(r);
		return err_oom(err);
	}
	*ret = r;
	return 0;
}

void pages_reader_free(struct pages_reader *r)
{
	if (!r)
		return;
	free(r->chunk);
	free(r);
}

void pages_saved_done(struct pages_saved *s)
{
	free(s->extents);
	*s = (struct pages_saved){0};
}

static int add_extent(
	struct pages_saved *s, uint64_t addr, uint64_t len, uint64_t off, struct err *err)
{
	uint64_t *last = s->n_extents ? &s->extents[s->n_extents - 3] : NULL;

	s->bytes += len;
	if (last && last[0] + last[1] == addr && last[2] + last[1] == off) {
		last[1] += len;
		return 0;
	}
	if (array_reserve(&s->extents, &s->extents_cap, s->n_extents + 3, sizeof(uint64_t)) < 0)
		return err_oom(err);
	s->extents[s->n_extents++] = addr;
	s->extents[s->n_extents++] = len;
	s->extents[s->n_extents++] = off;
	return 0;
}

static bool is_zero(const char *p, size_t len)
{
	const uint64_t *w = (const uint64_t *)p;
	size_t i;

	for (i = 0; i < len / 8; i += 8)
		if (w[i] | w[i + 1] | w[i + 2] | w[i + 3] | w[i + 4] | w[i + 5] | w[i + 6] |
			w[i + 7])
			return false;
	return true;
}

/* process_vm_readv does not read what the process itself may not (PROT_NONE): /proc/PID/mem does.
 */
static int read_chunk(struct target *t, uint64_t addr, char *to, size_t len, struct err *err)
{
	struct iovec local = {to, len}, remote = {(void *)(uintptr_t)addr, len};
	ssize_t n = process_vm_readv(t->pid, &local, 1, &remote, 1, 0);

	if (n == (ssize_t)len)
		return 0;
	return target_read(t, addr, to, len, err);
}

static int append(struct image_data *out, char *p, uint64_t addr, size_t len,
	struct pages_saved *saved, struct err *err)
{
	struct iovec iov = {p, len};
	uint64_t off;
	int r;

	r = image_data_append(out, &iov, 1, &off, err);
	return r < 0 ? r : add_extent(saved, addr, len, off, err);
}

/* Appends the chunk, without its pages of zeros when @skip_zero. */
static int append_chunk(struct image_data *out, char *chunk, uint64_t addr, size_t len,
	bool skip_zero, struct pages_saved *saved, struct err *err)
{
	size_t from = 0, at;
	int r = 0;

	for (at = 0; skip_zero && r == 0 && at < len; at += PAGE) {
		if (!is_zero(chunk + at, PAGE))
			continue;
		if (at > from)
			r = append(out, chunk + from, addr + from, at - from, saved, err);
		from = at + PAGE;
	}
	if (r == 0 && from < len)
		r = append(out, chunk + from, addr + from, len - from, saved, err);
	return r;
}

static int dump_region(struct pages_reader *pr, struct target *t, const struct vma *v,
	const struct page_region *reg, struct image_data *out, struct pages_saved *saved,
	struct err *err)
{
	uint64_t at;
	size_t len;
	int r = 0;

	for (at = reg->start; r == 0 && at < reg->end; at += len) {
		len = MIN(reg->end - at, CHUNK);
		r = read_chunk(t, at, pr->chunk, len, err);
		if (r == 0)
			r = append_chunk(out, pr->chunk, at, len, v->kind == VMA_ANON, saved, err);
	}
	return r;
}

static int add_guard(struct pages_guards *g, const struct page_region *reg, struct err *err)
{
	if (array_reserve(&g->ranges, &g->cap, g->n + 2, sizeof(uint64_t)) < 0)
		return err_oom(err);
	g->ranges[g->n++] = reg->start;
	g->ranges[g->n++] = reg->end - reg->start;
	return 0;
}

int pages_dump(struct pages_reader *pr, struct target *t, int pagemap_fd, const struct vma *v,
	struct image_data *out, struct pages_saved *saved, struct pages_guards *guards,
	struct err *err)
{
	uint64_t at = v->start, next;
	int i, n, r = 0;

	while (r == 0 && at < v->end) {
		n = pagemap_scan(pagemap_fd, at, v->end, pr->regions, REGIONS, &next);
		if (n < 0)
			return err_set(err, n, "cannot scan the pages of process %d (%s)", t->pid,
				t->comm);
		for (i = 0; r == 0 && i < n; i++) {
			const struct page_region *reg = &pr->regions[i];

			if (reg->categories & PAGE_IS_GUARD)
				r = add_guard(guards, reg, err);
			else if (!(reg->categories & PAGE_IS_FILE) &&
				 !(reg->categories & PAGE_IS_PFNZERO && v->kind == VMA_ANON))
				r = dump_region(pr, t, v, reg, out, saved, err);
		}
		at = next;
	}
	return r;
}
