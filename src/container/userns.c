// SPDX-License-Identifier: Apache-2.0
/*
 * Ids for `--userns auto`: a range that no other container of this state directory has. They lie in
 * the upper half of all ids, where distributions put no users and /etc/subuid no ranges by default.
 */
#include <fcntl.h>
#include <sys/file.h>

#include "base/util.h"
#include "container/dirs.h"
#include "container/making.h"

#define BASE  UINT32_C(0x80000000)
#define SLOTS (UINT32_C(0x7fff0000) / CONTAINER_USERNS_AUTO)

static void mark(const struct spec_idmap *m, size_t n, bool used[SLOTS])
{
	uint64_t at, end;
	size_t i;

	for (i = 0; i < n; i++) {
		end = (uint64_t)m[i].host_id + m[i].size;
		for (at = MAX(m[i].host_id, BASE); at < end; at += CONTAINER_USERNS_AUTO)
			if ((at - BASE) / CONTAINER_USERNS_AUTO < SLOTS)
				used[(at - BASE) / CONTAINER_USERNS_AUTO] = true;
		if (end > BASE && (end - 1 - BASE) / CONTAINER_USERNS_AUTO < SLOTS)
			used[(end - 1 - BASE) / CONTAINER_USERNS_AUTO] = true;
	}
}

static int mark_all(bool used[SLOTS], struct err *err)
{
	autostrv char **names = NULL;
	int r = container_list(&names, err);
	size_t i;

	for (i = 0; r == 0 && names[i]; i++) {
		struct container *c;

		if (container_open(names[i], &c, NULL) < 0)
			continue; /* gone meanwhile, or damaged: then nothing runs with its ids */
		if (c->params) {
			const struct spec_linux *l = &c->params->spec->linux_;

			mark(l->uid_maps, l->n_uid_maps, used);
			mark(l->gid_maps, l->n_gid_maps, used);
		}
		container_free(c);
	}
	return r;
}

static int set_map(struct spec_idmap **maps, size_t *n, uint32_t host, uint32_t size)
{
	struct spec_idmap *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	*m = (struct spec_idmap){0, host, size};
	free(*maps);
	*maps = m;
	*n = 1;
	return 0;
}

static int place(struct container *c, uint32_t host, struct err *err)
{
	struct spec_linux *l = &c->params->spec->linux_;
	uint32_t size = c->params->userns_size;

	if (set_map(&l->uid_maps, &l->n_uid_maps, host, size) < 0 ||
		set_map(&l->gid_maps, &l->n_gid_maps, host, size) < 0)
		return err_oom(err);
	return 0;
}

static int choose(struct container *c, struct err *err)
{
	uint32_t slot = 0;
	autofree bool *used = calloc(SLOTS, sizeof(*used));
	int r = used ? mark_all(used, err) : err_oom(err);

	if (r < 0)
		return r;
	while (slot < SLOTS && used[slot])
		slot++;
	if (slot == SLOTS)
		return err_setx(err, -ENOSPC, "all ids for '--userns auto' are taken");
	r = place(c, BASE + slot * CONTAINER_USERNS_AUTO, err);
	return r < 0 ? r : container_save(c, err); /* now others see that they are taken */
}

int container_userns_check(struct container *c, struct err *err)
{
	if (!c->params->userns_size || c->making->again)
		return 0;
	if (c->params->userns_size > CONTAINER_USERNS_AUTO)
		return err_setx(err, -EINVAL, "'--userns auto' gives at most %d ids",
			CONTAINER_USERNS_AUTO);
	return place(c, BASE, err);
}

int container_userns_allocate(struct container *c, struct err *err)
{
	autoclose int dirs = -EBADF;
	int r;

	if (!c->params->userns_size || c->making->again)
		return 0;
	dirs = container_dirs_open(false, err);
	if (dirs < 0)
		return dirs;
	while (flock(dirs, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot lock the state directory");
	r = choose(c, err);
	(void)flock(dirs, LOCK_UN); /* closing does the same */
	return r;
}
