// SPDX-License-Identifier: Apache-2.0
/*
 * See nft.h. libnftables waits by select(2), which ends the program when a socket's number is over
 * 1023; a dump or a restore holds thousands of fds. So it runs in a forked child with few of them,
 * which also keeps its exits and its global state away from us. The child loads it, too: it would
 * add a third of a millisecond, a quarter of the whole, to every start of kist.
 */
#include "net/nft.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <sched.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/util.h"
#include "sys/syscall.h"

#define ANSWER_FD  3
#define NETNS_FD   4
#define OUTPUT_MAX (64u << 20)

#define LIBRARY "libnftables.so.1"

struct library {
	typeof(&nft_ctx_new) new;
	typeof(&nft_ctx_buffer_output) buffer_output;
	typeof(&nft_ctx_buffer_error) buffer_error;
	typeof(&nft_ctx_output_set_flags) set_flags;
	typeof(&nft_run_cmd_from_buffer) run;
	typeof(&nft_ctx_get_output_buffer) output;
	typeof(&nft_ctx_get_error_buffer) error;
};

/* Never closed: the process is about to end. */
static int load(struct library *ret, struct err *err)
{
	void *lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	const struct {
		const char *name;
		void *to;
	} rows[] = {
		{"nft_ctx_new", &ret->new},
		{"nft_ctx_buffer_output", &ret->buffer_output},
		{"nft_ctx_buffer_error", &ret->buffer_error},
		{"nft_ctx_output_set_flags", &ret->set_flags},
		{"nft_run_cmd_from_buffer", &ret->run},
		{"nft_ctx_get_output_buffer", &ret->output},
		{"nft_ctx_get_error_buffer", &ret->error},
	};
	void *symbol;
	size_t i;

	for (i = 0; lib && i < ARRAY_SIZE(rows); i++) {
		symbol = dlsym(lib, rows[i].name);
		if (!symbol)
			break;
		memcpy(rows[i].to, &symbol, sizeof(symbol));
	}
	if (lib && i == ARRAY_SIZE(rows))
		return 0;
	err_setx(err, -ENOENT, "cannot load '" LIBRARY "': %s", dlerror());
	return err_hint(err, "install libnftables (Debian: libnftables1)");
}

static int run_here(const char *commands, enum nft_format format, struct buf *out, struct err *err)
{
	struct library nft;
	struct nft_ctx *ctx;
	const char *said;
	int code;

	code = load(&nft, err);
	if (code < 0)
		return code;
	/* Opens its netlink socket at once: the reason for being in the namespace by now. */
	ctx = nft.new(NFT_CTX_DEFAULT);
	if (!ctx || nft.buffer_output(ctx) || nft.buffer_error(ctx))
		return err_oom(err);
	if (format == NFT_JSON)
		nft.set_flags(ctx, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL);
	errno = 0;
	if (nft.run(ctx, commands) != 0) {
		code = errno ? -errno : -EINVAL;
		said = nft.error(ctx);
		return err_setx(err, code, "nft refused a rule: %.*s",
			(int)strcspn(said ? said : "", "\n"), said ? said : "");
	}
	return buf_adds(out, nft.output(ctx)) < 0 ? err_oom(err) : 0;
}

/* Keeps the answer's pipe and the namespace under low numbers, and nothing else above stderr. */
static int keep_two(int *answer, int *netns, struct err *err)
{
	int a = fcntl(*answer, F_DUPFD_CLOEXEC, NETNS_FD + 1);
	int n = *netns < 0 ? -EBADF : fcntl(*netns, F_DUPFD_CLOEXEC, NETNS_FD + 1);

	if (a < 0 || (*netns >= 0 && n < 0) || dup2(a, ANSWER_FD) < 0 ||
		(n >= 0 && dup2(n, NETNS_FD) < 0))
		return err_set(err, -errno, "cannot arrange the fds of a child");
	*answer = ANSWER_FD;
	*netns = n < 0 ? -EBADF : NETNS_FD;
	(void)sys_close_range(n < 0 ? NETNS_FD : NETNS_FD + 1, ~0u, 0); /* only saves fds */
	return 0;
}

/* The answer: struct err, then what was printed. */
static void child(int netns, const char *commands, enum nft_format format, int answer)
{
	struct err err = {0};
	struct buf out = {0};
	int r;

	r = keep_two(&answer, &netns, &err);
	if (r == 0 && netns >= 0 && setns(netns, CLONE_NEWNET) < 0)
		r = err_set(&err, -errno, "cannot enter the network namespace");
	if (r == 0)
		(void)run_here(commands, format, &out, &err); /* told by err.code */
	if (io_write(answer, &err, sizeof(err)) == 0)
		(void)io_write(answer, buf_str(&out), out.len); /* a reader that is gone */
	_exit(0);
}

static int read_answer(int fd, struct buf *out, struct err *err)
{
	autobuf struct buf b = {0};
	struct err theirs;
	int r;

	r = io_read_all(fd, &b, OUTPUT_MAX);
	if (r < 0)
		return err_set(err, r, "cannot read the answer of nft");
	if (b.len < sizeof(theirs))
		return err_setx(err, -EIO, "nft ended without an answer");
	memcpy(&theirs, b.data, sizeof(theirs));
	if (theirs.code) {
		if (err)
			*err = theirs;
		return theirs.code;
	}
	if (out && buf_add(out, b.data + sizeof(theirs), b.len - sizeof(theirs)) < 0)
		return err_oom(err);
	return 0;
}

int nft_run(int netns_fd, const char *commands, enum nft_format format, struct buf *out,
	struct err *err)
{
	autoclose int read_end = -EBADF, write_end = -EBADF;
	int p[2], r;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe");
	read_end = p[0];
	write_end = p[1];
	pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "cannot fork");
	if (pid == 0)
		child(netns_fd, commands, format, write_end);
	autoclose_p(&write_end);
	write_end = -EBADF;
	r = read_answer(read_end, out, err);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
