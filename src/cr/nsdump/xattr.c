// SPDX-License-Identifier: Apache-2.0
/* Extended attributes of any kind of file, xattr(7). */
#include <stdio.h>
#include <sys/xattr.h>

#include "base/util.h"
#include "cr/nsdump/mount-internal.h"

#define XATTR_BYTES_MAX 65536 /* of a value, and of all names: the kernel's own limits */

/* What overlayfs notes about the layer below: file handles, counts. It is wrong after a restore. */
static bool unwanted(const char *name)
{
	static const char *const words[] = {"impure", "nlink", "origin", "upper", "uuid"};
	const char *p;
	size_t i;

	if (strncmp(name, "trusted.overlay.", 16) == 0)
		p = name + 16;
	else if (strncmp(name, "user.overlay.", 13) == 0)
		p = name + 13;
	else
		return false;
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(p, words[i]) == 0)
			return true;
	return false;
}

void xattrs_done(struct xattrs *x)
{
	size_t i;

	for (i = 0; i < x->n; i++) {
		free(x->v[i].name.data);
		free(x->v[i].value.data);
	}
	free(x->v);
	free(x->list);
	*x = (struct xattrs){0};
}

static int read_one(const char *path, const char *name, char *space, struct xattrs *x)
{
	ssize_t len = getxattr(path, name, space, XATTR_BYTES_MAX);
	Kist__Xattr *a;

	if (len < 0)
		return errno == ENODATA ? 0 : -errno;
	if (array_reserve(&x->v, &x->cap, x->n + 1, sizeof(*x->v)) < 0)
		return -ENOMEM;
	a = &x->v[x->n++];
	kist__xattr__init(a);
	a->name.data = (uint8_t *)strdup(name);
	a->value.data = malloc(len + 1);
	if (!a->name.data || !a->value.data)
		return -ENOMEM;
	a->name.len = strlen(name);
	a->value.len = len;
	memcpy(a->value.data, space, len);
	return 0;
}

int xattrs_read(int fd, struct xattrs *x)
{
	autofree char *names = NULL, *space = NULL;
	ssize_t len;
	size_t i;
	char path[32], *p;
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); /* works for O_PATH, too */
	len = listxattr(path, NULL, 0);
	if (len <= 0)
		return len == 0 || errno == EOPNOTSUPP ? 0 : -errno;
	names = malloc(XATTR_BYTES_MAX);
	space = malloc(XATTR_BYTES_MAX);
	if (!names || !space)
		return -ENOMEM;
	len = listxattr(path, names, XATTR_BYTES_MAX);
	for (p = names; len > 0 && p < names + len; p += strlen(p) + 1) {
		if (unwanted(p))
			continue;
		r = read_one(path, p, space, x);
		if (r < 0)
			return r;
	}
	x->list = calloc(x->n + 1, sizeof(*x->list));
	if (!x->list)
		return -ENOMEM;
	for (i = 0; i < x->n; i++)
		x->list[i] = &x->v[i];
	return len < 0 ? -errno : 0;
}

int xattrs_write(int fd, Kist__Xattr **list, size_t n)
{
	char path[32], name[256];
	size_t i;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (i = 0; i < n; i++) {
		if (list[i]->name.len == 0 || list[i]->name.len >= sizeof(name) ||
			!bytes_plain(&list[i]->name))
			return -EINVAL;
		memcpy(name, list[i]->name.data, list[i]->name.len);
		name[list[i]->name.len] = '\0';
		if (setxattr(path, name, list[i]->value.data, list[i]->value.len, 0) < 0)
			return -errno;
	}
	return 0;
}
