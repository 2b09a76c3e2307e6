// SPDX-License-Identifier: Apache-2.0
/*
 * The image being written. Until the manifest stands, the directory is no image, and freeing the
 * writer removes every file it made.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/io.h"
#include "base/util.h"
#include "cr/image/image-internal.h"

#define PENDING_MAX (256u << 10)

/* The processor's features as the kernel lists them, e.g. "fpu vme de pse". */
static int put_cpu(struct manifest *m)
{
	autobuf struct buf b = {0};
	const char *line, *end;
	autofree char *flags = NULL;

	if (file_read_at(AT_FDCWD, "/proc/cpuinfo", &b, 64u << 20) < 0)
		return 0; /* only told, never needed */
	line = strstr(buf_str(&b), "\nflags");
	if (!line)
		line = strstr(buf_str(&b), "\nFeatures");
	line = line ? strchr(line, ':') : NULL;
	if (!line)
		return 0;
	line += 1 + strspn(line + 1, " ");
	end = strchrnul(line, '\n');
	flags = strndup(line, end - line);
	return flags ? manifest_set_info(m, "cpu", flags) : -ENOMEM;
}

static int put_host(struct manifest *m)
{
	struct utsname u;
	struct tm tm;
	time_t now = time(NULL);
	char when[32];
	int r;

	if (uname(&u) < 0)
		return -errno;
	(void)gmtime_r(&now, &tm);				       /* now is a valid time */
	(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm); /* fits */
	r = manifest_set_info(m, "kist", KIST_VERSION);
	if (r == 0)
		r = manifest_set_info(m, "created", when);
	if (r == 0)
		r = manifest_set_info(m, "kernel", u.release);
	if (r == 0)
		r = manifest_set_info(m, "machine", u.machine);
	return r < 0 ? r : put_cpu(m);
}

int image_writer_new(int dirfd, struct image_writer **ret, struct err *err)
{
	struct image_writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return err_oom(err);
	w->state.fd = -EBADF;
	pthread_mutex_init(&w->lock, NULL);
	pthread_mutex_init(&w->content_lock, NULL);
	w->dirfd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->dirfd < 0)
		r = err_set(err, -errno, "cannot open the image directory");
	else if (faccessat(w->dirfd, IMAGE_MANIFEST, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		r = err_setx(err, -EEXIST, "the directory already holds an image");
	else
		r = put_host(&w->manifest);
	if (r == -ENOMEM)
		r = err_oom(err);
	if (r == 0)
		r = writer_create(w, &w->state, IMAGE_STATE, err);
	if (r < 0) {
		image_writer_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void image_writer_sync(struct image_writer *w)
{
	w->sync = w->state.sync = true;
}

int image_put_info(struct image_writer *w, const char *key, const char *value, struct err *err)
{
	int r;

	pthread_mutex_lock(&w->lock);
	r = manifest_set_info(&w->manifest, key, value);
	pthread_mutex_unlock(&w->lock);
	return r < 0 ? err_oom(err) : 0;
}

int writer_create(struct image_writer *w, struct stream *s, const char *name, struct err *err)
{
	int r = stream_open(s, w->dirfd, name, err);

	if (r < 0)
		return r;
	s->sync = w->sync;
	pthread_mutex_lock(&w->lock);
	r = strv_push(&w->names, name);
	pthread_mutex_unlock(&w->lock);
	if (r < 0) {
		(void)unlinkat(w->dirfd, name, 0); /* not remembered, so it goes now */
		stream_done(s);
		return err_oom(err);
	}
	return 0;
}

int writer_close(struct image_writer *w, struct stream *s, struct err *err)
{
	char name[IMAGE_NAME_MAX + 1];
	uint64_t size = s->size, hash;
	int r;

	memcpy(name, s->name, sizeof(name));
	r = stream_finish(s, &hash, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&w->lock);
	r = manifest_add_file(&w->manifest, name, size, hash);
	pthread_mutex_unlock(&w->lock);
	return r < 0 ? err_oom(err) : 0;
}

static int flush_pending(struct image_writer *w, struct err *err)
{
	int r = stream_write(&w->state, w->pending.data, w->pending.len, err);

	buf_reset(&w->pending);
	return r;
}

int image_put(
	struct image_writer *w, enum record_type type, const ProtobufCMessage *msg, struct err *err)
{
	const struct record_kind *kind = record_kind(type);
	uint8_t head[FRAME_HEAD];
	size_t len;
	int r = 0;

	if (!kind || kind->message != msg->descriptor)
		return err_setx(err, -EINVAL, "message '%s' is not of record type %d",
			msg->descriptor->name, type);
	len = protobuf_c_message_get_packed_size(msg);
	if (len > IMAGE_RECORD_MAX)
		return err_setx(err, -EFBIG,
			"a record '%s' of %zu bytes is too large for the image", kind->name, len);
	frame_head(head, type, len);
	pthread_mutex_lock(&w->lock);
	if (w->state.size + w->pending.len + len + FRAME_HEAD > IMAGE_STATE_MAX) {
		r = err_setx(err, -EFBIG, "the image's records take more than %u MiB",
			IMAGE_STATE_MAX >> 20);
	} else if (buf_add(&w->pending, head, FRAME_HEAD) < 0 ||
		   buf_reserve(&w->pending, len) < 0) {
		r = err_oom(err);
	} else {
		/* reserved just now: packing cannot grow it */
		protobuf_c_message_pack(msg, (uint8_t *)w->pending.data + w->pending.len);
		w->pending.len += len;
		w->pending.data[w->pending.len] = '\0';
		if (w->pending.len >= PENDING_MAX)
			r = flush_pending(w, err);
	}
	pthread_mutex_unlock(&w->lock);
	return r;
}

int image_put_file(
	struct image_writer *w, const char *name, const void *data, size_t len, struct err *err)
{
	struct stream s;
	int r = writer_create(w, &s, name, err);

	if (r < 0)
		return r;
	r = stream_write(&s, data, len, err);
	if (r < 0) {
		stream_done(&s);
		return r;
	}
	return writer_close(w, &s, err);
}

int image_writer_finish(struct image_writer *w, struct err *err)
{
	autobuf struct buf text = {0};
	int r = 0;

	if (w->content)
		r = image_data_close(TAKE_PTR(w->content), err);
	if (r == 0 && w->pending.len)
		r = flush_pending(w, err);
	if (r == 0)
		r = writer_close(w, &w->state, err);
	if (r == 0)
		r = manifest_print(&w->manifest, &text, err);
	if (r < 0)
		return r;
	r = (w->sync ? file_replace_at : file_swap_at)(
		w->dirfd, IMAGE_MANIFEST, text.data, text.len, 0600);
	if (r == 0 && w->sync && fsync(w->dirfd) < 0) {
		r = -errno;
		(void)unlinkat(w->dirfd, IMAGE_MANIFEST, 0); /* all or nothing */
	}
	if (r < 0)
		return err_set(err, r, "cannot write the image's '" IMAGE_MANIFEST "'");
	w->finished = true;
	return 0;
}

void image_writer_free(struct image_writer *w)
{
	size_t i;

	if (!w)
		return;
	for (i = 0; !w->finished && i < strv_len(w->names); i++)
		(void)unlinkat(w->dirfd, w->names[i], 0); /* nothing more can be done */
	image_data_abandon(w->content);
	stream_done(&w->state);
	strv_free(w->names);
	manifest_done(&w->manifest);
	buf_done(&w->pending);
	if (w->dirfd >= 0)
		(void)close(w->dirfd); /* a directory: close cannot lose data */
	pthread_mutex_destroy(&w->lock);
	pthread_mutex_destroy(&w->content_lock);
	free(w);
}
