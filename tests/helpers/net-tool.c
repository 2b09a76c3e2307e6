// SPDX-License-Identifier: Apache-2.0
/*
 * The bridge without a container, for tests/integration/test_net.py:
 *   net-tool attach RUN_DIR ID NETNS [-w ADDRESS] [PROTOCOL:HOST_IP:HOST:CONTAINER]…
 *   net-tool detach RUN_DIR ID
 *   net-tool park RUN_DIR ID
 *   net-tool ns-dump IMAGE_DIR NETNS
 *   net-tool ns-restore IMAGE_DIR (the caller's namespace)
 * Attach prints "LINK ADDRESS/PREFIX GATEWAY MAC".
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/parse.h"
#include "base/util.h"
#include "cr/nsdump/net.h"
#include "net/bridge.h"

#define PORTS_MAX 16

static int parse_port(char *text, struct net_port *ret)
{
	char *protocol = strsep(&text, ":"), *ip = strsep(&text, ":"), *host = strsep(&text, ":");
	uint32_t h, c;

	if (!host || !text || parse_u32(host, 10, &h) < 0 || parse_u32(text, 10, &c) < 0)
		return -EINVAL;
	*ret = (struct net_port){.host = h,
		.container = c,
		.protocol = strcmp(protocol, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP};
	(void)snprintf(ret->host_ip, sizeof(ret->host_ip), "%s", ip); /* test input */
	return 0;
}

static int attach(int run_dir, const char *id, int argc, char **argv, struct err *err)
{
	autoclose int ns = open(argv[0], O_RDONLY | O_CLOEXEC);
	struct net_port ports[PORTS_MAX];
	struct net_attachment a;
	const char *want = NULL;
	size_t n = 0;
	int i, r;

	if (ns < 0)
		return err_set(err, -errno, "cannot open '%s'", argv[0]);
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-w") == 0 && i + 1 < argc)
			want = argv[++i];
		else if (n == PORTS_MAX || parse_port(argv[i], &ports[n++]) < 0)
			return err_set(err, -EINVAL, "bad port '%s'", argv[i]);
	}
	r = net_bridge_attach(run_dir, id, ns, want, ports, n, NULL, &a, err);
	if (r == 0)
		printf("%s %s/%u %s %s\n", a.host_link, a.address, a.prefix, a.gateway, a.mac);
	return r;
}

static int ns_dump(int dir, const char *path, struct err *err)
{
	autoclose int ns = open(path, O_RDONLY | O_CLOEXEC);
	struct image_writer *w;
	int r;

	if (ns < 0)
		return err_set(err, -errno, "cannot open '%s'", path);
	r = image_writer_new(dir, &w, err);
	if (r < 0)
		return r;
	r = net_ns_dump(w, ns, err);
	if (r == 0)
		r = image_writer_finish(w, err);
	image_writer_free(w);
	return r;
}

static int ns_restore(int dir, struct err *err)
{
	autoclose int procfd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct image *img;
	int r;

	r = image_open(dir, &img, err);
	if (r < 0)
		return r;
	r = net_ns_check(img, err);
	if (r == 0)
		r = net_ns_restore(img, procfd, err);
	image_free(img);
	return r;
}

int main(int argc, char **argv)
{
	struct err err = {0};
	autoclose int run_dir = -EBADF;
	int r;

	if (argc < 3)
		return 2;
	run_dir = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (run_dir < 0)
		return 2;
	if (strcmp(argv[1], "ns-restore") == 0)
		r = ns_restore(run_dir, &err);
	else if (argc < 4)
		return 2;
	else if (strcmp(argv[1], "ns-dump") == 0)
		r = ns_dump(run_dir, argv[3], &err);
	else if (strcmp(argv[1], "attach") == 0 && argc > 4)
		r = attach(run_dir, argv[3], argc - 4, argv + 4, &err);
	else if (strcmp(argv[1], "detach") == 0)
		r = net_bridge_detach(run_dir, argv[3], &err);
	else if (strcmp(argv[1], "park") == 0)
		r = net_bridge_park(run_dir, argv[3], &err);
	else
		return 2;
	if (r < 0)
		fprintf(stderr, "%s [%s]\n", err.text, err.hint);
	return r < 0;
}
