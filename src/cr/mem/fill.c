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
#define PATIENCE (8u << 20)
#define UFFD_MIN (1u << 20) /* bytes of a mapping for which it is worth the calls */

struct fill_job {
	pid_t pid;
	int uffd; /* -EBADF: none */
	int fd;	  /* of the data file */
	uint64_t addr, len, off;
};

struct fill_range { /* registered with a userfaultfd */
	int uffd;
	struct uffdio_range at;
};

struct mm_fill {
	const struct image *img;
	struct workers *workers;
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

static int write_in(const struct fill_job *job, uint64_t addr, char *from, size_t len)
{
	struct iovec local = {from, len}, remote = {(void *)(uintptr_t)addr, len};
	ssize_t n;

	if (!len)
		return 0;
	n = process_vm_writev(job->pid, &local, 1, &remote, 1, 0);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}

static int fill(void *arg, unsigned int worker, const void *data, struct err *err)
{
	const struct fill_job *job = data;
	struct mm_fill *f = arg;
	char **chunk = &f->chunks[worker];
	uint64_t at;
	size_t len, done;
	ssize_t n;
	int r;

	if (!*chunk)
		*chunk = aligned_alloc(PAGE, CHUNK);
	if (!*chunk)
		return err_oom(err);
	for (at = 0; at < job->len; at += len) {
		len = MIN(job->len - at, (uint64_t)CHUNK);
		n = io_pread(job->fd, *chunk, len, (off_t)(job->off + at));
		if (n < 0 || (size_t)n < len)
			return err_set(
				err, n < 0 ? (int)n : -EIO, "cannot read the pages of the image");
		done = job->uffd < 0 ? 0 : copy_in(job->uffd, job->addr + at, *chunk, len);
		r = write_in(job, job->addr + at + done, *chunk + done, len - done);
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

static int add_extent(struct mm_fill *f, const Kist__Mm *mm, size_t i, uint64_t from, uint64_t to,
	struct fill_job *job, struct err *err)
{
	const uint64_t *e = &mm->extents[i];
	uint64_t size, at;
	int r = 0;

	job->fd = image_data_fd(
		f->img, mm->pages[mm->n_extent_files ? mm->extent_files[i / 3] : 0], &size, err);
	if (job->fd < 0)
		return job->fd;
	for (at = from; r == 0 && at < to; at += job->len) {
		job->addr = at;
		job->len = MIN(to - at, (uint64_t)PIECE);
		job->off = e[2] + (at - e[0]);
		r = workers_add(f->workers, job, job->len, err);
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
	struct fill_job job = {.pid = pid};
	size_t k, i = 0;
	int r;

	r = take_uffd(f, uffd, &uffd, err);
	for (k = 0; r == 0 && k < mm->n_vmas; k++) {
		const Kist__Vma *v = mm->vmas[k];

		while (i < mm->n_extents && mm->extents[i] + mm->extents[i + 1] <= v->start)
			i += 3;
		if (i >= mm->n_extents || mm->extents[i] >= v->end)
			continue;
		r = register_vma(f, v, bytes_in(mm, v, i), uffd, &job.uffd, err);
		/* An extent may go over the border of two mappings. */
		for (; r == 0 && i < mm->n_extents && mm->extents[i] < v->end; i += 3) {
			uint64_t end = mm->extents[i] + mm->extents[i + 1];

			r = add_extent(f, mm, i, MAX(mm->extents[i], v->start), MIN(end, v->end),
				&job, err);
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

	r = workers_wait(f->workers, err);
	for (i = 0; r == 0 && i < f->n_ranges; i++)
		if (ioctl(f->ranges[i].uffd, UFFDIO_UNREGISTER, &f->ranges[i].at) < 0)
			r = err_set(err, -errno, "cannot take a userfaultfd away");
	f->n_ranges = 0;
	return r;
}
