/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world for tests of cr/file without the engine: a child (and its own child) opens files and
 * stops; its files are dumped from outside; it is killed; another process restores them and looks.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "cr/file/file.h"

/* What both sides share: they hold nothing else in common than fd numbers. */
struct world {
	char dir[64];  /* a scratch directory, removed at the end */
	char why[512]; /* what the looking process found wrong */
	long n[16];    /* notes from opening to looking */
	pid_t second;
	bool ready;
	struct err err;
};

/* The process's own words on failure; ends it. */
#define CHECK(w, cond)                                                                           \
	do {                                                                                     \
		if (!(cond))                                                                     \
			world_fail(w, "%s:%d: %s (errno %d)", __FILE__, __LINE__, #cond, errno); \
	} while (0)
void world_fail(struct world *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

struct world_case {
	const char *name;
	/* In the first process, then (NULL: there is none) in its child, which inherits its fds. */
	void (*open)(struct world *w);
	void (*open2)(struct world *w);
	/* After the dump and the death of both, before the restore. NULL: nothing. */
	void (*between)(struct world *w);
	void (*look)(struct world *w);
	void (*look2)(struct world *w); /* runs first, while the parent waits */
	/* Not NULL: the dump must be refused with this in its text. */
	const char *refused, *restore_refused; /* the same of the restore */
	struct file_dump_opts opts;	       /* root_fd is filled in */
};

/* Runs it; fails the cmocka test with the words of the process. */
void world_run(const struct world_case *c);
