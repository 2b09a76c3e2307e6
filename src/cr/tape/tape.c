// SPDX-License-Identifier: Apache-2.0
/* See tape.h. */
#include "cr/tape/tape.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/util.h"

#define ALIGN 64

extern const char tape_player_start[], tape_player_end[];

void tape_done(struct tape *t)
{
	if (!t)
		return;
	free(t->rows);
	buf_done(&t->data);
	buf_done(&t->pointers);
	*t = (struct tape){0};
}

static int pad(struct buf *b, size_t align)
{
	static const char zeros[4096];
	size_t n = -b->len & (align - 1);

	return buf_add(b, zeros, n);
}

uint64_t tape_data(struct tape *t, const void *p, size_t len)
{
	uint64_t off;

	if (pad(&t->data, ALIGN) < 0 || buf_reserve(&t->data, len) < 0) {
		t->failed = true;
		return 0;
	}
	off = t->data.len;
	if (p)
		memcpy(t->data.data + off, p, len);
	else
		memset(t->data.data + off, 0, len);
	t->data.len += len;
	t->data.data[t->data.len] = '\0';
	return off;
}

void tape_data_pointer(struct tape *t, uint64_t at, uint64_t to)
{
	const uint64_t pair[2] = {at, to};

	if (buf_add(&t->pointers, pair, sizeof(pair)) < 0)
		t->failed = true;
}

size_t tape_add(struct tape *t, const char *what, uint64_t flags, long nr, const uint64_t args[6])
{
	struct tape_row *row;

	if (array_reserve(&t->rows, &t->cap, t->n + 1, sizeof(*t->rows)) < 0) {
		t->failed = true;
		return 0;
	}
	row = &t->rows[t->n];
	*row = (struct tape_row){.nr = nr, .flags = flags, .what = what};
	memcpy(row->args, args, sizeof(row->args));
	return t->n++;
}

void tape_expect(struct tape *t, uint64_t value)
{
	if (t->failed || !t->n)
		return;
	t->rows[t->n - 1].flags |= TAPE_EXACT;
	t->rows[t->n - 1].expect = value;
}

size_t tape_player_size(void)
{
	return (size_t)(tape_player_end - tape_player_start + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

int tape_link(const struct tape *t, uint64_t addr, struct buf *area, uint64_t *ret_tape,
	uint64_t *ret_data, struct err *err)
{
	struct tape_row end = {.nr = TAPE_END}, row;
	uint64_t rows_at, data_at, pair[2];
	size_t area_rows;
	size_t i, k;

	if (t->failed)
		return err_oom(err);
	if (area->len == 0)
		(void)buf_add(area, tape_player_start, tape_player_end - tape_player_start);
	(void)pad(area, ALIGN); /* a failure stays in the buffer, checked below */
	area_rows = area->len;
	rows_at = addr + area_rows;
	data_at = rows_at + (t->n + 1) * sizeof(row);
	data_at = (data_at + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
	(void)buf_reserve(area, data_at - rows_at + t->data.len);
	for (i = 0; i < t->n; i++) {
		row = t->rows[i];
		for (k = 0; k < 6; k++)
			if (row.flags & TAPE_DATA(k))
				row.args[k] += data_at;
		(void)buf_add(area, &row, sizeof(row));
	}
	(void)buf_add(area, &end, sizeof(end));
	(void)pad(area, ALIGN);
	(void)buf_add(area, buf_str(&t->data), t->data.len);
	if (area->failed)
		return err_oom(err);
	for (i = 0; i < t->pointers.len; i += sizeof(pair)) {
		memcpy(pair, t->pointers.data + i, sizeof(pair));
		pair[1] += data_at;
		memcpy(area->data + (data_at - rows_at) + area_rows + pair[0], &pair[1], 8);
	}
	*ret_tape = rows_at;
	*ret_data = data_at;
	return 0;
}

static void print_row(const struct tape_row *r, char *out, size_t size)
{
	snprintf(out, size,
		"%s: syscall %" PRId64 " (%#" PRIx64 ", %#" PRIx64 ", %#" PRIx64 ", %#" PRIx64
		", %#" PRIx64 ", %#" PRIx64 ")",
		r->what, r->nr, r->args[0], r->args[1], r->args[2], r->args[3], r->args[4],
		r->args[5]);
}

int tape_check(const struct tape_row *rows, size_t n, size_t stopped, struct err *err)
{
	char text[256];
	size_t i;

	for (i = 0; i < n; i++) {
		bool bad =
			rows[i].flags & TAPE_STOP && rows[i].result < 0 && rows[i].result >= -4095;

		if (i == stopped || bad) {
			print_row(&rows[i], text, sizeof(text));
			return err_set(
				err, rows[i].result < 0 ? (int)rows[i].result : -EIO, "%s", text);
		}
		if (rows[i].flags & TAPE_EXACT && (uint64_t)rows[i].result != rows[i].expect) {
			print_row(&rows[i], text, sizeof(text));
			return err_setx(err, -EIO, "%s gave %#" PRIx64 " instead of %#" PRIx64,
				text, (uint64_t)rows[i].result, rows[i].expect);
		}
	}
	return 0;
}

int tape_print(const struct tape *t, struct buf *out)
{
	char text[256];
	size_t i;

	for (i = 0; i < t->n; i++) {
		print_row(&t->rows[i], text, sizeof(text));
		(void)buf_addf(out, "%4zu %s\n", i, text); /* see below */
	}
	return out->failed ? -ENOMEM : 0;
}
