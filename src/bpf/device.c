// SPDX-License-Identifier: Apache-2.0
/* See device.h. */
#include "bpf/device.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

#define PROG_NAME "kist_devices"
#define PROGS_MAX 64
#define PER_ROW	  9 /* instructions of an exception, at most */
#define ROWS_MAX  2000
#define LOG_SIZE  4096
#define FRAME	  6 /* instructions before the rows */

/* bpf_cgroup_dev_ctx: access_type (access << 16 | type), major, minor. */
#define CTX_ACCESS 0
#define CTX_MAJOR  4
#define CTX_MINOR  8

static struct bpf_insn insn(uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	return (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

/* r2 type, r3 access, r4 major, r5 minor. */
static size_t emit_frame(struct bpf_insn *p)
{
	p[0] = insn(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, CTX_ACCESS, 0);
	p[1] = insn(BPF_ALU | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0);
	p[2] = insn(BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
	p[3] = insn(BPF_ALU | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16);
	p[4] = insn(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, BPF_REG_1, CTX_MAJOR, 0);
	p[5] = insn(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_5, BPF_REG_1, CTX_MINOR, 0);
	return FRAME;
}

/* Compares, each jumping over the rest of the row when it does not fit, then an answer. */
static size_t emit_row(struct bpf_insn *p, bool allow, const struct bpf_device *d)
{
	size_t n = 0, i;

	p[n++] = insn(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 0,
		d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (d->major != BPF_DEVICE_ANY)
		p[n++] = insn(BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_4, 0, 0, (int32_t)d->major);
	if (d->minor != BPF_DEVICE_ANY)
		p[n++] = insn(BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_5, 0, 0, (int32_t)d->minor);
	p[n++] = insn(BPF_ALU | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_3, 0, 0);
	/* Denied when in part, allowed when in full. */
	p[n++] = insn(BPF_ALU | BPF_AND | BPF_K, BPF_REG_1, 0, 0,
		(int32_t)(allow ? d->access : 7 & ~d->access));
	p[n++] = insn(BPF_JMP | (allow ? BPF_JEQ : BPF_JNE) | BPF_K, BPF_REG_1, 0, 0, 0);
	p[n++] = insn(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, !allow);
	p[n++] = insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (i = 0; i < n; i++)
		if (BPF_CLASS(p[i].code) == BPF_JMP32 ||
			(BPF_CLASS(p[i].code) == BPF_JMP && BPF_OP(p[i].code) != BPF_EXIT))
			p[i].off = (int16_t)(n - i - 1);
	return n;
}

int bpf_device_program(bool allow, const struct bpf_device *exceptions, size_t n,
	struct bpf_insn **ret, size_t *ret_n)
{
	struct bpf_insn *p;
	size_t i, k;

	if (n > ROWS_MAX)
		return -E2BIG;
	p = calloc(FRAME + n * PER_ROW + 2, sizeof(*p));
	if (!p)
		return -ENOMEM;
	k = emit_frame(p);
	for (i = 0; i < n; i++)
		k += emit_row(p + k, allow, &exceptions[i]);
	p[k++] = insn(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
	p[k++] = insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	*ret = p;
	*ret_n = k;
	return 0;
}

static int load(const struct bpf_insn *insns, size_t n, struct err *err)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	char log[LOG_SIZE] = "";
	int fd;

	fd = bpf_prog_load(BPF_PROG_TYPE_CGROUP_DEVICE, PROG_NAME, "Dual MIT/GPL", insns, n, &opts);
	if (fd >= 0)
		return fd;
	if (errno == EPERM) {
		err_set(err, -EPERM, "cannot load the device policy of the cgroup");
		return err_hint(err, "this takes CAP_BPF and CAP_SYS_ADMIN on the host");
	}
	opts.log_buf = log;
	opts.log_size = sizeof(log);
	opts.log_level = 1;
	fd = bpf_prog_load(BPF_PROG_TYPE_CGROUP_DEVICE, PROG_NAME, "Dual MIT/GPL", insns, n, &opts);
	if (fd >= 0)
		return fd;
	return err_set(
		err, -errno, "the kernel refuses the device policy%s%.200s", *log ? ": " : "", log);
}

/* kist's program on the cgroup, so that it can be replaced in one step; -ENOENT without one. */
static int find_ours(int cgroup_fd)
{
	struct bpf_prog_info info;
	__u32 ids[PROGS_MAX], n = PROGS_MAX, len, i;
	int fd;

	if (bpf_prog_query(cgroup_fd, BPF_CGROUP_DEVICE, 0, NULL, ids, &n) < 0)
		return -errno;
	for (i = 0; i < n; i++) {
		fd = bpf_prog_get_fd_by_id(ids[i]);
		if (fd < 0)
			continue; /* detached meanwhile */
		len = sizeof(info);
		memset(&info, 0, sizeof(info));
		if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
			strcmp(info.name, PROG_NAME) == 0)
			return fd;
		(void)close(fd); /* only a handle */
	}
	return -ENOENT;
}

int bpf_device_attach(
	int cgroup_fd, bool allow, const struct bpf_device *exceptions, size_t n, struct err *err)
{
	LIBBPF_OPTS(bpf_prog_attach_opts, opts, .flags = BPF_F_ALLOW_MULTI);
	autofree struct bpf_insn *insns = NULL;
	autoclose int fd = -EBADF, old = -EBADF;
	size_t n_insns;
	int r;

	r = bpf_device_program(allow, exceptions, n, &insns, &n_insns);
	if (r == -E2BIG)
		return err_setx(err, r, "%zu device rules are too many (at most %d)", n, ROWS_MAX);
	if (r < 0)
		return err_oom(err);
	fd = load(insns, n_insns, err);
	if (fd < 0)
		return fd;
	old = find_ours(cgroup_fd);
	if (old >= 0) {
		opts.flags |= BPF_F_REPLACE;
		opts.replace_prog_fd = old;
	}
	if (bpf_prog_attach_opts(fd, cgroup_fd, BPF_CGROUP_DEVICE, &opts) < 0) {
		err_set(err, -errno, "cannot attach the device policy to the cgroup");
		return err_hint(err, "a cgroup above it may have one that allows no other below");
	}
	return 0;
}
