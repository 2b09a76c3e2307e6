// SPDX-License-Identifier: Apache-2.0
/* Saving an address space; see mm.h. */
#include "cr/mem/mm.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <xxhash.h>

#include "base/util.h"
#include "cr/mem/pages.h"
#include "sys/proc.h"

static int refuse(const struct target *t, const struct vma *v, const char *what, const char *hint,
	struct err *err)
{
	err_setx(err, -ENOTSUP, "process %d (%s): mapping %" PRIx64 "-%" PRIx64 "%s%s is %s",
		t->pid, t->comm, v->start, v->end, *v->path ? " of " : "", v->path, what);
	return err_hint(err, "%s", hint);
}

static int check_vma(const struct target *t, const struct vma *v, struct err *err)
{
	if (v->kind == VMA_VSYSCALL || v->kind == VMA_VDSO || v->kind == VMA_VVAR)
		return 0;
	if (v->advice & VMA_DEVICE)
		return refuse(t, v, "memory of a device",
			"close the device (GPU, video, hardware) before the checkpoint", err);
	if (v->advice & VMA_UFFD)
		return refuse(t, v, "served by userfaultfd",
			"a program that handles its own page faults cannot be saved", err);
	if (v->advice & VMA_SHADOW_STACK)
		return refuse(t, v, "a shadow stack",
			"start the program with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off", err);
	if (strncmp(v->path, "anon_inode:", 11) == 0 || strncmp(v->path, "/anon_inode:", 12) == 0)
		return refuse(t, v, "a ring that the kernel shares with it",
			"io_uring, perf, bpf and the like cannot be saved", err);
	return 0;
}

int mm_scan(struct target *t, struct vma_list *ret, struct err *err)
{
	struct vma_list l = {0};
	autobuf struct buf text = {0};
	size_t i;
	int r;

	r = proc_read(t->procfd, "smaps", &text);
	if (r < 0)
		return err_set(
			err, r, "cannot read the mappings of process %d (%s)", t->pid, t->comm);
	r = vma_parse(buf_str(&text), text.len, &l, err);
	for (i = 0; r == 0 && i < l.n; i++)
		r = check_vma(t, &l.v[i], err);
	if (r < 0) {
		vma_list_done(&l);
		return r;
	}
	*ret = l;
	return 0;
}

int mm_vdso_hash(struct target *t, const struct vma_list *vmas, uint64_t *ret, struct err *err)
{
	autofree char *code = NULL;
	const struct vma *v;
	size_t i, size;
	int r;

	*ret = 0;
	for (i = 0; i < vmas->n; i++) {
		v = &vmas->v[i];
		if (v->kind != VMA_VDSO)
			continue;
		size = v->end - v->start;
		if (size > (1u << 20))
			return err_setx(
				err, -EINVAL, "the vdso of process %d is too large", t->pid);
		code = malloc(size);
		if (!code)
			return err_oom(err);
		r = target_read(t, v->start, code, size, err);
		if (r == 0)
			*ret = XXH3_64bits(code, size);
		return r;
	}
	return 0;
}

uint64_t mm_own_vdso_hash(const struct vma_list *self)
{
	size_t i;

	for (i = 0; i < self->n; i++)
		if (self->v[i].kind == VMA_VDSO)
			return XXH3_64bits((const void *)(uintptr_t)self->v[i].start,
				self->v[i].end - self->v[i].start);
	return 0;
}

/* The fields of Mm that /proc/PID/stat has, the program break from a call of its own. */
static int fill_layout(struct target *t, Kist__Mm *mm, struct buf *auxv, struct err *err)
{
	autobuf struct buf text = {0};
	struct proc_stat st;
	int64_t brk;
	int r;

	r = proc_read(t->procfd, "stat", &text);
	if (r == 0)
		r = proc_parse_stat(buf_str(&text), text.len, &st);
	if (r == 0)
		r = proc_read(t->procfd, "auxv", auxv);
	if (r < 0)
		return err_set(
			err, r, "cannot read the layout of process %d (%s)", t->pid, t->comm);
	r = target_syscall(t, SYS_brk, (const uint64_t[6]){0}, &brk, err);
	if (r < 0)
		return r;
	mm->start_code = st.start_code;
	mm->end_code = st.end_code;
	mm->start_data = st.start_data;
	mm->end_data = st.end_data;
	mm->start_brk = st.start_brk;
	mm->brk = (uint64_t)brk;
	mm->start_stack = st.start_stack;
	mm->arg_start = st.arg_start;
	mm->arg_end = st.arg_end;
	mm->env_start = st.env_start;
	mm->env_end = st.env_end;
	mm->has_auxv = true;
	mm->auxv = (ProtobufCBinaryData){.len = auxv->len, .data = (uint8_t *)auxv->data};
	return 0;
}

struct mm_dump {
	struct image_writer *w;
	struct target *t;
	const struct mm_hooks *hooks;
	struct pages_pool *pool;
	int pagemap_fd;
	struct buf auxv;
	Kist__Mm mm;
	Kist__Vma *vmas, **ptrs;
	size_t n;
};

static char *anon_name(const struct vma *v)
{
	size_t len = strlen(v->path);

	if (v->kind != VMA_ANON || strncmp(v->path, "[anon:", 6) != 0 || v->path[len - 1] != ']')
		return NULL;
	return strndup(v->path + 6, len - 7);
}

static int dump_vma(struct mm_dump *d, const struct vma *v, struct err *err)
{
	struct pages_guards guards = {0};
	Kist__Vma *m = &d->vmas[d->n];
	int r = 0;

	kist__vma__init(m);
	d->ptrs[d->n++] = m;
	m->start = v->start;
	m->end = v->end;
	m->prot = v->prot;
	m->flags = v->flags | (v->kind == VMA_ANON ? MAP_ANONYMOUS : 0);
	m->has_advice = true;
	m->advice = v->advice & VMA_ADVICE_SAVED;
	m->has_page_shift = v->page_shift != 0;
	m->page_shift = v->page_shift;
	m->has_offset = v->kind != VMA_ANON;
	m->offset = v->kind == VMA_ANON ? 0 : v->offset;
	m->name = anon_name(v);
	if (v->kind == VMA_SYSV) {
		m->has_shmid = true;
		m->shmid = (int32_t)v->inode;
		return 0;
	}
	if (v->kind == VMA_FILE) {
		m->has_file = true;
		r = d->hooks->mapping(d->hooks->arg, d->t, v, &m->file, err);
	}
	if (r == 0 && !(v->flags & MAP_SHARED))
		r = pages_dump(d->pool, d->t, d->pagemap_fd, v, &guards, err);
	m->guards = guards.ranges;
	m->n_guards = guards.n;
	return r;
}

static int dump_vmas(struct mm_dump *d, const struct vma_list *vmas, struct err *err)
{
	const struct vma *v;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < vmas->n; i++) {
		v = &vmas->v[i];
		switch (v->kind) {
		case VMA_VSYSCALL:
			break;
		case VMA_VDSO:
			d->mm.has_vdso = d->mm.has_vdso_size = true;
			d->mm.vdso = v->start;
			d->mm.vdso_size = v->end - v->start;
			break;
		case VMA_VVAR: /* one or more, one behind the other */
			if (!d->mm.has_vvar)
				d->mm.vvar = v->start;
			d->mm.has_vvar = d->mm.has_vvar_size = true;
			d->mm.vvar_size = v->end - d->mm.vvar;
			break;
		default:
			r = dump_vma(d, v, err);
		}
	}
	return r;
}

void mm_dump_free(struct mm_dump *d)
{
	size_t i;

	if (!d)
		return;
	for (i = 0; i < d->n; i++) {
		free(d->vmas[i].guards);
		free(d->vmas[i].name);
	}
	free(d->vmas);
	free(d->ptrs);
	buf_done(&d->auxv);
	if (d->pagemap_fd >= 0)
		(void)close(d->pagemap_fd); /* only read from */
	free(d);
}

static int begin(struct mm_dump *d, const struct vma_list *vmas, struct err *err)
{
	int r;

	d->mm.id = d->t->id;
	d->pagemap_fd = openat(d->t->procfd, "pagemap", O_RDONLY | O_CLOEXEC);
	if (d->pagemap_fd < 0)
		return err_set(err, -errno, "cannot open the page map of process %d (%s)",
			d->t->pid, d->t->comm);
	d->vmas = calloc(vmas->n + 1, sizeof(*d->vmas));
	d->ptrs = calloc(vmas->n + 1, sizeof(*d->ptrs));
	if (!d->vmas || !d->ptrs)
		return err_oom(err);
	r = fill_layout(d->t, &d->mm, &d->auxv, err);
	if (r == 0)
		r = d->hooks->exe(d->hooks->arg, d->t, &d->mm.exe, err);
	target_rest(d->t); /* what follows may take long */
	if (r == 0)
		r = dump_vmas(d, vmas, err);
	d->mm.vmas = d->ptrs;
	d->mm.n_vmas = d->n;
	return r;
}

int mm_dump_begin(struct image_writer *w, struct pages_pool *pool, struct target *t,
	const struct vma_list *vmas, const struct mm_hooks *hooks, struct mm_dump **ret,
	struct err *err)
{
	struct mm_dump *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return err_oom(err);
	*d = (struct mm_dump){.w = w, .pool = pool, .t = t, .hooks = hooks, .pagemap_fd = -EBADF};
	kist__mm__init(&d->mm);
	r = begin(d, vmas, err);
	if (r < 0)
		mm_dump_free(d);
	else
		*ret = d;
	return r;
}

int mm_dump_end(struct mm_dump *d, struct err *err)
{
	struct pages_saved saved;
	int r;

	r = pages_take(d->pool, d->t, &saved, err);
	if (r < 0)
		return r;
	d->mm.pages = saved.names;
	d->mm.n_pages = saved.n_names;
	d->mm.extents = saved.extents;
	d->mm.n_extents = saved.n * 3;
	if (saved.n_names > 1) {
		d->mm.extent_files = saved.files;
		d->mm.n_extent_files = saved.n;
	}
	r = image_put(d->w, RECORD_MM, &d->mm.base, err);
	pages_saved_done(&saved);
	return r;
}
