// SPDX-License-Identifier: Apache-2.0
/* See mountinfo.h. */
#include "sys/mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "\040" and its like stand for the bytes that would break the line into wrong fields. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
			s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

static char *field(char **p)
{
	char *start = *p;

	if (!start)
		return NULL;
	*p = strchr(start, ' ');
	if (*p)
		*(*p)++ = '\0';
	return start;
}

/* The optional fields end with a lone "-", which becomes the end of their string. */
static int optional_fields(char **p, struct mountinfo *m)
{
	char *sep;

	if (!*p)
		return -EINVAL;
	m->optional = *p;
	if (strncmp(*p, "- ", 2) == 0) {
		**p = '\0';
		*p += 2;
		return 0;
	}
	sep = strstr(*p, " - ");
	if (!sep)
		return -EINVAL;
	*sep = '\0';
	*p = sep + 3;
	return 0;
}

int mountinfo_next(char **text, struct mountinfo *ret)
{
	struct mountinfo m = {0};
	char *line = *text, *p, *id, *parent, *dev, *end;

	if (!*line)
		return 0;
	end = strchr(line, '\n');
	*text = end ? end + 1 : line + strlen(line);
	if (end)
		*end = '\0';
	p = line;
	id = field(&p);
	parent = field(&p);
	dev = field(&p);
	m.root = field(&p);
	m.mountpoint = field(&p);
	m.options = field(&p);
	if (!m.options || optional_fields(&p, &m) < 0)
		return -EINVAL;
	m.fstype = field(&p);
	m.source = field(&p);
	m.super_options = field(&p);
	if (!m.super_options || sscanf(id, "%d", &m.id) != 1 ||
		sscanf(parent, "%d", &m.parent) != 1 ||
		sscanf(dev, "%u:%u", &m.major, &m.minor) != 2)
		return -EINVAL;
	unescape(m.root);
	unescape(m.mountpoint);
	unescape(m.source);
	unescape(m.super_options);
	*ret = m;
	return 1;
}
