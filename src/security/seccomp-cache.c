// SPDX-License-Identifier: Apache-2.0
/*
 * Compiled filters on disk. libseccomp takes some 20 ms for the default profile, which is more than
 * all else of a container's start; a container with a filter that was seen before takes it from a
 * file named after the hash of all that the program depends on.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <xxhash.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "security/security.h"

struct header {
	char magic[8];
	uint32_t len, flags;
	XXH128_hash_t sum; /* of the program */
};

static const char magic[8] = "kistbpf1";

static void add_words(struct buf *b, char *const *v)
{
	/* failed adds are seen by key(); the length stands in front, so that no two lists are alike
	 */
	(void)buf_addf(b, "%zu:", strv_len(v));
	for (; v && *v; v++)
		(void)buf_addf(b, "%s,", *v);
}

/* The name of the file: what goes into the compilation, hashed. */
static int key(const struct spec_seccomp *sc, char *ret, size_t size)
{
	const struct scmp_version *v = seccomp_version();
	autobuf struct buf b = {0};
	struct utsname host = {0};
	XXH128_hash_t h;
	size_t i, k;

	(void)uname(&host); /* for the machine only; can't fail */
	(void)buf_addf(&b, KIST_VERSION " %u.%u.%u %s %s %" PRId64 " %s ", v ? v->major : 0,
		v ? v->minor : 0, v ? v->micro : 0, host.machine,
		sc->default_action ? sc->default_action : "", sc->default_errno,
		sc->listener_path ? "listener" : "");
	add_words(&b, sc->architectures);
	add_words(&b, sc->flags);
	for (i = 0; i < sc->n_rules; i++) {
		const struct spec_seccomp_rule *r = &sc->rules[i];

		(void)buf_addf(&b, "\n%s %" PRId64 " %zu ", r->action ? r->action : "",
			r->errno_ret, r->n_args);
		add_words(&b, r->names);
		for (k = 0; k < r->n_args; k++)
			(void)buf_addf(&b, "%" PRIu32 " %" PRIu64 " %" PRIu64 " %s;",
				r->args[k].index, r->args[k].value, r->args[k].value_two,
				r->args[k].op ? r->args[k].op : "");
	}
	if (b.failed)
		return -ENOMEM;
	h = XXH3_128bits(b.data, b.len);
	snprintf(ret, size, "%016" PRIx64 "%016" PRIx64, h.high64, h.low64);
	return 0;
}

/* A file that anybody else could have written is no cache. */
static int read_file(int dir_fd, const char *name, struct seccomp_prog *ret)
{
	autoclose int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct header h;
	struct stat st;
	size_t size;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 022)
		return -EPERM;
	if (io_read(fd, &h, sizeof(h)) != sizeof(h) || memcmp(h.magic, magic, sizeof(magic)) != 0 ||
		h.len == 0 || h.len > BPF_MAXINSNS)
		return -EBADMSG;
	size = h.len * sizeof(struct sock_filter);
	if (st.st_size != (off_t)(sizeof(h) + size))
		return -EBADMSG;
	ret->filter = malloc(size);
	if (!ret->filter)
		return -ENOMEM;
	if (io_read(fd, ret->filter, size) != (ssize_t)size ||
		!XXH128_isEqual(XXH3_128bits(ret->filter, size), h.sum)) {
		seccomp_prog_done(ret);
		return -EBADMSG;
	}
	ret->len = (unsigned short)h.len;
	ret->flags = h.flags;
	return 0;
}

static int write_file(int dir_fd, const char *name, const struct seccomp_prog *p)
{
	const size_t size = p->len * sizeof(*p->filter);
	struct header h = {.len = p->len, .flags = p->flags};
	autobuf struct buf b = {0};

	memcpy(h.magic, magic, sizeof(magic));
	h.sum = XXH3_128bits(p->filter, size);
	if (buf_add(&b, &h, sizeof(h)) < 0 || buf_add(&b, p->filter, size) < 0)
		return -ENOMEM;
	return file_replace_at(dir_fd, name, b.data, b.len, 0600);
}

int seccomp_compile_cached(
	const struct spec_seccomp *sc, int dir_fd, struct seccomp_prog *ret, struct err *err)
{
	struct seccomp_prog p = {0};
	char name[40];
	int r;

	if (dir_fd < 0 || key(sc, name, sizeof(name)) < 0)
		return seccomp_compile(sc, ret, err);
	if (read_file(dir_fd, name, &p) < 0) {
		r = seccomp_compile(sc, &p, err);
		if (r < 0)
			return r;
		r = write_file(dir_fd, name, &p);
		if (r < 0)
			log_debug("the compiled seccomp filter is not kept: %s", strerror(-r));
	}
	*ret = p;
	return 0;
}
