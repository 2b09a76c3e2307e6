// SPDX-License-Identifier: Apache-2.0
/* See err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void err_fill(struct err *err, int code, const char *fmt, va_list ap, int reason)
{
	size_t n;
	int r;

	err->code = code;
	err->exit_status = 0;
	err->hint[0] = '\0';
	r = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	n = r < 0 ? 0 : (size_t)r;
	if (reason && code && n + 3 < sizeof(err->text))
		snprintf(err->text + n, sizeof(err->text) - n, ": %s", strerror(-code));
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	err_fill(err, code, fmt, ap, 1);
	va_end(ap);
	return code;
}

int err_setx(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	err_fill(err, code, fmt, ap, 0);
	va_end(ap);
	return code;
}

int err_hint(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -EINVAL; /* the code is lost, that it is a failure is not */
	va_start(ap, fmt);
	(void)vsnprintf(err->hint, sizeof(err->hint), fmt, ap); /* a cut hint is still a hint */
	va_end(ap);
	return err->code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char old[ERR_TEXT_MAX];
	va_list ap;
	int r;

	if (!err)
		return -EINVAL; /* the code is lost, that it is a failure is not */
	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	r = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (r >= 0 && (size_t)r + 3 < sizeof(err->text))
		snprintf(err->text + r, sizeof(err->text) - r, ": %.*s",
			(int)(sizeof(err->text) - r - 3), old);
	return err->code;
}

int err_oom(struct err *err)
{
	return err_set(err, -ENOMEM, "cannot allocate memory for kist itself");
}
