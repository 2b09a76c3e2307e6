// SPDX-License-Identifier: Apache-2.0
/* See idmap.h. */
#include "sys/idmap.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/util.h"
#include "sys/proc.h"

int idmap_parse(const char *text, struct idmap *ret)
{
	uint32_t inside, outside, count;
	int used;

	ret->n = 0;
	while (sscanf(text, " %" SCNu32 " %" SCNu32 " %" SCNu32 "%n", &inside, &outside, &count,
		       &used) == 3) {
		if (ret->n == IDMAP_MAX)
			return -EINVAL;
		ret->row[ret->n].inside = inside;
		ret->row[ret->n].outside = outside;
		ret->row[ret->n++].count = count;
		text += used;
	}
	return text[strspn(text, " \n")] ? -EINVAL : 0;
}

uint32_t idmap_inside(const struct idmap *m, uint32_t outside)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (outside >= m->row[i].outside && outside - m->row[i].outside < m->row[i].count)
			return m->row[i].inside + (outside - m->row[i].outside);
	return IDMAP_NONE;
}

uint32_t idmap_outside(const struct idmap *m, uint32_t inside)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (inside >= m->row[i].inside && inside - m->row[i].inside < m->row[i].count)
			return m->row[i].outside + (inside - m->row[i].inside);
	return IDMAP_NONE;
}

static int read_map(int proc_pid_fd, const char *name, struct idmap *ret, struct err *err)
{
	autobuf struct buf b = {0};
	int r = proc_read(proc_pid_fd, name, &b);

	if (r == 0)
		r = idmap_parse(buf_str(&b), ret);
	return r < 0 ? err_set(err, r, "cannot read a process' '%s'", name) : 0;
}

int idmaps_read(int proc_pid_fd, struct idmaps *ret, struct err *err)
{
	int r = read_map(proc_pid_fd, "uid_map", &ret->uid, err);

	return r < 0 ? r : read_map(proc_pid_fd, "gid_map", &ret->gid, err);
}
