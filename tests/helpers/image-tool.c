// SPDX-License-Identifier: Apache-2.0
/* image-tool DIR: writes an image with every kind of file in it, for test_image.py to damage. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/image/image.h"

static int put_pages(struct image_writer *w, struct err *err)
{
	struct image_data *d;
	char page[IMAGE_PAGE];
	struct iovec iov = {.iov_base = page, .iov_len = sizeof(page)};
	size_t i, k;
	int r;

	r = image_data_new(w, "pages-1", &d, err);
	for (i = 0; r == 0 && i < 100; i++) {
		for (k = 0; k < sizeof(page); k++)
			page[k] = (char)(i * 31 + k * 7 + k / 256);
		r = image_data_append(d, &iov, 1, NULL, err);
	}
	return r < 0 ? r : image_data_close(d, err);
}

static int put_contents(struct image_writer *w, struct err *err)
{
	autoclose int fd = memfd_create("content", MFD_CLOEXEC);
	uint32_t object;
	int i, r = 0;

	if (fd < 0 || ftruncate(fd, 1 << 20) < 0 || io_pwrite(fd, "hello", 5, 300000) < 0)
		return err_set(err, -errno, "cannot make a file");
	for (i = 0; r == 0 && i < 50; i++)
		r = image_put_content(w, fd, (1 << 20) - i, &object, err);
	return r;
}

int main(int argc, char **argv)
{
	int dirfd = open(argc > 1 ? argv[1] : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static const char config[] = "{\"ociVersion\": \"1.0.2\"}";
	struct image_writer *w;
	struct err err = {0};
	int r;

	r = image_writer_new(dirfd, &w, &err);
	if (r == 0)
		r = image_put_info(w, "container", "web", &err);
	if (r == 0)
		r = image_put_file(w, "config.json", config, sizeof(config) - 1, &err);
	if (r == 0)
		r = put_pages(w, &err);
	if (r == 0)
		r = put_contents(w, &err);
	if (r == 0)
		r = image_writer_finish(w, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	else
		image_writer_free(w);
	return r < 0;
}
