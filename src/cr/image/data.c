// SPDX-License-Identifier: Apache-2.0
/* Data files: raw bytes at offsets that records name. */
#include "base/util.h"
#include "cr/image/image-internal.h"

struct image_data {
	struct image_writer *w;
	struct stream s;
};

int image_data_new(
	struct image_writer *w, const char *name, struct image_data **ret, struct err *err)
{
	autofree struct image_data *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return err_oom(err);
	d->w = w;
	r = writer_create(w, &d->s, name, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(d);
	return 0;
}

int image_data_append(
	struct image_data *d, const struct iovec *iov, size_t n, uint64_t *ret_off, struct err *err)
{
	uint64_t off = d->s.size;
	int r = stream_writev(&d->s, iov, n, err);

	if (r < 0)
		return r;
	if (ret_off)
		*ret_off = off;
	return 0;
}

int image_data_close(struct image_data *d, struct err *err)
{
	int r = writer_close(d->w, &d->s, err);

	free(d);
	return r;
}

void image_data_abandon(struct image_data *d)
{
	if (!d)
		return;
	stream_done(&d->s);
	free(d);
}
