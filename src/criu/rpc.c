// SPDX-License-Identifier: Apache-2.0
/*
 * `swrk FD`: answers CRIU's RPC on a SOCK_SEQPACKET socket that the caller has made. Version and
 * features are told; what would be done by RPC is refused with a text.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/parse.h"
#include "base/util.h"
#include "criu/criu-internal.h"
#include "criu/criu.h"
#include "criu/rpc.pb-c.h"

extern const struct verb criu_swrk;

#define MESSAGE_MAX (64u << 10)

static int answer(int fd, const Criu__Response *resp, struct err *err)
{
	autofree uint8_t *data = malloc(criu__response__get_packed_size(resp));
	size_t n;

	if (!data)
		return err_oom(err);
	n = criu__response__pack(resp, data);
	if (send(fd, data, n, MSG_NOSIGNAL) != (ssize_t)n)
		return err_set(err, -errno, "cannot answer a request");
	return 0;
}

static int serve(int fd, const Criu__Request *req, struct err *err)
{
	Criu__Response resp = CRIU__RESPONSE__INIT;
	Criu__Version version = CRIU__VERSION__INIT;
	Criu__Features features = CRIU__FEATURES__INIT;

	version.major_number = CRIU_COMPATIBLE_MAJOR;
	version.minor_number = CRIU_COMPATIBLE_MINOR;
	version.name = (char *)"kist " KIST_VERSION;
	features.has_mem_track = features.has_lazy_pages = features.has_pidfd_store = true;
	resp.type = req->type;
	resp.success = true;
	switch (req->type) {
	case CRIU__TYPE__VERSION:
		resp.version = &version;
		break;
	case CRIU__TYPE__FEATURE_CHECK: /* none of those that can be asked for */
		resp.features = &features;
		break;
	case CRIU__TYPE__CHECK:
		break;
	default:
		resp.success = false;
		resp.has_cr_errno = true;
		resp.cr_errno = EOPNOTSUPP;
		resp.cr_errmsg = (char *)"this version of kist checkpoints by its command line, "
					 "not by RPC";
	}
	return answer(fd, &resp, err);
}

static int run(int argc, char **argv, struct err *err)
{
	static uint8_t data[MESSAGE_MAX];
	Criu__Request *req;
	bool more;
	ssize_t n;
	int fd, r;

	if (argc != 2 || parse_int(argv[1], &fd) < 0 || fd < 0)
		return err_setx(err, -EINVAL, "the number of a socket's fd is needed");
	do {
		n = recv(fd, data, sizeof(data), 0);
		if (n < 0)
			return err_set(err, -errno, "cannot read a request");
		if (n == 0)
			return 0;
		req = criu__request__unpack(NULL, (size_t)n, data);
		if (!req)
			return err_setx(err, -EBADMSG, "a request cannot be read");
		more = req->keep_open;
		r = serve(fd, req, err);
		criu__request__free_unpacked(req, NULL);
	} while (r == 0 && more);
	return r;
}

const struct verb criu_swrk = {
	.name = "swrk",
	.args = "FD",
	.summary = "answer requests on a socket",
	.run = run,
};
