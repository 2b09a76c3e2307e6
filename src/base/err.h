/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error that a failing function hands to its caller: a code, a sentence that names the object
 * and the cause, and a hint what to do. Flat (no pointers), so that a child can write it whole
 * into a socket for its parent.
 */
#pragma once

#include <stdarg.h>

#define ERR_TEXT_MAX 1024
#define ERR_HINT_MAX 512

struct err {
	int code;	 /* -errno, 0: no error */
	int exit_status; /* with which kist is to end because of it, 0: the usual one */
	char text[ERR_TEXT_MAX];
	char hint[ERR_HINT_MAX];
};

/*
 * Fills @err (may be NULL) with @code (negative errno) and "TEXT: strerror(code)"; the reason is
 * left out where @code is 0 or the text already says it (err_setx). Returns @code, so that a
 * function can say `return err_set(err, -errno, "cannot open '%s'", path)`.
 */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, without the appended reason. */
int err_setx(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Adds a hint, what the user can do. Returns err->code; -EINVAL without @err. */
int err_hint(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "CONTEXT: " in front of the text. Returns err->code; -EINVAL without @err. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* -ENOMEM with its text. */
int err_oom(struct err *err);
