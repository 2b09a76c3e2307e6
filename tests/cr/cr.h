/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the checkpoint/restore programs share. Each sets up state, says "ready", is checkpointed and
 * restored (or not: then it must pass as well), and checks, when it is told to go on, that all is
 * as it was. The word with its runner goes by files in a directory: `ready` is made by the
 * program, `go` by the runner (it holds the seconds spent away), `result` by the program at its
 * end: "pass", "skip: WHY" or "fail" with a line for each difference.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* First of all: cr_init(argv[1]). */
void cr_init(int argc, char **argv);
/* "DIR/NAME", in one of a few static buffers. */
const char *cr_path(const char *name);
/* Main process: all is set up; waits for `go`. */
void cr_wait(void);
/* Any process or thread: waits for `go` without saying ready. */
void cr_wait_go(void);
/* Seconds between dumps and restores, as the runner measured them; after the wait. */
double cr_away(void);

/* A difference: printed, and counted for cr_done. */
void cr_differs(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Writes the result; returns main's exit status. */
int cr_done(void);
/* Ends the program: this machine does not have what it takes. */
void cr_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Ends the program: a step of the set-up failed. */
void cr_broken(const char *file, int line, const char *what) __attribute__((noreturn));

/*
 * Forks a child and returns when the child has called cr_child_ready(). In the child it returns 0;
 * there cr_done() gives the exit status that cr_reap() wants.
 */
pid_t cr_fork(void);
void cr_child_ready(void);
/* Waits for a child that must have found no difference. */
void cr_reap(pid_t pid);

/* Fills, or compares, a range with bytes that depend on @seed and the place. */
void cr_fill(void *p, size_t len, uint32_t seed);
bool cr_filled(const void *p, size_t len, uint32_t seed);
/* Seconds of CLOCK_MONOTONIC. */
double cr_now(void);
/* A file of /proc, whole, as a string to free. */
char *cr_read_file(const char *path);
/* The value of a line "KEY:\tVALUE" in a text, copied (64 bytes), "" without it. */
void cr_field(const char *text, const char *key, char *ret, size_t size);
/* Does reading (or writing) there end in a SIGSEGV or SIGBUS? The signal's number, or 0. */
int cr_faults(volatile char *p, bool write);

#define CHECK(cond, ...)                                             \
	do {                                                         \
		if (!(cond))                                         \
			cr_differs(__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)
/* As CHECK, for two integers. */
#define CHECK_EQ(is, was)                                                                       \
	do {                                                                                    \
		long long is_ = (long long)(is), was_ = (long long)(was);                       \
		if (is_ != was_)                                                                \
			cr_differs(__FILE__, __LINE__, "%s is %lld, not %lld", #is, is_, was_); \
	} while (0)
/* A step of the set-up that must work. */
#define MUST(cond)                                            \
	do {                                                  \
		if (!(cond))                                  \
			cr_broken(__FILE__, __LINE__, #cond); \
	} while (0)
