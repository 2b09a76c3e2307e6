// SPDX-License-Identifier: Apache-2.0
/* The id maps that a container to be made will have. */
#include "base/util.h"
#include "cr/nsdump/nsdump-internal.h"

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
