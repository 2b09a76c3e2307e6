// SPDX-License-Identifier: Apache-2.0
/*
 * Packets that a restored socket must see though its peer does not send them again: a FIN that was
 * received, an acknowledgement, a datagram that waited in the queue. A packet to an address of our
 * own passes loopback whatever its source, so a raw socket can speak for the peer.
 */
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include "base/util.h"
#include "cr/file/inet-internal.h"

/* An IPv4 connection, be it of an IPv6 socket (RFC 4291, 2.5.5.2)? Gives the four bytes. */
static bool as_v4(const union inet_addr *a, uint32_t *ret)
{
	if (a->sa.sa_family == AF_INET) {
		*ret = a->v4.sin_addr.s_addr;
		return true;
	}
	if (!IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
		return false;
	memcpy(ret, a->v6.sin6_addr.s6_addr + 12, 4);
	return true;
}

static uint32_t sum_bytes(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += p[i] << 8 | p[i + 1];
	if (len & 1)
		sum += p[len - 1] << 8;
	return sum;
}

static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum & 0xffff);
}

/* The transport's header and data at @buf; its checksum still lacks the addresses. */
static size_t put_transport(const struct inet_packet *p, uint8_t *buf)
{
	uint16_t sport = htons(inet_addr_port(&p->from)), dport = htons(inet_addr_port(&p->to));
	struct tcphdr tcp = {.source = sport, .dest = dport, .doff = sizeof(tcp) / 4};
	struct udphdr udp = {.source = sport, .dest = dport};

	if (p->protocol == IPPROTO_TCP) {
		tcp.seq = htonl(p->seq);
		tcp.ack_seq = htonl(p->ack);
		tcp.window = htons(p->window);
		tcp.ack = 1;
		tcp.fin = p->fin;
		tcp.rst = p->rst;
		memcpy(buf, &tcp, sizeof(tcp));
		return sizeof(tcp);
	}
	udp.len = htons(sizeof(udp) + p->len);
	memcpy(buf, &udp, sizeof(udp));
	if (p->len)
		memcpy(buf + sizeof(udp), p->data, p->len);
	return sizeof(udp) + p->len;
}

static void put_checksum(const struct inet_packet *p, uint8_t *buf, size_t len, uint32_t sum)
{
	size_t at = p->protocol == IPPROTO_TCP ? offsetof(struct tcphdr, check)
					       : offsetof(struct udphdr, check);
	uint16_t check = sum_fold(sum_bytes(sum + p->protocol + len, buf, len));

	if (check == 0 && p->protocol == IPPROTO_UDP)
		check = 0xffff; /* zero would say: no checksum */
	memcpy(buf + at, &check, sizeof(check));
}

ssize_t inet_packet_build(const struct inet_packet *p, uint8_t *buf)
{
	struct iphdr v4 = {.version = 4, .ihl = 5, .ttl = 64, .protocol = p->protocol};
	struct ip6_hdr v6 = {.ip6_nxt = p->protocol, .ip6_hlim = 64};
	size_t head, len;
	uint32_t sum;
	bool is_v4;

	is_v4 = as_v4(&p->from, &v4.saddr) && as_v4(&p->to, &v4.daddr);
	head = is_v4 ? sizeof(v4) : sizeof(v6);
	if (p->len > INET_PACKET_MAX - head - sizeof(struct udphdr))
		return -EMSGSIZE;
	len = put_transport(p, buf + head);
	if (is_v4) {
		v4.tot_len = htons(head + len);
		v4.check = sum_fold(sum_bytes(0, &v4, sizeof(v4)));
		sum = sum_bytes(sum_bytes(0, &v4.saddr, 4), &v4.daddr, 4);
		memcpy(buf, &v4, sizeof(v4));
	} else {
		v6.ip6_flow = htonl(6u << 28);
		v6.ip6_plen = htons(len);
		v6.ip6_src = p->from.v6.sin6_addr;
		v6.ip6_dst = p->to.v6.sin6_addr;
		sum = sum_bytes(sum_bytes(0, &v6.ip6_src, 16), &v6.ip6_dst, 16);
		memcpy(buf, &v6, sizeof(v6));
	}
	put_checksum(p, buf + head, len, sum);
	return head + len;
}

int inet_packet_send(const struct inet_packet *p, struct err *err)
{
	autofree uint8_t *buf = malloc(INET_PACKET_MAX);
	autoclose int fd = -EBADF;
	union inet_addr to = p->to;
	uint32_t mark = INET_MARK, v4;
	ssize_t len;
	bool is_v4;

	if (!buf)
		return err_oom(err);
	len = inet_packet_build(p, buf);
	if (len < 0)
		return err_set(err, len, "cannot build a packet of %zu bytes", p->len);
	is_v4 = as_v4(&p->to, &v4);
	if (is_v4)
		to = (union inet_addr){.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = v4}};
	else
		to.v6.sin6_port = 0; /* a raw socket takes it for a protocol */
	fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0)
		return err_set(err, -errno, "cannot make a raw socket");
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0)
		return err_set(err, -errno, "cannot mark a raw socket");
	if (sendto(fd, buf, len, 0, &to.sa, inet_addr_len(&to)) < 0)
		return err_set(err, -errno, "cannot send a packet to a restored socket");
	return 0;
}
