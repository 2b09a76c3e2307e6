# SPDX-License-Identifier: Apache-2.0
"""The bridge network, in a network namespace of the test's own: the machine's is never touched.

The test process stands in for the host. A "container" is a process in a network namespace of its
own, and an "outside" machine a third namespace behind a veth.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from kist import wait_for
from netspace import Space, enter_new_network, sh

BUILD = os.environ.get("KIST_BUILD", os.path.join(os.path.dirname(__file__), "../../build"))
TOOL = os.path.join(BUILD, "tests/helpers/net-tool")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Host:
    def __init__(self, run):
        self.run = str(run)
        self.spaces = []

    def space(self):
        s = Space()
        self.spaces.append(s)
        return s

    def tool(self, *args):
        return subprocess.run([TOOL, args[0], self.run, *args[1:]], capture_output=True, text=True)

    def attach(self, name, space, *args):
        p = self.tool("attach", name, space.path, *args)
        assert p.returncode == 0, p.stderr
        link, address, gateway, mac = p.stdout.split()
        return address.split("/")[0]

    def detach(self, name):
        p = self.tool("detach", name)
        assert p.returncode == 0, p.stderr

    def is_clean(self):
        links = [l["ifname"] for l in json.loads(sh("ip -j link"))]
        return (
            not [l for l in links if l.startswith("kist")]
            and "kist" not in sh("nft list ruleset")
            and not os.path.exists(os.path.join(self.run, "net-leases.json"))
        )


@pytest.fixture(scope="module", autouse=True)
def own_network():
    """The whole module runs in a new network namespace, and goes back at its end."""
    back = enter_new_network()
    yield
    back()


@pytest.fixture
def host(tmp_path):
    h = Host(tmp_path)
    yield h
    for s in h.spaces:
        s.close()
    for name in ("a", "b", "c"):
        h.tool("detach", name)
    assert h.is_clean()


def exchange(server, address, via=None, bind=None):
    """Connects, sends, and gives the peer's address as the server saw it."""

    def client():
        src = (bind, 0) if bind else None
        with socket.create_connection(address, timeout=10, source_address=src) as c:
            c.sendall(b"ping")
            conn, peer = server.accept()
            with conn:
                conn.settimeout(10)
                assert conn.recv(4) == b"ping"
                conn.sendall(b"pong")
                assert c.recv(4) == b"pong"
            return peer[0]

    return via.call(client) if via else client()


def test_two_containers_and_the_host(host):
    a, b = host.space(), host.space()
    addr_a, addr_b = host.attach("a", a), host.attach("b", b)
    assert addr_a != addr_b
    with b.listen(7000) as s:
        assert exchange(s, (addr_b, 7000), via=a) == addr_a
        exchange(s, (addr_b, 7000))
    gateway = json.loads(a.sh("ip -j route show default"))[0]["gateway"]
    with socket.create_server(("0.0.0.0", 7001)) as s:
        assert exchange(s, (gateway, 7001), via=a) == addr_a


def test_everything_goes_with_the_last(host):
    a, b = host.space(), host.space()
    host.attach("a", a)
    host.attach("b", b, "tcp::8080:80")
    host.detach("a")
    assert "8080" in sh("nft list table ip kist")
    assert not host.is_clean()
    host.detach("b")
    assert host.is_clean()
    host.detach("b")


def test_port_on_the_hosts_own_loopback(host):
    a = host.space()
    host.attach("a", a, "tcp::8080:80", "udp::8081:81")
    with a.listen(80) as s:
        exchange(s, ("127.0.0.1", 8080))
        exchange(s, ("127.0.0.1", 8080))
    with a.listen(81, socket.SOCK_DGRAM) as s, socket.socket(type=socket.SOCK_DGRAM) as c:
        c.settimeout(10)
        c.connect(("127.0.0.1", 8081))
        c.send(b"ping")
        data, peer = s.recvfrom(100)
        s.sendto(data + b"!", peer)
        assert c.recv(100) == b"ping!"


def test_port_by_http(host):
    a = host.space()
    host.attach("a", a, "tcp::8080:80")
    server = subprocess.Popen(
        ["nsenter", f"--net={a.path}", sys.executable, "-m", "http.server", "80", "-d", host.run],
        stderr=subprocess.DEVNULL,
    )
    try:
        out = sh("curl -sS --retry 20 --retry-connrefused --retry-delay 0 http://127.0.0.1:8080/")
        assert "net-leases.json" in out
    finally:
        server.kill()
        server.wait()


def outside_machine(host):
    """A namespace behind a veth, 192.0.2.2; the host is 192.0.2.1 there and its router."""
    out = host.space()
    sh(f"ip link add out0 type veth peer name eth9 netns {out.holder.pid}")
    sh("ip addr add 192.0.2.1/24 dev out0; ip link set out0 up")
    out.sh("ip addr add 192.0.2.2/24 dev eth9")
    out.sh("ip link set eth9 up")
    return out


def test_outside(host):
    out, a = outside_machine(host), host.space()
    try:
        addr = host.attach("a", a, "tcp:192.0.2.1:8080:80")
        with a.listen(80) as s:
            assert exchange(s, ("192.0.2.1", 8080), via=out) == "192.0.2.2"
            # The container itself reaches its published port by the host's address.
            exchange(s, ("192.0.2.1", 8080), via=a)
            # Published on one address only.
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", 8080), timeout=5)
        with out.listen(9000) as s:
            assert exchange(s, ("192.0.2.2", 9000), via=a) == "192.0.2.1"
            assert addr != "192.0.2.1"
    finally:
        sh("ip link del out0")


def test_hosts_loopback_is_closed_to_containers(host):
    a = host.space()
    host.attach("a", a)
    gateway = json.loads(a.sh("ip -j route show default"))[0]["gateway"]
    a.sh("ip addr del 127.0.0.1/8 dev lo")
    a.sh("echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet")
    a.sh(f"ip route add 127.0.0.1/32 via {gateway}")
    with socket.create_server(("127.0.0.1", 7002)) as s:
        with pytest.raises(OSError):
            a.call(lambda: socket.create_connection(("127.0.0.1", 7002), timeout=1))
        s.settimeout(0.1)
        with pytest.raises(socket.timeout):
            s.accept()


def test_ports_in_use_are_refused_by_name(host):
    a, b = host.space(), host.space()
    host.attach("a", a, "tcp::8080:80")
    p = host.tool("attach", "b", b.path, "tcp::8080:81")
    assert p.returncode == 1 and "'a'" in p.stderr
    with socket.create_server(("127.0.0.1", 8090)):
        p = host.tool("attach", "b", b.path, "tcp::8090:81")
        assert p.returncode == 1 and "8090" in p.stderr
    assert json.loads(b.sh("ip -j link"))[-1]["ifname"] == "lo"
    host.detach("a")
    assert host.is_clean()


def test_a_dead_containers_lease_is_taken_back(host):
    a, b = host.space(), host.space()
    addr = host.attach("a", a, "tcp::8080:80")
    a.close()
    deadline = time.time() + 10
    while "kist-" in sh("ip -br link"):  # the kernel clears namespaces in its own time
        assert time.time() < deadline
        time.sleep(0.02)
    assert host.attach("b", b, "-w", addr, "tcp::8080:80") == addr
    host.detach("b")
    assert host.is_clean()


def test_parked_address_waits_for_its_container(host):
    a, b, c = host.space(), host.space(), host.space()
    addr = host.attach("a", a, "tcp::8080:80")
    with a.listen(80) as s:
        client = socket.create_connection(("127.0.0.1", 8080), timeout=10)
        s.accept()[0].close()
    assert host.tool("park", "a").returncode == 0
    assert "kist0" in sh("ip -br link")
    p = host.tool("attach", "b", b.path, "tcp::8080:80")
    assert p.returncode == 1 and "'a'" in p.stderr
    assert host.attach("c", c, "-w", addr, "tcp::8080:80") == addr
    client.close()
    assert "'a'" not in sh("nft list table ip kist")


def test_the_network_is_chosen_around_the_hosts(host):
    sh("ip link add dum0 type bridge; ip addr add 10.87.1.1/24 dev dum0; ip link set dum0 up")
    try:
        assert host.attach("a", host.space()).startswith("172.27.")
        p = host.tool("attach", "b", host.space().path, "-w", "10.87.0.9")
        assert p.returncode == 1 and "10.87.0.9" in p.stderr
    finally:
        sh("ip link del dum0")


def bridge_is_gone():
    return "kist" not in sh("ip -br link") and "kist" not in sh("nft list ruleset")


def test_kist_run(kist, build, name):
    server = str(build / "tests/helpers/tcp-server")
    other = name + "b"
    kist("run", "-d", "-n", name, "--net", "bridge", "-p", "8080:7000", "--", server, "7000")
    kist("run", "-d", "-n", other, "--net", "bridge", "--", server, "7000")
    address = kist.inspect(name)["network"]["address"]
    for target in (("127.0.0.1", 8080), (address, 7000)):
        c = wait_for(lambda t=target: connect_or_none(t), f"a connection to {target}")
        c.sendall(b"hello\n")
        assert c.recv(100).endswith(b" hello\n")
        c.close()
    out = kist("exec", other, "--", "/usr/bin/python3", "-c",
               "import socket; c = socket.create_connection(('%s', 7000)); "
               "c.sendall(b'from b\\n'); print(c.recv(100))" % address).stdout
    assert "from b" in out
    kist("rm", "-f", name)
    assert "8080" not in sh("nft list ruleset")
    assert not bridge_is_gone()
    kist("rm", "-f", other)
    assert bridge_is_gone()


def connect_or_none(target):
    try:
        return socket.create_connection(target, timeout=10)
    except ConnectionRefusedError:
        return None


def test_kist_run_in_the_foreground_leaves_nothing(kist, name):
    out = kist("run", "--rm", "-n", name, "--net", "bridge", "--", "ip", "-br", "addr").stdout
    assert "eth0" in out and "10.87." in out
    assert bridge_is_gone()


def test_a_killed_container_is_cleared_away(kist, build, name):
    server = str(build / "tests/helpers/tcp-server")
    kist("run", "-d", "-n", name, "--net", "bridge", "-p", "8080:7000", "--", server, "7000")
    os.kill(kist.inspect(name)["pid"], signal.SIGKILL)
    wait_for(lambda: kist.inspect(name)["status"] == "stopped", "the end of the container")
    kist("rm", name)
    assert bridge_is_gone()


def ask(c, text):
    c.sendall(text + b"\n")
    return answer(c)


def answer(c):
    line = b""
    while not line.endswith(b"\n"):
        data = c.recv(100)
        assert data, "connection closed"
        line += data
    return line[:-1]


@pytest.fixture(params=[[], ["--userns", "auto"]], ids=["root", "userns"])
def served(request, kist, build, name):
    """A container with a published port, and clients by that port and by its own address."""
    server = str(build / "tests/helpers/tcp-server")
    kist("run", "-d", "-n", name, *request.param, "--net", "bridge", "-p", "8080:7000", "--",
         server, "7000")
    address = kist.inspect(name)["network"]["address"]
    clients = [
        wait_for(lambda t=target: connect_or_none(t), f"a connection to {target}")
        for target in (("127.0.0.1", 8080), (address, 7000))
    ]
    yield clients
    for c in clients:
        c.close()


def test_connections_survive_their_container(kist, name, served, images):
    n = 0
    for turn in range(2):
        image = images / str(turn)
        for c in served:
            n += 1
            assert ask(c, b"a") == b"%d a" % n
        kist("checkpoint", name, "-o", image)
        for c in served:
            c.sendall(b"between\n")
        time.sleep(0.5)  # the clients repeat themselves, and nobody may answer
        kist("restore", image)
        got = sorted(answer(c) for c in served)
        assert got == sorted(b"%d between" % i for i in (n + 1, n + 2))
        n += 2
    with socket.create_connection(("127.0.0.1", 8080), timeout=10) as late:
        assert ask(late, b"new") == b"%d new" % (n + 1)
    kist("rm", "-f", name)
    assert bridge_is_gone()


def test_a_failed_restore_keeps_the_address(kist, name, served, images):
    for c in served:
        ask(c, b"a")
    kist("checkpoint", name, "-o", images / "i")
    with socket.create_server(("", 8080)):
        p = kist("restore", images / "i", check=False)
        assert p.returncode != 0 and "8080" in p.stderr
    assert not bridge_is_gone()
    served[0].sendall(b"between\n")
    kist("restore", images / "i")
    assert answer(served[0]) == b"3 between"
    assert ask(served[1], b"b") == b"4 b"
    kist("rm", "-f", name)
    assert bridge_is_gone()


def test_a_checkpointed_container_gives_its_address_back(kist, name, served, images):
    kist("checkpoint", name, "-o", images / "i")
    assert not bridge_is_gone()
    kist("rm", name)
    assert bridge_is_gone()


def test_the_containers_network_is_as_it_was(kist, name, served, images):
    def inside(cmd):
        return sh(f"nsenter --net=/proc/{kist.inspect(name)['pid']}/ns/net {cmd}")

    inside("ip addr add 198.51.100.7/24 dev eth0")
    inside("ip route add 203.0.113.0/24 via 10.87.0.1")
    inside("ip link add pair0 type veth peer name pair1")
    inside("sysctl -q -w net.ipv4.tcp_keepalive_time=77")
    inside("nft add table inet own")
    def config():
        return [inside(cmd) for cmd in ("ip -br link | cut -d@ -f1", "ip route",
                                        "ip -4 -br addr | sed s/@if[0-9]*//",
                                        "nft list ruleset")]

    before = config()
    kist("checkpoint", name, "-o", images / "i")
    shown = kist("image", "show", images / "i").stdout
    assert shown.count('"203.0.113') + shown.count("net-nft") >= 1
    kist("restore", images / "i")
    for c in served:
        assert ask(c, b"x").endswith(b" x")
    assert config() == before
    assert inside("sysctl -n net.ipv4.tcp_keepalive_time").strip() == "77"
