// SPDX-License-Identifier: Apache-2.0
/*
 * The pages of restored tasks: read from the image and put in place from outside, by several
 * threads when there are many. A large mapping of anonymous memory is given to userfaultfd(2) for
 * so long: UFFDIO_COPY makes a page and fills it in one go, where a write would fault, make a page
 * of zeros, and copy then. Whatever it does not take is written by process_vm_writev(2).
 */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/io.h"
#include "base/util.h"
#include "base/workers.h"
#include "cr/mem/mm.h"

#define PAGE	 4096ull
#define PIECE	 (4u << 20)
#define CHUNK	 (256u << 10) /* stays in the second level cache from copy to copy */
#define RANGES	 64
#define PATIENCE (8u << 20)
#define UFFD_MIN (1u << 20) /* bytes of a mapping for which it is worth the calls */

struct fill_job {
	pid_t pid;
	int uffd;	     /* -EBADF: none */
	int fd;		     /* of the data file */
	uint64_t off, bytes; /* there; what follows one another in it may lie apart in memory */
	size_t n;
	struct iovec v[RANGES]; /* in the process */
};

struct fill_range { /* registered with a userfaultfd */
	int uffd;
	struct uffdio_range at;
};

struct mm_fill {
	const struct image *img;
	struct workers *workers;
	struct fill_job next;	   /* being filled */
	char *chunks[WORKERS_MAX]; /* of each thread */
	struct fill_range *ranges;
	size_t n_ranges, ranges_cap;
	int *uffds;
	size_t n_uffds, uffds_cap;
};

/* Returns how many bytes are in place; the rest is for the other way. */
static size_t copy_in(int uffd, uint64_t addr, const char *from, size_t len)
{
	struct uffdio_copy c;
	size_t done = 0;

	while (done < len) {
		c = (struct uffdio_copy){.dst = addr + done,
			.src = (uintptr_t)(from + done),
			.len = len - done,
			.mode = UFFDIO_COPY_MODE_DONTWAKE};
		if (ioctl(uffd, UFFDIO_COPY, &c) < 0 && errno != EAGAIN)
			break;
		if (c.copy > 0)
			done += c.copy;
	}
	return done;
}

static int write_in(pid_t pid, const struct iovec *from, const struct iovec *to, size_t n)
{
	size_t len = 0, i;
	ssize_t done;

	for (i = 0; i < n; i++)
		len += from[i].iov_len;
	if (!len)
		return 0;
	done = process_vm_writev(pid, from, n, to, n, 0);
	if (done < 0)
		return -errno;
	return (size_t)done == len ? 0 : -EFAULT;
}

/* Places @len bytes from @p at what comes next in the job: the range *i, from its byte *skip on. */
static int place(const struct fill_job *job, char *p, size_t len, size_t *i, size_t *skip)
{
	struct iovec from[RANGES], to[RANGES];
	size_t n = 0, part, done;
	char *at;

	for (; len; len -= part, p += part) {
		at = (char *)job->v[*i].iov_base + *skip;
		part = MIN(job->v[*i].iov_len - *skip, len);
		done = job->uffd < 0 ? 0 : copy_in(job->uffd, (uintptr_t)at, p, part);
		if (done < part) {
			from[n] = (struct iovec){p + done, part - done};
			to[n++] = (struct iovec){at + done, part - done};
		}
		*skip += part;
		if (*skip == job->v[*i].iov_len) {
			*skip = 0;
			++*i;
		}
	}
	return write_in(job->pid, from, to, n);
}

static int fill(void *arg, unsigned int worker, const void *data, struct err *err)
{
	const struct fill_job *job = data;
	struct mm_fill *f = arg;
	char **chunk = &f->chunks[worker];
	size_t len, i = 0, skip = 0;
	uint64_t at;
	ssize_t n;
	int r;

	if (!*chunk)
		*chunk = aligned_alloc(PAGE, CHUNK);
	if (!*chunk)
		return err_oom(err);
	for (at = 0; at < job->bytes; at += len) {
		len = MIN(job->bytes - at, (uint64_t)CHUNK);
		n = io_pread(job->fd, *chunk, len, (off_t)(job->off + at));
		if (n < 0 || (size_t)n < len)
			return err_set(
				err, n < 0 ? (int)n : -EIO, "cannot read the pages of the image");
		r = place(job, *chunk, len, &i, &skip);
		if (r < 0)
			return err_set(
				err, r, "cannot write the memory of restored process %d", job->pid);
	}
	return 0;
}

int mm_fill_new(const struct image *img, struct mm_fill **ret, struct err *err)
{
	struct mm_fill *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_oom(err);
	f->img = img;
	r = workers_new(sizeof(struct fill_job), PATIENCE, fill, f, &f->workers, err);
	if (r < 0)
		free(f);
	else
		*ret = f;
	return r;
}

void mm_fill_free(struct mm_fill *f)
{
	size_t i;

	if (!f)
		return;
	workers_free(f->workers);
	for (i = 0; i < WORKERS_MAX; i++)
		free(f->chunks[i]);
	for (i = 0; i < f->n_uffds; i++)
		(void)close(f->uffds[i]); /* only ever ioctls */
	free(f->uffds);
	free(f->ranges);
	free(f);
}

uint64_t mm_pages_size(const Kist__Mm *mm)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < mm->n_extents; i += 3)
		sum += mm->extents[i + 1];
	return sum;
}

/* Keeps @uffd; *ret is it, or -EBADF when it is of no use. */
static int take_uffd(struct mm_fill *f, int uffd, int *ret, struct err *err)
{
	struct uffdio_api api = {.api = UFFD_API};

	*ret = -EBADF;
	if (uffd < 0)
		return 0;
	if (array_reserve(&f->uffds, &f->uffds_cap, f->n_uffds + 1, sizeof(*f->uffds)) < 0) {
		(void)close(uffd); /* never used */
		return err_oom(err);
	}
	f->uffds[f->n_uffds++] = uffd;
	if (ioctl(uffd, UFFDIO_API, &api) == 0)
		*ret = uffd;
	return 0;
}

/* Registers a mapping if that is worth it; *ret_uffd: what its pages are filled by. */
static int register_vma(struct mm_fill *f, const Kist__Vma *v, uint64_t bytes, int uffd,
	int *ret_uffd, struct err *err)
{
	struct uffdio_register reg = {
		.range = {v->start, v->end - v->start},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	*ret_uffd = -EBADF;
	if (uffd < 0 || bytes < UFFD_MIN || !(v->flags & MAP_ANONYMOUS) || v->flags & MAP_HUGETLB)
		return 0;
	if (array_reserve(&f->ranges, &f->ranges_cap, f->n_ranges + 1, sizeof(*f->ranges)) < 0)
		return err_oom(err);
	if (ioctl(uffd, UFFDIO_REGISTER, &reg) < 0)
		return 0; /* a kind of memory that it does not take */
	f->ranges[f->n_ranges++] = (struct fill_range){uffd, reg.range};
	*ret_uffd = uffd;
	return 0;
}

static int flush(struct mm_fill *f, struct err *err)
{
	int r = f->next.n ? workers_add(f->workers, &f->next, f->next.bytes, err) : 0;

	f->next.n = f->next.bytes = 0;
	return r;
}

/* The part [@from, @to) of the @i-th extent. */
static int add_extent(struct mm_fill *f, const Kist__Mm *mm, size_t i, uint64_t from, uint64_t to,
	pid_t pid, int uffd, struct err *err)
{
	const char *name = mm->pages[mm->n_extent_files ? mm->extent_files[i / 3] : 0];
	const uint64_t *e = &mm->extents[i];
	struct fill_job *j = &f->next;
	uint64_t size, off = e[2] + (from - e[0]), len;
	int r = 0, fd = image_data_fd(f->img, name, &size, err);

	if (fd < 0)
		return fd;
	for (; r == 0 && from < to; from += len, off += len) {
		if (j->n == RANGES || j->bytes == PIECE || j->pid != pid || j->uffd != uffd ||
			j->fd != fd || j->off + j->bytes != off)
			r = flush(f, err);
		if (!j->n)
			*j = (struct fill_job){.pid = pid, .uffd = uffd, .fd = fd, .off = off};
		len = MIN(to - from, PIECE - j->bytes);
		j->v[j->n++] = (struct iovec){(void *)(uintptr_t)from, len};
		j->bytes += len;
	}
	return r;
}

/* Bytes of extents from the @i-th on that lie in a mapping. */
static uint64_t bytes_in(const Kist__Mm *mm, const Kist__Vma *v, size_t i)
{
	uint64_t sum = 0;

	for (; i < mm->n_extents && mm->extents[i] < v->end; i += 3)
		sum += MIN(mm->extents[i] + mm->extents[i + 1], v->end) -
		       MAX(mm->extents[i], v->start);
	return sum;
}

int mm_fill_add(struct mm_fill *f, const Kist__Mm *mm, pid_t pid, int uffd, struct err *err)
{
	size_t k, i = 0;
	int r, vma_uffd;

	r = take_uffd(f, uffd, &uffd, err);
	for (k = 0; r == 0 && k < mm->n_vmas; k++) {
		const Kist__Vma *v = mm->vmas[k];

		while (i < mm->n_extents && mm->extents[i] + mm->extents[i + 1] <= v->start)
			i += 3;
		if (i >= mm->n_extents || mm->extents[i] >= v->end)
			continue;
		r = register_vma(f, v, bytes_in(mm, v, i), uffd, &vma_uffd, err);
		/* An extent may go over the border of two mappings. */
		for (; r == 0 && i < mm->n_extents && mm->extents[i] < v->end; i += 3) {
			uint64_t end = mm->extents[i] + mm->extents[i + 1];

			r = add_extent(f, mm, i, MAX(mm->extents[i], v->start), MIN(end, v->end),
				pid, vma_uffd, err);
			if (end > v->end)
				break;
		}
	}
	return r;
}

int mm_fill_wait(struct mm_fill *f, struct err *err)
{
	size_t i;
	int r;

	r = flush(f, err);
	if (r == 0)
		r = workers_wait(f->workers, err);
	for (i = 0; r == 0 && i < f->n_ranges; i++)
		if (ioctl(f->ranges[i].uffd, UFFDIO_UNREGISTER, &f->ranges[i].at) < 0)
			r = err_set(err, -errno, "cannot take a userfaultfd away");
	f->n_ranges = 0;
	return r;
}
