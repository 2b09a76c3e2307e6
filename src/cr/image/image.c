// SPDX-License-Identifier: Apache-2.0
/*
 * Reading: everything is verified before the first record is handed out. Bytes are read, not
 * mapped: a file that is cut under a mapping would kill us with SIGBUS.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "base/workers.h"
#include "cr/image/image-internal.h"

#define PATIENCE (16u << 20) /* bytes for which no threads are started */

/* O_NONBLOCK: a fifo put in place of a file must not hang us. */
static int open_regular(
	const struct image *img, const char *name, uint64_t *ret_size, struct err *err)
{
	autoclose int fd =
		openat(img->dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return err_setx(err, -ENOENT, "the image lacks its file '%s'", name);
	if (fd < 0)
		return err_set(err, -errno, "cannot open the image file '%s'", name);
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot look at the image file '%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_setx(err, -EBADMSG, "'%s' in the image is not a regular file", name);
	*ret_size = st.st_size;
	return TAKE_FD(fd);
}

static int wrong_hash(const char *name, struct err *err)
{
	return err_setx(err, -EBADMSG,
		"the image is damaged: the content of '%s' does not match its checksum", name);
}

/* Opens a listed file whose size is right. */
static int open_listed(const struct image *img, const struct manifest_file *f, struct err *err)
{
	autoclose int fd = -EBADF;
	uint64_t size;

	fd = open_regular(img, f->name, &size, err);
	if (fd < 0)
		return fd;
	if (size != f->size)
		return err_setx(err, -EBADMSG,
			"the image is damaged: '%s' has %" PRIu64 " bytes, not %" PRIu64, f->name,
			size, f->size);
	return TAKE_FD(fd);
}

static int check_hash(int fd, const struct manifest_file *f, struct err *err)
{
	XXH3_state_t *hash = XXH3_createState();
	autofree char *space = malloc(IMAGE_BUFFER);
	uint64_t off = 0;
	ssize_t n = 0;
	int r = 0;

	if (!hash || !space || XXH3_64bits_reset(hash) != XXH_OK) {
		(void)XXH3_freeState(hash);
		return err_oom(err);
	}
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* only for speed */
	while (off < f->size) {
		n = io_pread(fd, space, MIN(f->size - off, (uint64_t)IMAGE_BUFFER), off);
		if (n <= 0)
			break;
		XXH3_64bits_update(hash, space, n);
		off += n;
	}
	if (n < 0)
		r = err_set(err, n, "cannot read the image file '%s'", f->name);
	else if (off < f->size || XXH3_64bits_digest(hash) != f->xxh3)
		r = wrong_hash(f->name, err);
	(void)XXH3_freeState(hash);
	return r;
}

struct hash_job {
	int fd;
	const struct manifest_file *file;
};

static int hash_job(void *arg, unsigned int worker, const void *data, struct err *err)
{
	const struct hash_job *job = data;

	return check_hash(job->fd, job->file, err);
}

static int check_hashes(const struct image *img, struct err *err)
{
	struct workers *w = NULL;
	struct hash_job job;
	size_t i;
	int r;

	r = workers_new(sizeof(job), PATIENCE, hash_job, NULL, &w, err);
	for (i = 0; r == 0 && i < img->manifest.n_files; i++) {
		job = (struct hash_job){img->fds[i], &img->manifest.files[i]};
		if (strcmp(job.file->name, IMAGE_STATE) != 0)
			r = workers_add(w, &job, job.file->size, err);
	}
	if (r == 0)
		r = workers_wait(w, err);
	workers_free(w);
	return r;
}

/* A whole small file: what is handed out is what was hashed. */
static int load_file(const struct image *img, const struct manifest_file *f, uint64_t max,
	struct buf *ret, struct err *err)
{
	autoclose int fd = open_listed(img, f, err);
	ssize_t n;

	if (fd < 0)
		return fd;
	if (f->size > max)
		return err_setx(err, -EFBIG, "the image file '%s' is too large (%" PRIu64 " bytes)",
			f->name, f->size);
	if (buf_reserve(ret, f->size) < 0)
		return err_oom(err);
	n = io_pread(fd, ret->data, f->size, 0);
	if (n < 0)
		return err_set(err, n, "cannot read the image file '%s'", f->name);
	if ((uint64_t)n != f->size || XXH3_64bits(ret->data, n) != f->xxh3)
		return wrong_hash(f->name, err);
	ret->len = n;
	ret->data[n] = '\0';
	return 0;
}

static int load_manifest(struct image *img, struct err *err)
{
	autobuf struct buf text = {0};
	autoclose int fd = -EBADF;
	uint64_t size;
	int r;

	fd = open_regular(img, IMAGE_MANIFEST, &size, err);
	if (fd == -ENOENT) {
		err_setx(err, -ENOENT, "no image here: there is no '" IMAGE_MANIFEST "'");
		err_hint(err, "the manifest is written last: an unfinished dump has none");
	}
	if (fd < 0)
		return fd;
	r = io_read_all(fd, &text, IMAGE_MANIFEST_MAX);
	if (r < 0)
		return err_set(err, r, "cannot read the image's '" IMAGE_MANIFEST "'");
	return manifest_parse(text.data ? text.data : "", text.len, &img->manifest, err);
}

int image_discard(int dirfd, struct err *err)
{
	struct image img = {.dirfd = dirfd};
	struct err none = {0};
	size_t i;
	int r = 0;

	/* A damaged one lists nothing. */
	if (load_manifest(&img, &none) == -ENOENT)
		return 0;
	/* Without the manifest the rest is no image, whatever happens now. */
	if (unlinkat(dirfd, IMAGE_MANIFEST, 0) < 0)
		return err_set(err, -errno, "cannot remove the image that is there");
	for (i = 0; r == 0 && i < img.manifest.n_files; i++)
		if (unlinkat(dirfd, img.manifest.files[i].name, 0) < 0 && errno != ENOENT)
			r = err_set(err, -errno, "cannot remove '%s' of the image that is there",
				img.manifest.files[i].name);
	manifest_done(&img.manifest);
	return r;
}

static int load_records(struct image *img, struct err *err)
{
	const struct manifest_file *f = manifest_find(&img->manifest, IMAGE_STATE);
	autobuf struct buf b = {0};
	int r;

	if (!f)
		return err_setx(
			err, -EBADMSG, "the image is damaged: it lists no '" IMAGE_STATE "'");
	r = load_file(img, f, IMAGE_STATE_MAX, &b, err);
	if (r == 0)
		r = records_parse((const uint8_t *)b.data, b.len, IMAGE_STATE, &img->records, err);
	return r;
}

/* Files that no one listed do no harm, but may be a mix of two images: tell. */
static void tell_extra_files(const struct image *img)
{
	autodir DIR *dir = dir_open_at(img->dirfd, ".");
	struct dirent *e;

	while (dir && (e = dir_next(dir)))
		if (e->d_name[0] != '.' && strcmp(e->d_name, IMAGE_MANIFEST) != 0 &&
			!manifest_find(&img->manifest, e->d_name))
			log_warn("'%s' lies in the image directory but is not part of the image",
				e->d_name);
}

static int verify(struct image *img, struct err *err)
{
	size_t i, n;
	int r;

	r = load_manifest(img, err);
	if (r < 0)
		return r;
	n = img->manifest.n_files;
	img->fds = calloc(n + 1, sizeof(*img->fds));
	if (!img->fds)
		return err_oom(err);
	for (i = 0; i < n; i++)
		img->fds[i] = -EBADF;
	r = load_records(img, err);
	/* First all that is quick to see, then the hashes. */
	for (i = 0; r == 0 && i < n; i++) {
		img->fds[i] = open_listed(img, &img->manifest.files[i], err);
		if (img->fds[i] < 0)
			r = img->fds[i];
	}
	if (r == 0)
		r = check_hashes(img, err);
	if (r == 0)
		r = content_check(img, err);
	return r;
}

int image_open(int dirfd, struct image **ret, struct err *err)
{
	struct image *img = calloc(1, sizeof(*img));
	int r;

	if (!img)
		return err_oom(err);
	img->dirfd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (img->dirfd < 0)
		r = err_set(err, -errno, "cannot open the image directory");
	else
		r = verify(img, err);
	if (r < 0) {
		image_free(img);
		return r;
	}
	tell_extra_files(img);
	*ret = img;
	return 0;
}

void image_free(struct image *img)
{
	size_t i;

	if (!img)
		return;
	for (i = 0; img->fds && i < img->manifest.n_files; i++)
		if (img->fds[i] >= 0)
			(void)close(img->fds[i]); /* read only */
	free(img->fds);
	records_done(&img->records);
	manifest_done(&img->manifest);
	if (img->dirfd >= 0)
		(void)close(img->dirfd); /* read only */
	free(img);
}

const char *image_info(const struct image *img, const char *key)
{
	return manifest_get_info(&img->manifest, key);
}

uint64_t image_size(const struct image *img)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < img->manifest.n_files; i++)
		sum += img->manifest.files[i].size;
	return sum;
}

size_t image_total(const struct image *img)
{
	return img->records.n;
}

const struct image_record *image_nth(const struct image *img, size_t i)
{
	return i < img->records.n ? &img->records.all[i] : NULL;
}

size_t image_count(const struct image *img, enum record_type type)
{
	return (unsigned int)type < RECORD_MAX ? img->records.kind[type].n : 0;
}

const ProtobufCMessage *image_get(const struct image *img, enum record_type type, size_t i)
{
	return i < image_count(img, type) ? img->records.kind[type].v[i] : NULL;
}

int image_get_file(
	const struct image *img, const char *name, char **ret, size_t *ret_len, struct err *err)
{
	const struct manifest_file *f = manifest_find(&img->manifest, name);
	autobuf struct buf b = {0};
	size_t len;
	char *data;
	int r;

	if (!f)
		return err_setx(err, -ENOENT, "the image has no file '%s'", name);
	r = load_file(img, f, IMAGE_RECORD_MAX, &b, err);
	if (r < 0)
		return r;
	len = b.len;
	data = buf_take(&b);
	if (!data)
		return err_oom(err);
	*ret = data;
	*ret_len = len;
	return 0;
}

int image_data_fd(const struct image *img, const char *name, uint64_t *ret_size, struct err *err)
{
	const struct manifest_file *f = manifest_find(&img->manifest, name);

	if (!f)
		return err_setx(err, -ENOENT, "the image has no data file '%s'", name);
	*ret_size = f->size;
	return img->fds[f - img->manifest.files];
}
