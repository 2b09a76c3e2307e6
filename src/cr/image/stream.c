// SPDX-License-Identifier: Apache-2.0
/* A new file of the image, written front to back, hashed as the bytes pass. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/util.h"
#include "cr/image/image-internal.h"

/* Writeback is started this often, so that the final fsync has little left to do. */
#define WRITEBACK_STEP (32u << 20)

int stream_open(struct stream *s, int dirfd, const char *name, struct err *err)
{
	if (!image_name_valid(name))
		return err_setx(err, -EINVAL, "'%s' cannot be the name of an image file", name);
	*s = (struct stream){.fd = -EBADF};
	s->hash = XXH3_createState();
	if (!s->hash || XXH3_64bits_reset(s->hash) != XXH_OK) {
		stream_done(s);
		return err_oom(err);
	}
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->fd < 0) {
		int r = err_set(err, -errno, "cannot create the image file '%s'", name);

		if (r == -EEXIST)
			err_hint(err, "give an empty or a new directory");
		stream_done(s);
		return r;
	}
	return 0;
}

/* Writes what it can of iov[0…n) from byte @skip of the first on; returns the bytes or -errno. */
static ssize_t write_some(int fd, const struct iovec *iov, size_t n, size_t skip)
{
	struct iovec part[64];
	size_t i;
	ssize_t r;

	n = MIN(n, ARRAY_SIZE(part));
	for (i = 0; i < n; i++)
		part[i] = iov[i];
	part[0].iov_base = (char *)part[0].iov_base + skip;
	part[0].iov_len -= skip;
	do
		r = writev(fd, part, n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int stream_writev(struct stream *s, const struct iovec *iov, size_t n, struct err *err)
{
	uint64_t before = s->size;
	size_t i, skip = 0;
	ssize_t r;

	for (i = 0; i < n; i++)
		XXH3_64bits_update(s->hash, iov[i].iov_base, iov[i].iov_len);
	for (i = 0; i < n;) {
		if (iov[i].iov_len == skip) {
			skip = 0;
			i++;
			continue;
		}
		r = write_some(s->fd, iov + i, n - i, skip);
		if (r < 0)
			return err_set(err, r, "cannot write the image file '%s'", s->name);
		s->size += r;
		for (skip += r; i < n && skip && skip >= iov[i].iov_len; i++)
			skip -= iov[i].iov_len;
	}
	if (s->sync && before / WRITEBACK_STEP != s->size / WRITEBACK_STEP)
		(void)sync_file_range(s->fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* only an early start */
	return 0;
}

int stream_write(struct stream *s, const void *data, size_t len, struct err *err)
{
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};

	return stream_writev(s, &iov, 1, err);
}

int stream_finish(struct stream *s, uint64_t *ret_hash, struct err *err)
{
	int r = 0;

	if (s->sync && fsync(s->fd) < 0)
		r = err_set(err, -errno, "cannot bring the image file '%s' to the disk", s->name);
	if (close(TAKE_FD(s->fd)) < 0 && r == 0)
		r = err_set(err, -errno, "cannot close the image file '%s'", s->name);
	if (r == 0)
		*ret_hash = XXH3_64bits_digest(s->hash);
	stream_done(s);
	return r;
}

void stream_done(struct stream *s)
{
	if (s->fd >= 0)
		(void)close(s->fd); /* abandoned: the file is about to be removed */
	(void)XXH3_freeState(s->hash);
	*s = (struct stream){.fd = -EBADF};
}
