// SPDX-License-Identifier: Apache-2.0
/*
 * See nft.h. libnftables waits by select(2), which ends the program when a socket's number is over
 * 1023; a dump or a restore holds thousands of fds. So it runs in a forked child with few of them,
 * which also keeps its exits and its global state away from us. It is linked and not loaded when it
 * is needed, which is also in a container's root, with the container's libraries.
 */
#include "net/nft.h"

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

static void nft_ctx_free_p(struct nft_ctx **ctx)
{
	if (*ctx)
		nft_ctx_free(*ctx);
}
#define autonft __attribute__((cleanup(nft_ctx_free_p)))

static int run_here(const char *commands, enum nft_format format, struct buf *out, struct err *err)
{
	/* Opens its netlink socket at once: the reason for being in the namespace by now. */
	autonft struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	const char *said;
	int code;

	if (!ctx || nft_ctx_buffer_output(ctx) || nft_ctx_buffer_error(ctx))
		return err_oom(err);
	if (format == NFT_JSON)
		nft_ctx_output_set_flags(ctx, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL);
	errno = 0;
	if (nft_run_cmd_from_buffer(ctx, commands) != 0) {
		code = errno ? -errno : -EINVAL;
		said = nft_ctx_get_error_buffer(ctx);
		return err_setx(err, code, "nft refused a rule: %.*s",
			(int)strcspn(said ? said : "", "\n"), said ? said : "");
	}
	return buf_adds(out, nft_ctx_get_output_buffer(ctx)) < 0 ? err_oom(err) : 0;
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
