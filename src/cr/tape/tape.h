/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tape: system calls as data. A row is one call; a tiny player (arch/.../player.S) executes the
 * rows in order inside another process, or in a task that has thrown its own program away, and
 * traps at the end. All decisions are made outside, in ordinary C.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* The layout is known to player.S, but for what stands behind flags. */
struct tape_row {
	int64_t nr; /* system call number, TAPE_END: the last row */
	uint64_t args[6];
	int64_t result;
	uint64_t flags;
	uint64_t expect;  /* with TAPE_EXACT */
	const char *what; /* a word for messages: static text, the same in kist's forked children */
};

#define TAPE_END -1

/* Bits of tape_row.flags. Bits 0-5: argument i is the number of a row whose result is meant. */
#define TAPE_REF(i)  (1ull << (i))
#define TAPE_CLONE   (1ull << 6) /* result 0 is the new thread: it pops its tape and plays that */
#define TAPE_STOP    (1ull << 7) /* stop here when the call fails */
#define TAPE_DATA(i) (1ull << (8 + (i))) /* argument i is an offset into the tape's data */
#define TAPE_EXACT   (1ull << 14)	 /* a result other than expect is a failure */

struct tape {
	struct tape_row *rows;
	size_t n, cap;
	struct buf data;     /* what rows point to; read back after the run */
	struct buf pointers; /* pairs of uint64_t: a place in the data, the offset it points to */
	bool failed;	     /* out of memory, once; every add after it is a no-op */
};

void tape_done(struct tape *t);
/* Puts @len bytes (zeros if @p is NULL) into the data, 64-byte aligned. Returns the offset. */
uint64_t tape_data(struct tape *t, const void *p, size_t len);
/* The 8 bytes at data offset @at become the address of data offset @to when the tape is linked. */
void tape_data_pointer(struct tape *t, uint64_t at, uint64_t to);
/* Adds a row. @what: static text, e.g. "map". Returns its number. */
size_t tape_add(struct tape *t, const char *what, uint64_t flags, long nr, const uint64_t args[6]);
#define TAPE_ADD(t, what, flags, nr, ...) \
	tape_add(t, what, flags, nr, (const uint64_t[6]){__VA_ARGS__})
/* The last row must give exactly @value. */
void tape_expect(struct tape *t, uint64_t value);

/*
 * The tape as bytes for an area at address @addr (page aligned): player, rows, data. Several tapes
 * may share an area (threads): each call appends one, aligned. *ret_tape is the address of the
 * rows, which the player wants in its first argument register.
 */
int tape_link(const struct tape *t, uint64_t addr, struct buf *area, uint64_t *ret_tape,
	uint64_t *ret_data, struct err *err);
/* Size of the player, which stands at the start of an area; tape_link puts it there. */
size_t tape_player_size(void);

/*
 * Judges a played tape by its rows as read back; @stopped is the row where it ended. 0, or the
 * failure of a row by its word and arguments.
 */
int tape_check(const struct tape_row *rows, size_t n, size_t stopped, struct err *err);
/* One line a row, for tests and --log-level debug. */
int tape_print(const struct tape *t, struct buf *out);
