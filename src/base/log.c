// SPDX-License-Identifier: Apache-2.0
/* See log.h. One write(2) a line, so that lines of several processes do not mix. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/io.h"

static enum log_level log_level = LOG_LEVEL_WARN;
static int log_fd = 2;

void log_set(enum log_level level, int fd)
{
	log_level = level;
	log_fd = fd;
}

enum log_level log_get_level(void)
{
	return log_level;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	char line[2048];
	int saved = errno, n, m;
	va_list ap;

	if (level > log_level)
		return;
	n = snprintf(line, sizeof(line), "kist: %s: ", names[level]);
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	if (m < 0)
		m = 0;
	n += m < (int)sizeof(line) - n - 1 ? m : (int)sizeof(line) - n - 2;
	line[n++] = '\n';
	(void)io_write(log_fd, line, n); /* nowhere left to say that it failed */
	errno = saved;
}
