// SPDX-License-Identifier: Apache-2.0
/* Credentials of a thread, credentials(7), capabilities(7). */
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "cr/task/task-internal.h"
#include "sys/idmap.h"
#include "sys/proc.h"

#define LAST_CAP 40

static int four(const char *text, size_t len, const char *key, uint32_t *r, uint32_t *e,
	uint32_t *s, uint32_t *f)
{
	char v[128];
	int n = proc_field(text, len, key, v, sizeof(v));

	if (n < 0)
		return n;
	return sscanf(v, "%" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32, r, e, s, f) == 4 ? 0
											  : -EINVAL;
}

static int groups(const char *text, size_t len, Kist__Creds *ret, struct arena *a)
{
	autofree char *v = malloc(len + 1);
	char *p, *end;
	int r;

	if (!v)
		return -ENOMEM;
	r = proc_field(text, len, "Groups", v, len + 1);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	ret->groups = arena_alloc(a, (strlen(v) / 2 + 1) * sizeof(uint32_t));
	if (!ret->groups)
		return -ENOMEM;
	for (p = v;; p = end) {
		uint32_t gid = strtoul(p, &end, 10);

		if (end == p)
			return 0;
		ret->groups[ret->n_groups++] = gid;
	}
}

/* From what /proc shows us to what the thread itself knows, which is what a restore sets. */
static int to_inside(const struct target *t, Kist__Creds *c, struct err *err)
{
	uint32_t *const uids[] = {&c->uid, &c->euid, &c->suid, &c->fsuid};
	uint32_t *const gids[] = {&c->gid, &c->egid, &c->sgid, &c->fsgid};
	struct idmaps maps;
	bool lost = false;
	size_t i;
	int r = idmaps_read(t->procfd, &maps, err);

	if (r < 0)
		return r;
	for (i = 0; i < ARRAY_SIZE(uids); i++) {
		*uids[i] = idmap_inside(&maps.uid, *uids[i]);
		*gids[i] = idmap_inside(&maps.gid, *gids[i]);
		lost |= *uids[i] == IDMAP_NONE || *gids[i] == IDMAP_NONE;
	}
	for (i = 0; i < c->n_groups; i++) {
		c->groups[i] = idmap_inside(&maps.gid, c->groups[i]);
		lost |= c->groups[i] == IDMAP_NONE;
	}
	if (!lost)
		return 0;
	return err_setx(err, -EOPNOTSUPP,
		"process %d (%s) has a user or group that its user namespace does not know", t->pid,
		t->comm);
}

int creds_read(struct target *t, pid_t tid, Kist__Creds *ret, struct arena *a, struct err *err)
{
	struct {
		const char *key;
		uint64_t *value;
	} caps[] = {
		{"CapInh", &ret->cap_inheritable},
		{"CapPrm", &ret->cap_permitted},
		{"CapEff", &ret->cap_effective},
		{"CapBnd", &ret->cap_bounding},
		{"CapAmb", &ret->cap_ambient},
	};
	autobuf struct buf text = {0};
	uint64_t nnp = 0;
	const char *s;
	char name[64];
	size_t i;
	int r;

	snprintf(name, sizeof(name), "task/%d/status", tid);
	r = proc_read(t->procfd, name, &text);
	s = buf_str(&text);
	if (r == 0)
		r = four(s, text.len, "Uid", &ret->uid, &ret->euid, &ret->suid, &ret->fsuid);
	if (r == 0)
		r = four(s, text.len, "Gid", &ret->gid, &ret->egid, &ret->sgid, &ret->fsgid);
	if (r == 0)
		r = groups(s, text.len, ret, a);
	for (i = 0; r == 0 && i < ARRAY_SIZE(caps); i++)
		r = proc_field_u64(s, text.len, caps[i].key, 16, caps[i].value);
	if (r == 0)
		r = proc_field_u64(s, text.len, "NoNewPrivs", 10, &nnp);
	ret->no_new_privs = nnp;
	if (r < 0)
		return err_set(
			err, r, "cannot read the credentials of thread %d (%s)", tid, t->comm);
	return to_inside(t, ret, err);
}

static void prctl_row(struct tape *t, const char *what, uint64_t a, uint64_t b, uint64_t c)
{
	TAPE_ADD(t, what, TAPE_STOP, SYS_prctl, a, b, c, 0, 0);
}

/*
 * The order matters: the bounding set and groups want capabilities, keepcaps saves the permitted
 * set over the change of uid, ambient capabilities want permitted and inheritable ones.
 */
void creds_tape(struct tape *t, const Kist__Creds *c)
{
	struct __user_cap_header_struct hdr = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{c->cap_effective, c->cap_permitted, c->cap_inheritable},
		{c->cap_effective >> 32, c->cap_permitted >> 32, c->cap_inheritable >> 32},
	};
	uint64_t hdr_at = tape_data(t, &hdr, sizeof(hdr)), cap;

	if (c->no_new_privs)
		prctl_row(t, "no_new_privs", PR_SET_NO_NEW_PRIVS, 1, 0);
	for (cap = 0; cap <= LAST_CAP; cap++)
		if (!(c->cap_bounding & 1ull << cap))
			TAPE_ADD(t, "drop a bounding capability", 0, SYS_prctl, PR_CAPBSET_DROP,
				cap);
	TAPE_ADD(t, "set groups", TAPE_STOP | TAPE_DATA(1), SYS_setgroups, c->n_groups,
		tape_data(t, c->groups, c->n_groups * sizeof(uint32_t)));
	if (c->securebits)
		prctl_row(t, "set secure bits", PR_SET_SECUREBITS, c->securebits | SECBIT_KEEP_CAPS,
			0);
	else
		prctl_row(t, "keep capabilities", PR_SET_KEEPCAPS, 1, 0);
	TAPE_ADD(t, "set gids", TAPE_STOP, SYS_setresgid, c->gid, c->egid, c->sgid);
	TAPE_ADD(t, "set fsgid", 0, SYS_setfsgid, c->fsgid);
	TAPE_ADD(t, "set uids", TAPE_STOP, SYS_setresuid, c->uid, c->euid, c->suid);
	TAPE_ADD(t, "set fsuid", 0, SYS_setfsuid, c->fsuid);
	TAPE_ADD(t, "set capabilities", TAPE_STOP | TAPE_DATA(0) | TAPE_DATA(1), SYS_capset, hdr_at,
		tape_data(t, data, sizeof(data)));
	for (cap = 0; cap <= LAST_CAP; cap++)
		if (c->cap_ambient & 1ull << cap)
			prctl_row(t, "raise an ambient capability", PR_CAP_AMBIENT,
				PR_CAP_AMBIENT_RAISE, cap);
	if (!(c->securebits & SECBIT_KEEP_CAPS))
		TAPE_ADD(t, "keep capabilities", 0, SYS_prctl, PR_SET_KEEPCAPS, 0);
}
