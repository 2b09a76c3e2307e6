// SPDX-License-Identifier: Apache-2.0
/* Sysctls that belong to the IPC namespace, sysctl(5) proc_sys_kernel(5) mq_overview(7). */
#include <stdio.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/util.h"
#include "cr/nsdump/nsdump-internal.h"
#include "sys/proc.h"

struct sysctl {
	const char *name; /* below /proc/sys */
	const char *wide; /* as wide as the kernel lets it be, while objects are made */
	bool late;	  /* acts on objects that no one has attached yet */
};

static const struct sysctl sysctls[] = {
	{"fs/mqueue/msg_default"},
	{"fs/mqueue/msg_max", "65536"},
	{"fs/mqueue/msgsize_default"},
	{"fs/mqueue/msgsize_max", "16777216"},
	{"fs/mqueue/queues_max", "1048576"},
	{"kernel/msgmax", "2147483647"},
	{"kernel/msgmnb", "2147483647"},
	{"kernel/msgmni", "32768"},
	{"kernel/sem", "32000 1024000000 500 32000"},
	{"kernel/shm_rmid_forced", .late = true},
	{"kernel/shmall", "18446744073692774399"},
	{"kernel/shmmax", "18446744073692774399"},
	{"kernel/shmmni", "32768"},
};

/* The value without the final newline, fields apart by one space. */
static int read_value(int procfd, const char *name, struct buf *b)
{
	char path[64];
	char *p;
	int r;

	snprintf(path, sizeof(path), "sys/%s", name);
	buf_reset(b);
	r = proc_read(procfd, path, b);
	if (r < 0)
		return r;
	while (b->len && (b->data[b->len - 1] == '\n' || b->data[b->len - 1] == ' '))
		b->data[--b->len] = '\0';
	for (p = b->data; p && *p; p++)
		if (*p == '\t')
			*p = ' ';
	return 0;
}

static int write_value(int procfd, const char *name, const char *value, struct err *err)
{
	autobuf struct buf b = {0};
	char path[64];
	int r;

	r = read_value(procfd, name, &b);
	if (r == 0 && strcmp(buf_str(&b), value) == 0)
		return 0;
	snprintf(path, sizeof(path), "sys/%s", name);
	if (r == 0)
		r = file_write_at(procfd, path, value);
	return r < 0 ? err_set(err, r, "cannot set the sysctl '%s' to '%s'", name, value) : 0;
}

int sysctl_save(struct nsdump *d, struct err *err)
{
	autobuf struct buf b = {0};
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(sysctls); i++) {
		Kist__Sysctl msg = KIST__SYSCTL__INIT;

		r = read_value(d->procfd, sysctls[i].name, &b);
		if (r == -ENOENT)
			continue; /* built without this part of IPC */
		if (r < 0)
			return err_set(err, r, "cannot read the sysctl '%s'", sysctls[i].name);
		msg.name = (char *)sysctls[i].name;
		msg.value = b.data ? b.data : (char *)"";
		r = image_put(d->w, RECORD_SYSCTL, &msg.base, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct sysctl *find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sysctls); i++)
		if (strcmp(sysctls[i].name, name) == 0)
			return &sysctls[i];
	return NULL;
}

/* Those of other folders: the network's. */
static bool foreign(const char *name)
{
	return strncmp(name, "net/", 4) == 0;
}

int sysctl_restore_check(const struct image *img, struct err *err)
{
	size_t i;

	for (i = 0; i < image_count(img, RECORD_SYSCTL); i++) {
		const Kist__Sysctl *msg = (const Kist__Sysctl *)image_get(img, RECORD_SYSCTL, i);

		if (!foreign(msg->name) && !find(msg->name))
			return err_setx(err, -EBADMSG,
				"the image wants to set the sysctl '%s', which is no container's",
				msg->name);
	}
	return 0;
}

int sysctl_widen(int procfd, struct err *err)
{
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(sysctls); i++) {
		if (!sysctls[i].wide)
			continue;
		r = write_value(procfd, sysctls[i].name, sysctls[i].wide, err);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

int sysctl_restore(const struct image *img, int procfd, bool late, struct err *err)
{
	const struct sysctl *s;
	size_t i;
	int r;

	for (i = 0; i < image_count(img, RECORD_SYSCTL); i++) {
		const Kist__Sysctl *msg = (const Kist__Sysctl *)image_get(img, RECORD_SYSCTL, i);

		s = foreign(msg->name) ? NULL : find(msg->name);
		if (!s || s->late != late)
			continue;
		r = write_value(procfd, s->name, msg->value, err);
		if (r < 0)
			return r;
	}
	return 0;
}
