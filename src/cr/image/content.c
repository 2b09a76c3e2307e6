// SPDX-License-Identifier: Apache-2.0
/* Contents of files that the image keeps: all in one data file, holes left out. */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/image/content.pb-c.h"
#include "cr/image/image-internal.h"

struct extents {
	Kist__Extent *v;
	size_t n, cap;
};

/* Copies [off, off+len) of @fd to the data file, padded to whole pages. */
static int save_range(struct image_data *d, int fd, uint64_t off, uint64_t len, char *space,
	uint64_t *ret_position, struct err *err)
{
	uint64_t done = 0, position, first = 0;
	struct iovec iov;
	size_t part, padded;
	ssize_t n;
	int r;

	while (done < len) {
		part = MIN(len - done, (uint64_t)IMAGE_BUFFER);
		n = io_pread(fd, space, part, off + done);
		if (n >= 0 && (size_t)n < part)
			n = -EIO; /* it shrank while we read */
		if (n < 0)
			return err_set(
				err, n, "cannot read a file's content at %" PRIu64, off + done);
		padded = (part + IMAGE_PAGE - 1) & ~(size_t)(IMAGE_PAGE - 1);
		memset(space + part, 0, padded - part);
		iov = (struct iovec){.iov_base = space, .iov_len = padded};
		r = image_data_append(d, &iov, 1, &position, err);
		if (r < 0)
			return r;
		if (done == 0)
			first = position;
		done += part;
	}
	*ret_position = first;
	return 0;
}

/*
 * The next run of data at or after @off: 1 with *start, *end (≤ @size), 0 when only a hole is left.
 * @seek is ours alone (its position moves), or -EBADF: then everything counts as data.
 */
static int next_run(int seek, uint64_t off, uint64_t size, uint64_t *start, uint64_t *end)
{
	off_t s = -1, e;

	if (off >= size)
		return 0;
	if (seek >= 0) {
		s = lseek(seek, off, SEEK_DATA);
		if (s < 0 && errno == ENXIO)
			return 0;
	}
	if (s < 0) { /* this kind of file cannot tell */
		*start = off;
		*end = size;
		return 1;
	}
	e = lseek(seek, s, SEEK_HOLE);
	if ((uint64_t)s >= size)
		return 0;
	*start = s;
	*end = e < 0 ? size : MIN((uint64_t)e, size);
	return 1;
}

static int save_extents(
	struct image_data *d, int fd, uint64_t size, struct extents *x, struct err *err)
{
	autofree char *space = malloc(IMAGE_BUFFER);
	autoclose int seek = -EBADF;
	uint64_t off = 0, start, end;
	Kist__Extent *e;
	char path[32];
	int r;

	if (!space)
		return err_oom(err);
	/* A description of our own: the position of @fd belongs to the one who is saved. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	seek = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	while ((r = next_run(seek, off, size, &start, &end)) > 0) {
		if (array_reserve(&x->v, &x->cap, x->n + 1, sizeof(*x->v)) < 0)
			return err_oom(err);
		e = &x->v[x->n];
		kist__extent__init(e);
		e->offset = start;
		e->length = end - start;
		r = save_range(d, fd, start, end - start, space, &e->position, err);
		if (r < 0)
			return r;
		x->n++;
		off = end;
	}
	return 0;
}

static int put_content(
	struct image_writer *w, int fd, uint64_t size, struct extents *x, struct err *err)
{
	autofree Kist__Extent **list = NULL;
	Kist__Content msg = KIST__CONTENT__INIT;
	size_t i;
	int r = 0;

	if (!w->content)
		r = image_data_new(w, IMAGE_CONTENT, &w->content, err);
	if (r == 0)
		r = save_extents(w->content, fd, size, x, err);
	if (r < 0)
		return r;
	list = calloc(x->n + 1, sizeof(*list));
	if (!list)
		return err_oom(err);
	for (i = 0; i < x->n; i++)
		list[i] = &x->v[i];
	msg.object = w->objects + 1;
	msg.size = size;
	msg.file = (char *)IMAGE_CONTENT;
	msg.extents = list;
	msg.n_extents = x->n;
	r = image_put(w, RECORD_CONTENT, &msg.base, err);
	if (r == 0)
		w->objects++;
	return r;
}

int image_put_content(
	struct image_writer *w, int fd, uint64_t size, uint32_t *ret_object, struct err *err)
{
	struct extents x = {0};
	uint32_t object;
	int r;

	if (size > INT64_MAX)
		return err_setx(err, -EFBIG, "a file of %" PRIu64 " bytes cannot be saved", size);
	pthread_mutex_lock(&w->content_lock);
	r = put_content(w, fd, size, &x, err);
	object = w->objects;
	pthread_mutex_unlock(&w->content_lock);
	free(x.v);
	if (r == 0)
		*ret_object = object;
	return r;
}

static int check_object(
	const struct image *img, const Kist__Content *c, uint32_t number, struct err *err)
{
	const struct manifest_file *f = manifest_find(&img->manifest, c->file);
	uint64_t end = 0;
	size_t i;

	if (c->object != number || c->size > INT64_MAX || !f)
		return err_setx(err, -EBADMSG,
			"the image is damaged: content %u has a wrong number, size or file",
			number);
	for (i = 0; i < c->n_extents; i++) {
		const Kist__Extent *e = c->extents[i];

		if (e->offset < end || e->offset > c->size || e->length > c->size - e->offset ||
			e->position > f->size || e->length > f->size - e->position)
			return err_setx(err, -EBADMSG,
				"the image is damaged: extent %zu of content %u lies outside of it "
				"or "
				"of its data file",
				i, number);
		end = e->offset + e->length;
	}
	return 0;
}

int content_check(const struct image *img, struct err *err)
{
	size_t i;
	int r;

	for (i = 0; i < image_count(img, RECORD_CONTENT); i++) {
		r = check_object(
			img, (const Kist__Content *)image_get(img, RECORD_CONTENT, i), i + 1, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int load_extent(int from, int to, const Kist__Extent *e, char *space)
{
	uint64_t done = 0;
	size_t part;
	ssize_t n;
	int r;

	while (done < e->length) {
		part = MIN(e->length - done, (uint64_t)IMAGE_BUFFER);
		n = io_pread(from, space, part, e->position + done);
		if (n >= 0 && (size_t)n < part)
			n = -EIO;
		if (n < 0)
			return n;
		r = io_pwrite(to, space, part, e->offset + done);
		if (r < 0)
			return r;
		done += part;
	}
	return 0;
}

/* Huge pages take no write(2), hugetlbfs. */
static int load_mapped(int from, int to, const Kist__Content *c)
{
	char *p = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_SHARED, to, 0);
	const Kist__Extent *e;
	ssize_t n = 0;
	size_t i;

	if (p == MAP_FAILED)
		return -errno;
	for (i = 0; n >= 0 && i < c->n_extents; i++) {
		e = c->extents[i];
		n = e->offset > c->size || e->length > c->size - e->offset
			    ? -EBADMSG
			    : io_pread(from, p + e->offset, e->length, (off_t)e->position);
		if (n >= 0 && (uint64_t)n < e->length)
			n = -EIO;
	}
	(void)munmap(p, c->size); /* ours, whole */
	return MIN(n, 0);
}

static const Kist__Content *find_object(const struct image *img, uint32_t object, struct err *err)
{
	if (object == 0 || object > image_count(img, RECORD_CONTENT)) {
		err_setx(err, -EBADMSG, "the image has no content %u", object);
		return NULL;
	}
	return (const Kist__Content *)image_get(img, RECORD_CONTENT, object - 1);
}

int image_content_size(
	const struct image *img, uint32_t object, uint64_t *ret_size, struct err *err)
{
	const Kist__Content *c = find_object(img, object, err);

	if (!c)
		return -EBADMSG;
	*ret_size = c->size;
	return 0;
}

int image_get_content(const struct image *img, uint32_t object, int fd, struct err *err)
{
	const Kist__Content *c = find_object(img, object, err);
	autofree char *space = malloc(IMAGE_BUFFER);
	struct statfs fs;
	uint64_t size;
	int from, r;
	size_t i;

	if (!c)
		return -EBADMSG;
	if (!space)
		return err_oom(err);
	from = image_data_fd(img, c->file, &size, err);
	if (from < 0)
		return from;
	r = ftruncate(fd, c->size) < 0 ? -errno : 0;
	if (r == 0 && c->size && fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC)
		r = load_mapped(from, fd, c);
	else
		for (i = 0; r == 0 && i < c->n_extents; i++)
			r = load_extent(from, fd, c->extents[i], space);
	return r < 0 ? err_set(err, r, "cannot write content %u of the image", object) : 0;
}

int image_read_content(
	const struct image *img, uint32_t object, void *mem, uint64_t size, struct err *err)
{
	const Kist__Content *c = find_object(img, object, err);
	uint64_t file_size;
	ssize_t n = 0;
	size_t i;
	int from;

	if (!c)
		return -EBADMSG;
	if (c->size != size)
		return err_setx(err, -EBADMSG, "content %u of the image has not %" PRIu64 " bytes",
			object, size);
	from = image_data_fd(img, c->file, &file_size, err);
	if (from < 0)
		return from;
	for (i = 0; n >= 0 && i < c->n_extents; i++) {
		const Kist__Extent *e = c->extents[i];

		n = io_pread(from, (char *)mem + e->offset, e->length, e->position);
		if (n >= 0 && (uint64_t)n < e->length)
			n = -EIO;
	}
	return n < 0 ? err_set(err, n, "cannot read content %u of the image", object) : 0;
}
