# SPDX-License-Identifier: Apache-2.0
"""What is inside a network namespace: saved from one, made again in another, compared by iproute2
and nft. Both are the test's own."""
import json
import os
import subprocess

import pytest

from netspace import Space

BUILD = os.environ.get("KIST_BUILD", os.path.join(os.path.dirname(__file__), "../../build"))
TOOL = os.path.join(BUILD, "tests/helpers/net-tool")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def spaces():
    made = []

    def make(**kw):
        made.append(Space(**kw))
        return made[-1]

    yield make
    for s in made:
        s.close()


def save(space, tmp_path):
    image = tmp_path / "image"
    image.mkdir()
    return image, subprocess.run(
        [TOOL, "ns-dump", image, space.path], capture_output=True, text=True
    )


def move(space, to, tmp_path):
    image, p = save(space, tmp_path)
    assert p.returncode == 0, p.stderr
    p = subprocess.run(
        ["nsenter", f"--net={to.path}", TOOL, "ns-restore", image], capture_output=True, text=True
    )
    assert p.returncode == 0, p.stderr


IGNORED = {"link_index", "stats64", "operstate", "link", "promiscuity", "expires"}


def strip(value):
    if isinstance(value, dict):
        return {
            k: strip(v)
            for k, v in value.items()
            if k not in IGNORED and "timer" not in k and not k.endswith("_time")
        }
    if isinstance(value, list):
        return [strip(v) for v in value]
    return value


def config(space):
    out = {}
    for what in ("-d link", "addr", "route show table all", "-6 route show table all", "rule",
                 "-6 rule", "neigh show nud permanent"):
        text = space.sh(f"ip -j {what}").strip()
        rows = strip(json.loads(text)) if text else []
        out[what] = sorted(rows, key=lambda r: json.dumps(r, sort_keys=True))
    for link in out["addr"]:
        for a in link["addr_info"]:
            a.pop("tentative", None)
            a.pop("nodad", None)
    out["nft"] = space.sh("nft list ruleset")
    return out


def settle(space):
    """IPv6 looks for duplicates; until then its addresses are not what they will be."""
    space.sh("for i in $(seq 100); do ip -6 addr | grep -q tentative || break; sleep 0.05; done")


def test_links_addresses_routes_rules(spaces, tmp_path):
    a, b = spaces(), spaces()
    a.sh("echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad")
    b.sh("echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad")
    a.sh("ip link add br7 type bridge forward_delay 400 ageing_time 1000")
    a.sh("ip link add v0 address 02:00:00:00:00:01 type veth peer name v1")
    a.sh("ip link set v1 mtu 1400 master br7 alias somewhere")
    a.sh("ip link set v0 up; ip link set v1 up; ip link set br7 up")
    a.sh("ip addr add 10.1.2.3/24 brd + dev v0; ip addr add 10.1.2.4/24 dev v0 label v0:x")
    a.sh("ip addr add 10.9.9.1 peer 10.9.9.2 dev br7; ip addr add fd00::5/64 dev v0 nodad")
    a.sh("ip route add default via 10.1.2.1 dev v0 metric 77")
    a.sh("ip route add 192.0.2.0/24 via 10.1.2.9 src 10.1.2.4 mtu 1200")
    a.sh("ip route add 198.51.100.0/24 nexthop via 10.1.2.7 weight 2 nexthop dev br7 weight 1")
    a.sh("ip route add unreachable 203.0.113.0/24; ip route add 10.5.0.0/16 dev br7 table 99")
    a.sh("ip -6 route add 2001:db8::/32 via fd00::1 dev v0")
    a.sh("ip rule add from 10.1.2.4 lookup 99 priority 500; ip rule add fwmark 7 lookup 99 prio 501")
    a.sh("ip neigh add 10.1.2.1 lladdr 02:00:00:00:00:09 dev v0 nud permanent")
    settle(a)
    before = config(a)
    assert len(before["neigh show nud permanent"]) == 1
    move(a, b, tmp_path)
    settle(b)
    assert config(b) == before


def test_what_create_has_made_is_adapted(spaces, tmp_path):
    """The link to the bridge is there again, with the address of a new container."""
    a, b, host = spaces(), spaces(), spaces()
    for s, name in ((a, "h0"), (b, "h1")):
        host.sh(f"ip link add {name} type veth peer name eth0 netns {s.holder.pid}")
        s.sh("ip link set eth0 address 02:6b:00:00:00:01 up")
        s.sh("ip addr add 10.87.0.5/16 dev eth0; ip route add default via 10.87.0.1")
    a.sh("ip addr add 10.87.0.99/16 dev eth0; ip route add 192.0.2.0/24 via 10.87.0.77")
    b.sh("ip addr add 10.66.0.1/16 dev eth0; ip route add 192.0.2.0/25 via 10.87.0.78")
    settle(a)
    before = config(a)
    move(a, b, tmp_path)
    settle(b)
    assert config(b) == before


def test_a_link_to_the_outside_is_missed(spaces, tmp_path):
    a, b, host = spaces(), spaces(), spaces()
    host.sh(f"ip link add h0 type veth peer name eth0 netns {a.holder.pid}")
    image, p = save(a, tmp_path)
    assert p.returncode == 0, p.stderr
    p = subprocess.run(
        ["nsenter", f"--net={b.path}", TOOL, "ns-restore", image], capture_output=True, text=True
    )
    assert p.returncode == 1 and "'eth0'" in p.stderr


def test_nft_rules(spaces, tmp_path):
    a, b = spaces(), spaces()
    a.sh("nft add table inet t; nft add chain inet t c")
    a.sh('nft "add set inet t s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }"')
    a.sh("nft add rule inet t c ip saddr @s counter accept comment \\\"some words\\\"")
    a.sh('nft "add chain inet t i { type filter hook input priority 5; policy accept; }"')
    a.sh("nft add rule inet t i tcp dport 22-80 jump c; nft add table inet kist-lock-0")
    move(a, b, tmp_path)
    assert b.sh("nft list table inet t") == a.sh("nft list table inet t")
    assert "kist-lock" not in b.sh("nft list ruleset")


def test_sysctls(spaces, tmp_path):
    a, b = spaces(), spaces()
    values = {
        "ipv4/ip_forward": "1",
        "ipv4/conf/lo/forwarding": "0",
        "ipv4/conf/all/rp_filter": "2",
        "ipv4/conf/default/arp_ignore": "1",
        "ipv4/ip_local_port_range": "2000\t3000",
        "ipv4/tcp_keepalive_time": "77",
        "ipv6/conf/all/forwarding": "1",
        "ipv6/conf/lo/hop_limit": "33",
        "core/somaxconn": "99",
        "unix/max_dgram_qlen": "21",
    }
    for name, value in values.items():
        a.sh(f'echo "{value}" > /proc/sys/net/{name}')
    move(a, b, tmp_path)
    for name, value in values.items():
        assert b.sh(f"cat /proc/sys/net/{name}").strip() == value, name


def test_a_new_namespace_has_nothing_to_say(spaces, tmp_path):
    a = spaces(lo=False)
    image, p = save(a, tmp_path)
    assert p.returncode == 0, p.stderr
    kist = os.path.join(BUILD, "kist")
    shown = subprocess.run([kist, "image", "show", image], capture_output=True, text=True).stdout
    assert "net-link" in shown
    for kind in ("net-sysctl", "net-route", "net-rule", "net-nft", "net-addr"):
        assert kind not in shown, kind


def test_foreign_devices_are_refused_by_name(spaces, tmp_path):
    a = spaces()
    a.sh("ip tuntap add dev tun7 mode tun")
    image, p = save(a, tmp_path)
    assert p.returncode == 1 and "'tun7'" in p.stderr
    assert os.listdir(image) == []
