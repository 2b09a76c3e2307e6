// SPDX-License-Identifier: Apache-2.0
/* Ids of a new user namespace and offsets of a new time namespace: small files of /proc, written
 * once. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/util.h"
#include "ns/ns.h"

static int write_map(
	pid_t pid, const char *file, const struct spec_idmap *m, size_t n, struct err *err)
{
	autobuf struct buf b = {0};
	char path[64];
	size_t i;
	int r;

	for (i = 0; i < n; i++)
		(void)buf_addf(&b, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", m[i].container_id,
			m[i].host_id, m[i].size); /* b.failed tells */
	if (b.failed)
		return err_oom(err);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	r = file_write_at(AT_FDCWD, path, buf_str(&b));
	if (r < 0) {
		err_set(err, r, "cannot write the %s of the container's user namespace", file);
		if (r == -EPERM)
			err_hint(err, "the caller must own the ids: be root, or use a range of "
				      "/etc/subuid");
	}
	return r;
}

int ns_write_idmaps(pid_t pid, const struct spec_linux *l, struct err *err)
{
	int r = write_map(pid, "uid_map", l->uid_maps, l->n_uid_maps, err);

	return r < 0 ? r : write_map(pid, "gid_map", l->gid_maps, l->n_gid_maps, err);
}

int ns_write_time_offsets(pid_t pid, const struct spec_linux *l, struct err *err)
{
	char text[160], path[64];
	int r;

	snprintf(text, sizeof(text),
		"monotonic %" PRId64 " %" PRId64 "\nboottime %" PRId64 " %" PRId64 "\n",
		l->time_monotonic_sec, l->time_monotonic_nsec, l->time_boottime_sec,
		l->time_boottime_nsec);
	snprintf(path, sizeof(path), "/proc/%d/timens_offsets", (int)pid);
	r = file_write_at(AT_FDCWD, path, text);
	if (r == -ERANGE)
		return err_setx(err, r,
			"the time offset is out of range: the container's clocks would be negative "
			"or overflow");
	if (r < 0)
		return err_set(err, r, "cannot set the offsets of the container's time namespace");
	return 0;
}
