// SPDX-License-Identifier: Apache-2.0
/* The image: what is written is read back; what is damaged is refused; nothing is left behind. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/image/content.pb-c.h"
#include "cr/image/image-internal.h"
#include "cr/image/show.h"

static const char *const all_files[] = {
	"manifest.json", "state.pb", "config.json", "content", "pages-1", "link"};

struct dir {
	char path[32];
	int fd;
};

static int dir_setup(void **state)
{
	struct dir *d = calloc(1, sizeof(*d));

	strcpy(d->path, "/tmp/kist-image-XXXXXX");
	if (!mkdtemp(d->path))
		return -1;
	d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = d;
	return 0;
}

static int dir_teardown(void **state)
{
	struct dir *d = *state;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all_files); i++)
		(void)unlinkat(d->fd, all_files[i], 0); /* some are there */
	close(d->fd);
	i = rmdir(d->path) == 0;
	free(d);
	return i ? 0 : -1;
}

/* Data at 0 and 1 MiB, holes around, 3 odd bytes at the end. */
static int sparse_file(void)
{
	int fd = memfd_create("sparse", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (4 << 20) + 3), 0);
	assert_int_equal(io_pwrite(fd, "begin", 5, 0), 0);
	assert_int_equal(io_pwrite(fd, "middle", 6, 1 << 20), 0);
	assert_int_equal(io_pwrite(fd, "end", 3, 4 << 20), 0);
	return fd;
}

static void fill(int dirfd, bool finish)
{
	struct image_writer *w;
	struct image_data *d;
	struct err err = {0};
	char page[IMAGE_PAGE];
	struct iovec iov = {.iov_base = page, .iov_len = sizeof(page)};
	uint64_t off;
	uint32_t object;
	int i, fd = sparse_file();

	assert_int_equal(image_writer_new(dirfd, &w, &err), 0);
	assert_int_equal(image_put_info(w, "container", "web", &err), 0);
	assert_int_equal(image_put_file(w, "config.json", "{}", 2, &err), 0);
	assert_int_equal(image_data_new(w, "pages-1", &d, &err), 0);
	for (i = 0; i < 3; i++) {
		memset(page, 'a' + i, sizeof(page));
		assert_int_equal(image_data_append(d, &iov, 1, &off, &err), 0);
		assert_int_equal(off, i * IMAGE_PAGE);
	}
	assert_int_equal(image_data_close(d, &err), 0);
	assert_int_equal(lseek(fd, 17, SEEK_SET), 17);
	assert_int_equal(image_put_content(w, fd, (4 << 20) + 3, &object, &err), 0);
	assert_int_equal(object, 1);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 17);
	assert_int_equal(image_put_content(w, fd, 0, &object, &err), 0);
	assert_int_equal(object, 2);
	close(fd);
	if (finish)
		assert_int_equal(image_writer_finish(w, &err), 0);
	image_writer_free(w);
}

static void test_round_trip(void **state)
{
	struct dir *d = *state;
	const Kist__Content *c;
	struct image *img;
	struct err err = {0};
	autofree char *text = NULL;
	struct stat st;
	char got[8];
	size_t len;
	uint64_t size;
	int fd;

	fill(d->fd, true);
	assert_int_equal(image_open(d->fd, &img, &err), 0);
	assert_string_equal(image_info(img, "container"), "web");
	assert_string_equal(image_info(img, "kist"), KIST_VERSION);
	assert_null(image_info(img, "nothing"));
	assert_int_equal(image_get_file(img, "config.json", &text, &len, &err), 0);
	assert_string_equal(text, "{}");
	fd = image_data_fd(img, "pages-1", &size, &err);
	assert_true(fd >= 0);
	assert_int_equal(size, 3 * IMAGE_PAGE);
	assert_int_equal(io_pread(fd, got, 1, IMAGE_PAGE), 1);
	assert_int_equal(got[0], 'b');
	assert_int_equal(image_count(img, RECORD_CONTENT), 2);
	c = (const Kist__Content *)image_get(img, RECORD_CONTENT, 0);
	assert_int_equal(c->n_extents, 3);
	assert_null(image_get(img, RECORD_CONTENT, 2));

	fd = memfd_create("copy", MFD_CLOEXEC);
	assert_int_equal(io_pwrite(fd, "junk", 4, 5 << 20), 0);
	assert_int_equal(image_get_content(img, 1, fd, &err), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, (4 << 20) + 3);
	assert_true(st.st_blocks * 512 <= 4 * IMAGE_PAGE);
	assert_int_equal(io_pread(fd, got, 6, 1 << 20), 6);
	assert_memory_equal(got, "middle", 6);
	assert_int_equal(io_pread(fd, got, 8, 4 << 20), 3);
	assert_memory_equal(got, "end", 3);
	assert_int_equal(image_get_content(img, 3, fd, &err), -EBADMSG);
	close(fd);
	image_free(img);
}

static void test_unfinished_leaves_nothing(void **state)
{
	struct dir *d = *state;
	struct image *img;
	struct err err = {0};
	size_t i;

	fill(d->fd, false);
	for (i = 0; i < ARRAY_SIZE(all_files); i++)
		assert_int_equal(faccessat(d->fd, all_files[i], F_OK, 0), -1);
	assert_int_equal(image_open(d->fd, &img, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no image here"));
}

static void test_second_image_refused(void **state)
{
	struct dir *d = *state;
	struct image_writer *w;
	struct err err = {0};

	fill(d->fd, true);
	assert_int_equal(image_writer_new(d->fd, &w, &err), -EEXIST);
	assert_int_equal(faccessat(d->fd, "state.pb", F_OK, 0), 0);
}

static void refused(int dirfd, const char *what)
{
	struct image *img;
	struct err err = {0};
	int r = image_open(dirfd, &img, &err);

	if (r == 0)
		fail_msg("accepted: %s", what);
	if (!strstr(err.text, "image"))
		fail_msg("unclear error '%s' for: %s", err.text, what);
}

/* Each file: one bit flipped at every place of a fixed pattern, then cut there. */
static void test_damage(void **state)
{
	struct dir *d = *state;
	char what[64], byte, flipped;
	struct stat st;
	struct image *img;
	struct err err = {0};
	size_t i, k;
	off_t at;
	int fd;

	fill(d->fd, true);
	for (i = 0; i < 5; i++) {
		autofree char *copy = NULL;

		fd = openat(d->fd, all_files[i], O_RDWR | O_CLOEXEC);
		assert_int_equal(fstat(fd, &st), 0);
		copy = malloc(st.st_size);
		assert_int_equal(io_pread(fd, copy, st.st_size, 0), st.st_size);
		for (k = 0; k < 40; k++) {
			at = (k * 7919 + k * k) % st.st_size;
			snprintf(what, sizeof(what), "%s at %ld", all_files[i], (long)at);
			byte = copy[at];
			flipped = byte ^ (1 << k % 8);
			assert_int_equal(io_pwrite(fd, &flipped, 1, at), 0);
			refused(d->fd, what);
			assert_int_equal(io_pwrite(fd, copy, st.st_size, 0), 0);
			assert_int_equal(ftruncate(fd, at), 0);
			refused(d->fd, what);
			assert_int_equal(io_pwrite(fd, copy, st.st_size, 0), 0);
		}
		assert_int_equal(io_pwrite(fd, "x", 1, st.st_size), 0);
		refused(d->fd, "a longer file");
		assert_int_equal(ftruncate(fd, st.st_size), 0);
		close(fd);
	}
	assert_int_equal(image_open(d->fd, &img, &err), 0);
	image_free(img);
}

static void test_kinds_of_file(void **state)
{
	struct dir *d = *state;

	fill(d->fd, true);
	assert_int_equal(renameat(d->fd, "pages-1", d->fd, "link"), 0);
	refused(d->fd, "a missing file");
	assert_int_equal(symlinkat("link", d->fd, "pages-1"), 0);
	refused(d->fd, "a symlink");
	assert_int_equal(unlinkat(d->fd, "pages-1", 0), 0);
	assert_int_equal(mkfifoat(d->fd, "pages-1", 0600), 0);
	refused(d->fd, "a fifo");
}

static void test_manifest_text(void **state)
{
	static const char newer[] = "{\"format\": 7, \"anything\": []}";
	autobuf struct buf b = {0};
	struct manifest m = {0}, back;
	struct err err = {0};

	assert_int_equal(manifest_parse(newer, strlen(newer), &back, &err), -EPROTONOSUPPORT);
	assert_non_null(strstr(err.text, "format 7"));
	assert_int_equal(manifest_parse("[", 1, &back, &err), -EBADMSG);
	assert_int_equal(manifest_parse("", 0, &back, &err), -EBADMSG);

	assert_int_equal(manifest_add_file(&m, "../x", 1, 2), 0);
	assert_int_equal(manifest_print(&m, &b, &err), 0);
	assert_int_equal(manifest_parse(b.data, b.len, &back, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "impossible name"));
	manifest_done(&m);
}

static void test_frames(void **state)
{
	uint8_t frame[FRAME_HEAD + 2] = {0};
	struct records r;
	struct err err = {0};

	assert_int_equal(records_parse(frame, 0, "s", &r, &err), 0);
	assert_int_equal(r.n, 0);
	assert_int_equal(records_parse(frame, 5, "s", &r, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "middle of a record"));
	frame_head(frame, RECORD_MAX - 1, 2);
	assert_int_equal(records_parse(frame, sizeof(frame), "s", &r, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "unknown type"));
	frame_head(frame, RECORD_CONTENT, 3);
	assert_int_equal(records_parse(frame, sizeof(frame), "s", &r, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "impossible length"));
	frame_head(frame, RECORD_CONTENT, 2);
	assert_int_equal(records_parse(frame, sizeof(frame), "s", &r, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "cannot be read"));
}

struct putter {
	struct image_writer *w;
	int failed;
};

static void *put_many(void *arg)
{
	struct putter *p = arg;
	int i, fd = sparse_file();
	uint32_t object;

	for (i = 0; i < 50; i++)
		if (image_put_content(p->w, fd, 4096, &object, NULL) < 0)
			p->failed++;
	close(fd);
	return NULL;
}

static void test_threads(void **state)
{
	struct dir *d = *state;
	struct putter p[4];
	pthread_t t[4];
	struct image_writer *w;
	struct image *img;
	struct err err = {0};
	int i;

	assert_int_equal(image_writer_new(d->fd, &w, &err), 0);
	image_writer_sync(w);
	for (i = 0; i < 4; i++) {
		p[i] = (struct putter){.w = w};
		assert_int_equal(pthread_create(&t[i], NULL, put_many, &p[i]), 0);
	}
	for (i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(p[i].failed, 0);
	}
	assert_int_equal(image_writer_finish(w, &err), 0);
	image_writer_free(w);
	assert_int_equal(image_open(d->fd, &img, &err), 0);
	assert_int_equal(image_total(img), 200);
	image_free(img);
}

static void test_json(void **state)
{
	struct dir *d = *state;
	struct image *img;
	struct err err = {0};
	json_t *j, *r;

	fill(d->fd, true);
	assert_int_equal(image_open(d->fd, &img, &err), 0);
	j = image_json(img);
	r = json_array_get(json_object_get(j, "records"), 0);
	assert_string_equal(json_string_value(json_object_get(r, "record")), "content");
	assert_int_equal(json_integer_value(json_object_get(r, "size")), (4 << 20) + 3);
	assert_int_equal(json_array_size(json_object_get(r, "extents")), 3);
	json_decref(j);
	image_free(img);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(
			test_unfinished_leaves_nothing, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_second_image_refused, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_damage, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_kinds_of_file, dir_setup, dir_teardown),
		cmocka_unit_test(test_manifest_text),
		cmocka_unit_test(test_frames),
		cmocka_unit_test_setup_teardown(test_threads, dir_setup, dir_teardown),
		cmocka_unit_test_setup_teardown(test_json, dir_setup, dir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
