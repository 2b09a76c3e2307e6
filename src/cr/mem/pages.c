// SPDX-License-Identifier: Apache-2.0
/* See pages.h. */
#include "cr/mem/pages.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "base/util.h"
#include "base/workers.h"
#include "sys/pagemap.h"

#define PAGE	 4096ull
#define REGIONS	 512
#define WINDOW	 (64ull << 20) /* scanned at once: copying goes on meanwhile */
#define PIECE	 (4u << 20)    /* what one thread copies in one go */
#define CHUNK	 (256u << 10)  /* stays in the second level cache from copy to copy */
#define RANGES	 64	       /* at most in a job: memory with holes is read by few calls */
#define PATIENCE (8u << 20)    /* threads are not worth it for less */

struct extent {
	uint64_t addr, len, off;
	uint32_t target, file; /* file: 1 + thread */
};

struct pages_job {
	struct target *t;
	bool skip_zero;
	size_t n;
	uint64_t bytes;
	struct range {
		uint64_t start, end;
	} v[RANGES];
};

struct pages_pool {
	struct image_writer *w;
	struct workers *workers;
	struct page_region regions[REGIONS];
	struct pages_job next; /* being filled */
	struct extent *all;    /* of all lanes, sorted, after pages_wait */
	size_t n_all, all_cap, taken;
	struct lane {	     /* of a thread */
		char *chunk; /* CHUNK bytes, page aligned */
		struct image_data *out;
		uint64_t pos;		   /* bytes in @out, with those of @runs */
		struct iovec runs[RANGES]; /* of the chunk, to be appended */
		size_t n_runs;
		char name[16];
		struct extent *v; /* of the target at hand */
		size_t n, cap;
	} lanes[WORKERS_MAX];
};

static int add_extent(struct lane *l, const struct extent *e, struct err *err)
{
	struct extent *last = l->n ? &l->v[l->n - 1] : NULL;

	if (last && last->target == e->target && last->addr + last->len == e->addr &&
		last->off + last->len == e->off) {
		last->len += e->len;
		return 0;
	}
	if (array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v)) < 0)
		return err_oom(err);
	l->v[l->n++] = *e;
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

/*
 * Reads @n ranges, one behind the other. process_vm_readv does not read what the process itself may
 * not (PROT_NONE): /proc/PID/mem does.
 */
static int read_chunk(
	struct target *t, const struct iovec *from, size_t n, char *to, size_t len, struct err *err)
{
	struct iovec local = {to, len};
	size_t i;
	int r = 0;

	if (process_vm_readv(t->pid, &local, 1, from, n, 0) == (ssize_t)len)
		return 0;
	for (i = 0; r == 0 && i < n; i++) {
		r = target_read(t, (uintptr_t)from[i].iov_base, to, from[i].iov_len, err);
		to += from[i].iov_len;
	}
	return r;
}

static int append_runs(struct lane *l, struct err *err)
{
	size_t n = l->n_runs;

	l->n_runs = 0;
	return n ? image_data_append(l->out, l->runs, n, NULL, err) : 0;
}

static int add_run(struct lane *l, const struct extent *e, char *p, struct err *err)
{
	struct iovec *last = l->n_runs ? &l->runs[l->n_runs - 1] : NULL;
	int r = 0;

	if (last && (char *)last->iov_base + last->iov_len == p) {
		last->iov_len += e->len;
	} else {
		if (l->n_runs == RANGES)
			r = append_runs(l, err);
		l->runs[l->n_runs++] = (struct iovec){p, e->len};
	}
	l->pos += e->len;
	return r < 0 ? r : add_extent(l, e, err);
}

/* Adds the runs of a range that lies at @p; pages of zeros are none when the job says so. */
static int add_runs(struct lane *l, uint32_t file, const struct pages_job *job,
	const struct iovec *range, char *p, struct err *err)
{
	struct extent e = {.target = job->t->id, .file = file};
	size_t from = 0, at, end, len = range->iov_len;
	bool skip = job->skip_zero;
	int r = 0;

	while (r == 0 && from < len) {
		for (at = from; skip && at < len && is_zero(p + at, PAGE); at += PAGE)
			;
		for (end = at; end < len && !(skip && is_zero(p + end, PAGE)); end += PAGE)
			;
		e.addr = (uintptr_t)range->iov_base + at;
		e.len = end - at;
		e.off = l->pos;
		if (e.len)
			r = add_run(l, &e, p + at, err);
		from = end;
	}
	return r;
}

static int open_lane(struct pages_pool *p, unsigned int worker, struct err *err)
{
	struct lane *l = &p->lanes[worker];

	if (!l->chunk)
		l->chunk = aligned_alloc(PAGE, CHUNK);
	if (!l->chunk)
		return err_oom(err);
	if (l->out)
		return 0;
	snprintf(l->name, sizeof(l->name), "pages-%u", worker + 1);
	return image_data_new(p->w, l->name, &l->out, err);
}

/* The next ranges of the job from (*i, *at) on, as many as a chunk takes. Returns the bytes. */
static size_t next_ranges(const struct pages_job *job, size_t *i, uint64_t *at,
	struct iovec ranges[RANGES], size_t *ret_n)
{
	size_t len = 0, part;

	for (*ret_n = 0; *i < job->n && len < CHUNK; len += part) {
		part = MIN(job->v[*i].end - *at, (uint64_t)(CHUNK - len));
		ranges[(*ret_n)++] = (struct iovec){(void *)(uintptr_t)*at, part};
		*at += part;
		if (*at == job->v[*i].end && ++*i < job->n)
			*at = job->v[*i].start;
	}
	return len;
}

static int copy(void *arg, unsigned int worker, const void *data, struct err *err)
{
	const struct pages_job *job = data;
	struct pages_pool *p = arg;
	struct lane *l = &p->lanes[worker];
	struct iovec ranges[RANGES];
	uint64_t at = job->v[0].start;
	size_t i = 0, k, n, len;
	char *to;
	int r;

	r = open_lane(p, worker, err);
	while (r == 0 && (len = next_ranges(job, &i, &at, ranges, &n)) > 0) {
		r = read_chunk(job->t, ranges, n, l->chunk, len, err);
		for (k = 0, to = l->chunk; r == 0 && k < n; to += ranges[k++].iov_len)
			r = add_runs(l, worker + 1, job, &ranges[k], to, err);
		if (r == 0)
			r = append_runs(l, err);
	}
	return r;
}

void pages_saved_done(struct pages_saved *s)
{
	free(s->extents);
	free(s->files);
	free(s->names);
	*s = (struct pages_saved){0};
}

int pages_pool_new(struct image_writer *w, struct pages_pool **ret, struct err *err)
{
	struct pages_pool *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_oom(err);
	p->w = w;
	r = workers_new(sizeof(struct pages_job), PATIENCE, copy, p, &p->workers, err);
	if (r < 0)
		free(p);
	else
		*ret = p;
	return r;
}

int pages_pool_close(struct pages_pool *p, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < WORKERS_MAX; i++)
		if (p->lanes[i].out)
			r = image_data_close(TAKE_PTR(p->lanes[i].out), err);
	return r;
}

void pages_pool_free(struct pages_pool *p)
{
	size_t i;

	if (!p)
		return;
	workers_free(p->workers);
	for (i = 0; i < WORKERS_MAX; i++) {
		image_data_abandon(p->lanes[i].out);
		free(p->lanes[i].chunk);
		free(p->lanes[i].v);
	}
	free(p->all);
	free(p);
}

static int flush(struct pages_pool *p, struct err *err)
{
	int r = p->next.n ? workers_add(p->workers, &p->next, p->next.bytes, err) : 0;

	p->next.n = p->next.bytes = 0;
	return r;
}

static int add_region(struct pages_pool *p, struct target *t, const struct vma *v,
	const struct page_region *reg, struct err *err)
{
	struct pages_job *j = &p->next;
	uint64_t at, end;
	int r = 0;

	if (j->t != t || j->skip_zero != (v->kind == VMA_ANON))
		r = flush(p, err);
	j->t = t;
	j->skip_zero = v->kind == VMA_ANON;
	for (at = reg->start; r == 0 && at < reg->end; at = end) {
		end = MIN(reg->end, at + (PIECE - j->bytes));
		j->v[j->n++] = (struct range){at, end};
		j->bytes += end - at;
		if (j->bytes == PIECE || j->n == RANGES)
			r = flush(p, err);
	}
	return r;
}

static int add_guard(struct pages_guards *g, const struct page_region *reg, struct err *err)
{
	if (g->n && g->ranges[g->n - 2] + g->ranges[g->n - 1] == reg->start) {
		g->ranges[g->n - 1] += reg->end - reg->start;
		return 0;
	}
	if (array_reserve(&g->ranges, &g->cap, g->n + 2, sizeof(uint64_t)) < 0)
		return err_oom(err);
	g->ranges[g->n++] = reg->start;
	g->ranges[g->n++] = reg->end - reg->start;
	return 0;
}

int pages_dump(struct pages_pool *p, struct target *t, int pagemap_fd, const struct vma *v,
	struct pages_guards *guards, struct err *err)
{
	uint64_t at = v->start, next;
	int i, n, r = 0;

	while (r == 0 && at < v->end) {
		n = pagemap_scan(
			pagemap_fd, at, MIN(v->end, at + WINDOW), p->regions, REGIONS, &next);
		if (n < 0)
			return err_set(err, n, "cannot scan the pages of process %d (%s)", t->pid,
				t->comm);
		for (i = 0; r == 0 && i < n; i++) {
			const struct page_region *reg = &p->regions[i];

			if (reg->categories & PAGE_IS_GUARD)
				r = add_guard(guards, reg, err);
			else if (!(reg->categories & PAGE_IS_FILE) &&
				 !(reg->categories & PAGE_IS_PFNZERO && v->kind == VMA_ANON))
				r = add_region(p, t, v, reg, err);
		}
		at = next;
	}
	return r;
}

static int compare_extents(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	if (x->target != y->target)
		return x->target < y->target ? -1 : 1;
	return (x->addr > y->addr) - (x->addr < y->addr);
}

/* The extents of all lanes, sorted; the lanes are empty for what comes next. */
static int merge(struct pages_pool *p, struct err *err)
{
	struct lane *l;
	size_t i;

	p->n_all = p->taken = 0;
	for (i = 0; i < WORKERS_MAX; i++) {
		l = &p->lanes[i];
		if (!l->n)
			continue;
		if (array_reserve(&p->all, &p->all_cap, p->n_all + l->n, sizeof(*l->v)) < 0)
			return err_oom(err);
		memcpy(p->all + p->n_all, l->v, l->n * sizeof(*l->v));
		p->n_all += l->n;
		l->n = 0;
	}
	if (p->n_all)
		qsort(p->all, p->n_all, sizeof(*p->all), compare_extents);
	return 0;
}

int pages_wait(struct pages_pool *p, struct err *err)
{
	int r = flush(p, err);

	if (r == 0)
		r = workers_wait(p->workers, err);
	return r == 0 ? merge(p, err) : r;
}

int pages_take(
	struct pages_pool *p, const struct target *t, struct pages_saved *ret, struct err *err)
{
	const struct extent *v = p->n_all ? p->all + p->taken : NULL;
	uint32_t index[WORKERS_MAX + 1] = {0}; /* 1 + place in names, by file */
	struct pages_saved s = {0};
	size_t i;

	while (p->taken + s.n < p->n_all && v[s.n].target == t->id)
		s.n++;
	s.extents = calloc(s.n * 3 + 1, sizeof(*s.extents));
	s.files = calloc(s.n + 1, sizeof(*s.files));
	s.names = calloc(WORKERS_MAX, sizeof(*s.names));
	if (!s.extents || !s.files || !s.names) {
		pages_saved_done(&s);
		return err_oom(err);
	}
	for (i = 0; i < s.n; i++) {
		if (!index[v[i].file]) {
			s.names[s.n_names++] = p->lanes[v[i].file - 1].name;
			index[v[i].file] = s.n_names;
		}
		s.extents[3 * i] = v[i].addr;
		s.extents[3 * i + 1] = v[i].len;
		s.extents[3 * i + 2] = v[i].off;
		s.files[i] = index[v[i].file] - 1;
	}
	p->taken += s.n;
	*ret = s;
	return 0;
}
