// SPDX-License-Identifier: Apache-2.0
/* Ids inside and outside of a user namespace. */
#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/util.h"
#include "cr/nsdump/nsdump-internal.h"
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
	return r < 0 ? err_set(err, r, "cannot read the container's '%s'", name) : 0;
}

int idmaps_read(int proc_pid_fd, struct idmaps *ret, struct err *err)
{
	int r = read_map(proc_pid_fd, "uid_map", &ret->uid, err);

	return r < 0 ? r : read_map(proc_pid_fd, "gid_map", &ret->gid, err);
}

static void from_spec(const struct spec_idmap *rows, size_t n, struct idmap *ret)
{
	size_t i;

	ret->n = 0;
	for (i = 0; i < n && i < IDMAP_MAX; i++) {
		ret->row[i].inside = rows[i].container_id;
		ret->row[i].outside = rows[i].host_id;
		ret->row[i].count = rows[i].size;
		ret->n++;
	}
	if (ret->n == 0) { /* no user namespace: ids are what they are */
		ret->row[0].inside = ret->row[0].outside = 0;
		ret->row[0].count = UINT32_MAX;
		ret->n = 1;
	}
}

void idmaps_from_spec(const struct spec *spec, struct idmaps *ret)
{
	from_spec(spec->linux_.uid_maps, spec->linux_.n_uid_maps, &ret->uid);
	from_spec(spec->linux_.gid_maps, spec->linux_.n_gid_maps, &ret->gid);
}
