// SPDX-License-Identifier: Apache-2.0
/* See restart-block.h. */
#include "sys/restart-block.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/util.h"

#define WORDS_MAX  9 /* of struct restart_block; the kernel prints 12 values at most */
#define INSNS_MAX  128
#define OUTPUT_MAX (1u << 30)
#define CACHE	   "kernel-waits"
#define NSEC	   UINT64_C(1000000000)

/* Where things are in the running kernel. Bytes. */
struct layout {
	uint32_t iter_btf_id;
	size_t block, thread_pid;      /* in task_struct */
	size_t level, numbers, number; /* in struct pid; of struct upid its size */
	size_t size, fn;	       /* of struct restart_block, and what it has in it */
	size_t ns_clock, ns_type, ns_rmtp, ns_expires;
	size_t poll_fds, poll_n, poll_has, poll_sec, poll_nsec;
	size_t futex_addr, futex_val, futex_flags, futex_bitset, futex_time;
};

/* --- type information */

/* Looks a member up by name, in anonymous members too. Returns its type, 0 without; adds to *off.
 */
static uint32_t find_member(
	const struct btf *btf, uint32_t id, const char *name, size_t len, size_t *off)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	const struct btf_member *m;
	const char *have;
	size_t inner;
	uint32_t r;
	int i;

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	if (!t || !btf_is_composite(t))
		return 0;
	for (i = 0, m = btf_members(t); i < btf_vlen(t); i++, m++) {
		have = btf__name_by_offset(btf, m->name_off);
		inner = btf_member_bit_offset(t, i) / 8;
		if (have && strlen(have) == len && strncmp(have, name, len) == 0) {
			*off += inner;
			return m->type;
		}
		if (have && *have)
			continue;
		r = find_member(btf, m->type, name, len, &inner);
		if (r) {
			*off += inner;
			return r;
		}
	}
	return 0;
}

/* The offset of "a.b.c" in a struct. */
static int find_offset(const struct btf *btf, const char *type, const char *path, size_t *ret)
{
	int id = btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT);
	uint32_t at = id;
	size_t off = 0, n;

	if (id < 0)
		return -ENOENT;
	for (; *path; path += n + (path[n] ? 1 : 0)) {
		n = strcspn(path, ".");
		at = find_member(btf, at, path, n, &off);
		if (!at)
			return -ENOENT;
	}
	*ret = off;
	return 0;
}

static int find_size(const struct btf *btf, const char *type, size_t *ret)
{
	int id = btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, id);

	if (!t)
		return -ENOENT;
	*ret = t->size;
	return 0;
}

/* A name with '|' between what different kernels call it. */
static int find_one_of(const struct btf *btf, const char *type, const char *paths, size_t *ret)
{
	char path[64];
	size_t n;
	int r = -ENOENT;

	for (; *paths && r < 0; paths += n + (paths[n] ? 1 : 0)) {
		n = strcspn(paths, "|");
		snprintf(path, sizeof(path), "%.*s", (int)n, paths);
		r = find_offset(btf, type, path, ret);
	}
	return r;
}

static int search_layout(struct layout *l, struct err *err)
{
	const struct {
		const char *type, *path;
		size_t *ret;
	} rows[] = {
		{"task_struct", "restart_block", &l->block},
		{"task_struct", "thread_pid", &l->thread_pid},
		{"pid", "level", &l->level},
		{"pid", "numbers", &l->numbers},
		{"restart_block", "fn", &l->fn},
		{"restart_block", "nanosleep.clockid", &l->ns_clock},
		{"restart_block", "nanosleep.type", &l->ns_type},
		{"restart_block", "nanosleep.rmtp", &l->ns_rmtp},
		{"restart_block", "nanosleep.expires", &l->ns_expires},
		{"restart_block", "poll.ufds", &l->poll_fds},
		{"restart_block", "poll.nfds", &l->poll_n},
		{"restart_block", "poll.has_timeout", &l->poll_has},
		{"restart_block", "poll.tv_sec|poll.end_time.tv_sec", &l->poll_sec},
		{"restart_block", "poll.tv_nsec|poll.end_time.tv_nsec", &l->poll_nsec},
		{"restart_block", "futex.uaddr", &l->futex_addr},
		{"restart_block", "futex.val", &l->futex_val},
		{"restart_block", "futex.flags", &l->futex_flags},
		{"restart_block", "futex.bitset", &l->futex_bitset},
		{"restart_block", "futex.time", &l->futex_time},
	};
	struct btf *btf = btf__load_vmlinux_btf();
	size_t i;
	int r, id;

	if (!btf) {
		err_set(err, -EOPNOTSUPP,
			"this kernel has no type information for reading interrupted waits");
		return err_hint(err, "it needs CONFIG_DEBUG_INFO_BTF (/sys/kernel/btf/vmlinux)");
	}
	id = btf__find_by_name_kind(btf, "bpf_iter_task", BTF_KIND_FUNC);
	l->iter_btf_id = id;
	r = id < 0 ? -ENOENT : find_size(btf, "restart_block", &l->size);
	if (r == 0)
		r = find_size(btf, "upid", &l->number);
	for (i = 0; r == 0 && i < ARRAY_SIZE(rows); i++)
		r = find_one_of(btf, rows[i].type, rows[i].path, rows[i].ret);
	btf__free(btf);
	if (r == 0 && (l->size % 8 || l->size / 8 > WORDS_MAX || l->fn % 8))
		r = -E2BIG;
	if (r < 0)
		return err_setx(err, -EOPNOTSUPP,
			"this kernel keeps interrupted waits in a form that is not known");
	return 0;
}

/*
 * The search goes through 5 MB of type information, most of a small dump's time: what it found is
 * kept in a file for as long as the kernel is the same.
 */
struct kept {
	char key[256];
	struct layout layout;
};

static int make_key(char *key, size_t size)
{
	struct utsname u;
	struct stat st;

	memset(key, 0, size);
	if (uname(&u) < 0 || stat("/sys/kernel/btf/vmlinux", &st) < 0)
		return -errno;
	snprintf(key, size, KIST_VERSION " %zu %s %s %lld", sizeof(struct kept), u.release,
		u.version, (long long)st.st_size);
	return 0;
}

/* Only what is ours and nobody else could write is believed. */
static bool load_layout(int dirfd, const char *key, struct layout *ret)
{
	autoclose int fd = openat(dirfd, CACHE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	struct kept k;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
		st.st_mode & 022 || st.st_size != sizeof(k) ||
		io_read(fd, &k, sizeof(k)) != sizeof(k) || memcmp(k.key, key, sizeof(k.key)) != 0)
		return false;
	*ret = k.layout;
	return true;
}

static int find_layout(const char *cache, struct layout *l, struct err *err)
{
	autoclose int dirfd = -EBADF;
	struct kept k = {0};
	int r;

	if (cache && make_key(k.key, sizeof(k.key)) == 0)
		dirfd = open(cache, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dirfd >= 0 && load_layout(dirfd, k.key, l))
		return 0;
	r = search_layout(l, err);
	k.layout = *l;
	if (r == 0 && dirfd >= 0)
		(void)file_swap_at(dirfd, CACHE, &k, sizeof(k), 0600); /* or searched anew */
	return r;
}

/* --- the program */

struct code {
	struct bpf_insn v[INSNS_MAX];
	size_t n;
};

static void emit(struct code *c, uint8_t code, uint8_t dst, uint8_t src, int off, int32_t imm)
{
	c->v[c->n++] = (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = (int16_t)off, .imm = imm};
}

static void emit_move(struct code *c, int dst, int src)
{
	emit(c, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void emit_add(struct code *c, int dst, int32_t n)
{
	emit(c, BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, n);
}

/* Reads @size bytes at the kernel address r[@base] + @off into the stack at @to. */
static void emit_read(struct code *c, int to, size_t size, int base, size_t off)
{
	emit_move(c, BPF_REG_1, BPF_REG_10);
	emit_add(c, BPF_REG_1, to);
	emit(c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, (int32_t)size);
	emit_move(c, BPF_REG_3, base);
	emit_add(c, BPF_REG_3, (int32_t)off);
	emit(c, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_kernel);
}

static void emit_text(struct code *c, int to, const char *text, size_t len)
{
	uint64_t word;
	size_t i;

	for (i = 0; i < len; i += 8) {
		word = 0;
		memcpy(&word, text + i, MIN(len - i, (size_t)8));
		emit(c, BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, 0, 0, (int32_t)word);
		emit(c, 0, 0, 0, 0, (int32_t)(word >> 32));
		emit(c, BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, BPF_REG_1, to + (int)i, 0);
	}
}

/*
 * For every task a line "LEVEL NUMBER FUNCTION WORD…", with the number that the task has in the pid
 * namespace of level @level. Stack: the format at -256, then what it prints, then struct pid's
 * address at -8.
 */
static void build(struct code *c, const struct layout *l, uint32_t level)
{
	enum { FORMAT = -256, VALUES = -176, BLOCK = VALUES + 24, PID = -8 };
	char format[64] = "%d %d %ps";
	size_t i, len;

	for (i = 0; i < l->size / 8; i++)
		strcat(format, " %llx");
	strcat(format, "\n");
	len = strlen(format) + 1;
	/* r6: struct bpf_iter__task {meta, task}; r7: the task, NULL at the end. */
	emit_move(c, BPF_REG_6, BPF_REG_1);
	emit(c, BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_7, BPF_REG_6, 8, 0);
	emit(c, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_7, 0, 2, 0);
	emit(c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
	emit(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	emit_text(c, FORMAT, format, len);
	emit(c, BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, VALUES, 0);
	emit(c, BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, VALUES + 8, 0);
	emit_read(c, BLOCK, l->size, BPF_REG_7, l->block);
	emit_read(c, PID, 8, BPF_REG_7, l->thread_pid);
	emit(c, BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_8, BPF_REG_10, PID, 0);
	emit_read(c, VALUES, 4, BPF_REG_8, l->level);
	emit_read(c, VALUES + 8, 4, BPF_REG_8, l->numbers + level * l->number);
	emit(c, BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_10, BLOCK + (int)l->fn, 0);
	emit(c, BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, BPF_REG_1, VALUES + 16, 0);
	emit(c, BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_6, 0, 0);
	emit(c, BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_1, 0, 0); /* meta->seq */
	emit_move(c, BPF_REG_2, BPF_REG_10);
	emit_add(c, BPF_REG_2, FORMAT);
	emit(c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, (int32_t)len);
	emit_move(c, BPF_REG_4, BPF_REG_10);
	emit_add(c, BPF_REG_4, VALUES);
	emit(c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_5, 0, 0, (int32_t)(24 + l->size));
	emit(c, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_seq_printf);
	emit(c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
	emit(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int refuse(int code, const char *what, struct err *err)
{
	if (code == -EPERM) {
		err_set(err, code, "cannot %s that reads interrupted waits", what);
		return err_hint(err, "this takes CAP_BPF and CAP_PERFMON on the host");
	}
	return err_setx(err, -EOPNOTSUPP, "this kernel cannot %s that reads interrupted waits: %s",
		what, strerror(-code));
}

struct restart_reader {
	struct layout layout;
	int link; /* holds the program */
};

static int attach(struct restart_reader *reader, uint32_t level, struct err *err)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_ITER,
		.attach_btf_id = reader->layout.iter_btf_id);
	autoclose int prog = -EBADF;
	struct code code = {.n = 0};
	int link;

	build(&code, &reader->layout, level);
	prog = bpf_prog_load(
		BPF_PROG_TYPE_TRACING, "kist_restart", "Dual MIT/GPL", code.v, code.n, &opts);
	if (prog < 0)
		return refuse(-errno, "load the program", err);
	link = bpf_link_create(prog, 0, BPF_TRACE_ITER, NULL);
	if (link < 0)
		return refuse(-errno, "attach the iterator", err);
	if (reader->link >= 0)
		(void)close(reader->link); /* the one for another level */
	reader->link = link;
	return 0;
}

/* Runs the program over all tasks; appends its lines. */
static int run(const struct restart_reader *reader, struct buf *ret, struct err *err)
{
	autoclose int iter = bpf_iter_create(reader->link);
	int r;

	if (iter < 0)
		return refuse(-errno, "make the iterator", err);
	r = io_read_all(iter, ret, OUTPUT_MAX);
	return r < 0 ? err_set(err, r, "cannot read interrupted waits") : 0;
}

/* --- what it printed */

static uint64_t field(const uint64_t *words, size_t off, size_t size)
{
	uint64_t v = 0;

	memcpy(&v, (const char *)words + off, size);
	return v;
}

static void fill_nanosleep(const struct layout *l, const uint64_t *w, struct restart_info *ret)
{
	enum { TYPE_NONE, TYPE_NATIVE, TYPE_COMPAT };
	uint64_t type = field(w, l->ns_type, 4);

	ret->kind = RESTART_NANOSLEEP;
	ret->clock = (clockid_t)field(w, l->ns_clock, 4);
	ret->expires_ns = field(w, l->ns_expires, 8);
	ret->user_ptr = type == TYPE_NONE ? 0 : field(w, l->ns_rmtp, 8);
	ret->compat = type == TYPE_COMPAT;
}

static void fill_poll(const struct layout *l, const uint64_t *w, struct restart_info *ret)
{
	ret->kind = RESTART_POLL;
	ret->clock = CLOCK_MONOTONIC;
	ret->user_ptr = field(w, l->poll_fds, 8);
	ret->nfds = (uint32_t)field(w, l->poll_n, 4);
	if (field(w, l->poll_has, 4))
		ret->expires_ns = field(w, l->poll_sec, 8) * NSEC + field(w, l->poll_nsec, 8);
}

static void fill_futex(const struct layout *l, const uint64_t *w, struct restart_info *ret)
{
	/* Only a relative wait comes here, and those are on the monotonic clock. */
	ret->kind = RESTART_FUTEX;
	ret->clock = CLOCK_MONOTONIC;
	ret->user_ptr = field(w, l->futex_addr, 8);
	ret->val = (uint32_t)field(w, l->futex_val, 4);
	ret->flags = (uint32_t)field(w, l->futex_flags, 4);
	ret->bitset = (uint32_t)field(w, l->futex_bitset, 4);
	ret->expires_ns = field(w, l->futex_time, 8);
}

static void fill_other(const struct layout *l, const uint64_t *w, struct restart_info *ret)
{
	ret->kind = RESTART_OTHER;
}

static void fill_none(const struct layout *l, const uint64_t *w, struct restart_info *ret)
{
	ret->kind = RESTART_NONE;
}

static void fill(const struct layout *l, const uint64_t *w, struct restart_info *ret)
{
	static const struct {
		const char *function;
		void (*fill)(const struct layout *, const uint64_t *, struct restart_info *);
	} rows[] = {
		{"0x0", fill_none},
		{"alarm_timer_nsleep_restart", fill_nanosleep},
		{"do_no_restart_syscall", fill_none},
		{"do_restart_poll", fill_poll},
		{"futex_wait_restart", fill_futex},
		{"hrtimer_nanosleep_restart", fill_nanosleep},
		{"posix_cpu_nsleep_restart", fill_nanosleep},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].function, ret->function) == 0) {
			rows[i].fill(l, w, ret);
			return;
		}
	fill_other(l, w, ret);
}

struct wanted {
	pid_t tid;
	size_t at; /* in the caller's array */
};

static int compare_wanted(const void *a, const void *b)
{
	pid_t x = ((const struct wanted *)a)->tid, y = ((const struct wanted *)b)->tid;

	return (x > y) - (x < y);
}

/* One line; *ret_level is the task's. Returns 1, or 0 for one that is just being released. */
static int parse_line(const struct layout *l, const char *line, const struct wanted *wanted,
	size_t n, struct restart_info *ret, uint32_t *ret_level)
{
	uint64_t words[WORDS_MAX] = {0};
	struct restart_info info = {.expires_ns = UINT64_MAX};
	struct wanted key = {0}, *w;
	char *end;
	size_t i;
	int at;

	if (sscanf(line, "%" SCNu32 " %d %63s%n", ret_level, &key.tid, info.function, &at) != 3)
		return -EINVAL;
	if (key.tid <= 0)
		return 0;
	w = bsearch(&key, wanted, n, sizeof(*wanted), compare_wanted);
	if (!w)
		return 1;
	for (i = 0, line += at; i < l->size / 8; i++, line = end) {
		words[i] = strtoull(line, &end, 16);
		if (end == line)
			return -EINVAL;
	}
	info.tid = key.tid;
	fill(l, words, &info);
	for (; w > wanted && w[-1].tid == key.tid; w--)
		;
	for (; w < wanted + n && w->tid == key.tid; w++)
		ret[w->at] = info;
	return 1;
}

/* Fills @ret; *ret_level is the lowest level of pid namespace seen, which is ours. */
static int parse(const struct layout *l, char *text, const struct wanted *wanted, size_t n,
	struct restart_info *ret, uint32_t *ret_level)
{
	uint32_t level, lowest = UINT32_MAX;
	char *save, *line;
	int r = 0;

	for (line = strtok_r(text, "\n", &save); line && r >= 0;
		line = strtok_r(NULL, "\n", &save)) {
		r = parse_line(l, line, wanted, n, ret, &level);
		if (r > 0)
			lowest = MIN(lowest, level);
	}
	*ret_level = lowest;
	return MIN(r, 0);
}

static int read_all(const struct restart_reader *reader, const struct wanted *wanted, size_t n,
	struct restart_info *ret, uint32_t *ret_level, struct err *err)
{
	autobuf struct buf b = {0};
	int r = run(reader, &b, err);

	if (r < 0)
		return r;
	if (!b.len || parse(&reader->layout, b.data, wanted, n, ret, ret_level) < 0)
		return err_setx(err, -EIO, "cannot read what the kernel says of interrupted waits");
	return 0;
}

void restart_reader_free(struct restart_reader *reader)
{
	if (!reader)
		return;
	if (reader->link >= 0)
		(void)close(reader->link); /* the program goes with it */
	free(reader);
}

int restart_reader_new(const char *cache, struct restart_reader **ret, struct err *err)
{
	struct restart_reader *reader = calloc(1, sizeof(*reader));
	struct wanted nobody = {0};
	uint32_t level = 0;
	int r;

	if (!reader)
		return err_oom(err);
	reader->link = -EBADF;
	r = find_layout(cache, &reader->layout, err);
	if (r == 0)
		r = attach(reader, 0, err);
	if (r == 0)
		r = read_all(reader, &nobody, 0, NULL, &level, err);
	/* In a pid namespace of our own the host's numbers say nothing: another program, for ours.
	 */
	if (r == 0 && level > 0)
		r = attach(reader, level, err);
	if (r < 0)
		restart_reader_free(reader);
	else
		*ret = reader;
	return r;
}

int restart_reader_read(struct restart_reader *reader, const pid_t *tids, size_t n,
	struct restart_info *ret, struct err *err)
{
	autofree struct wanted *wanted = calloc(MAX(n, (size_t)1), sizeof(*wanted));
	uint32_t level;
	size_t i;

	if (!wanted)
		return err_oom(err);
	for (i = 0; i < n; i++) {
		wanted[i] = (struct wanted){.tid = tids[i], .at = i};
		ret[i] = (struct restart_info){.tid = tids[i], .expires_ns = UINT64_MAX};
	}
	qsort(wanted, n, sizeof(*wanted), compare_wanted);
	return read_all(reader, wanted, n, ret, &level, err);
}

int restart_block_read(pid_t tid, struct restart_info *ret, struct err *err)
{
	struct restart_reader *reader;
	int r = restart_reader_new(NULL, &reader, err);

	if (r < 0)
		return r;
	r = restart_reader_read(reader, &tid, 1, ret, err);
	restart_reader_free(reader);
	return r;
}

uint64_t restart_left_ns(const struct restart_info *info)
{
	clockid_t clock = info->clock;
	struct timespec now;
	uint64_t ns;

	/* A processor time clock whose pid is 0 is that of the sleeper's process. */
	if (clock < 0 && ~(clock >> 3) == 0)
		clock = (clockid_t)((unsigned int)~info->tid << 3) | (clock & 7);
	if (info->expires_ns == UINT64_MAX || clock_gettime(clock, &now) < 0)
		return UINT64_MAX;
	ns = (uint64_t)now.tv_sec * NSEC + (uint64_t)now.tv_nsec;
	return info->expires_ns > ns ? info->expires_ns - ns : 0;
}
