# SPDX-License-Identifier: Apache-2.0
"""A server is checkpointed while clients outside of its tree are connected to it; the clients must
not notice. On loopback, in a network namespace of the test's own."""
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from netspace import enter_new_network, sh
from tree import become_reaper

BUILD = os.environ.get("KIST_BUILD", os.path.join(os.path.dirname(__file__), "../../build"))
TOOL = os.path.join(BUILD, "tests/helpers/cr-tool")
SERVER = os.path.join(BUILD, "tests/helpers/tcp-server")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture(scope="module", autouse=True)
def own_network():
    back = enter_new_network()
    yield
    back()


class Server:
    def __init__(self, tmp_path, port, *args):
        become_reaper()  # a restored process is nobody's child: it becomes ours
        self.tmp_path = tmp_path
        self.port = port
        self.images = 0
        p = subprocess.Popen(
            [SERVER, str(port), *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.pid = p.pid
        deadline = time.time() + 10
        while f":{port} " not in sh("ss -Hltn"):
            assert time.time() < deadline and p.poll() is None
            time.sleep(0.01)
        p.returncode = 0  # reaped by ourselves

    def connect(self, host="127.0.0.1"):
        return socket.create_connection((host, self.port), timeout=20)

    def dump(self, *args):
        self.images += 1
        self.image = self.tmp_path / f"image{self.images}"
        self.image.mkdir()
        return subprocess.run(
            [TOOL, "dump", str(self.pid), self.image, *args], capture_output=True, text=True
        )

    def restore(self):
        return subprocess.run(
            [TOOL, "restore", self.image], stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

    def away(self):
        p = self.dump()
        assert p.returncode == 0, p.stderr
        os.waitpid(self.pid, 0)

    def back(self):
        p = self.restore()
        assert p.returncode == 0, p.stderr
        assert int(p.stdout) == self.pid

    def end(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


@pytest.fixture
def server(tmp_path):
    made = []

    def make(port, *args):
        made.append(Server(tmp_path, port, *args))
        return made[-1]

    yield make
    for s in made:
        s.end()
    sh("nft flush ruleset")


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


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_clients_do_not_notice(server, host):
    s = server(7000)
    clients = [s.connect(host) for _ in range(5)]
    n = 0
    for turn in range(3):
        for c in clients:
            n += 1
            assert ask(c, b"hello") == b"%d hello" % n
        clients[0].sendall(b"before\n")
        n += 1
        s.away()
        clients[1].sendall(b"between\n")
        assert "kist-lock" in sh("nft list ruleset")
        s.back()
        assert "kist-lock" not in sh("nft list ruleset")
        answer(clients[0])
        n += 1
        assert answer(clients[1]) == b"%d between" % n
    late = s.connect(host)
    assert ask(late, b"new") == b"%d new" % (n + 1)
    for c in clients + [late]:
        c.close()


def test_a_download_in_flight(server):
    size = 32 << 20
    s = server(7001)
    c = s.connect()
    c.sendall(b"send %d\n" % size)
    got = bytearray()
    problems = []

    def read():
        try:
            while len(got) < size:
                data = c.recv(65536)
                if not data:
                    break
                got.extend(data)
                time.sleep(0.0005)
        except OSError as e:
            problems.append(e)

    t = threading.Thread(target=read)
    t.start()
    for _ in range(3):
        time.sleep(0.05)
        s.away()
        s.back()
    t.join()
    assert not problems and len(got) == size
    step = 4099
    for at in range(0, size, step):
        assert got[at] == ((at * 2654435761) >> 24) & 255, at
    assert ask(c, b"x") == b"2 x"
    c.close()


def test_left_running(server):
    s = server(7002)
    c = s.connect()
    assert ask(c, b"a") == b"1 a"
    p = s.dump("leave")
    assert p.returncode == 0, p.stderr
    assert "kist-lock" not in sh("nft list ruleset")
    assert ask(c, b"b") == b"2 b"
    c.close()


def test_waiting_connections_are_refused_and_live_on(server):
    s = server(7003, "lazy")
    c = s.connect()
    assert ask(c, b"a") == b"1 a"
    waiting = s.connect()
    p = s.dump()
    assert p.returncode == 1
    assert "1 connections wait to be accepted" in p.stderr and "'tcp-server'" in p.stderr
    assert os.listdir(s.image) == []
    assert "kist-lock" not in sh("nft list ruleset")
    assert ask(c, b"b") == b"2 b"
    waiting.close()
    c.close()


def test_a_busy_server(server):
    """Connections come and go all the time: the dump finds a moment without one that waits."""
    s = server(7006)
    stop = threading.Event()
    counts = [0, 0, 0]
    problems = []

    def visit(k):
        while not stop.is_set():
            try:
                with s.connect() as c:
                    assert ask(c, b"x").endswith(b" x")
                    counts[k] += 1
            except (OSError, AssertionError) as e:
                problems.append(repr(e))

    threads = [threading.Thread(target=visit, args=(k,)) for k in range(len(counts))]
    for t in threads:
        t.start()
    p = s.dump("leave")
    before = sum(counts)
    deadline = time.time() + 10
    while sum(counts) < before + 100 and time.time() < deadline:
        time.sleep(0.01)
    stop.set()
    for t in threads:
        t.join()
    assert p.returncode == 0, p.stderr
    assert not problems and sum(counts) >= before + 100


def test_a_failed_restore_can_be_repeated(server):
    s = server(7004)
    c = s.connect()
    assert ask(c, b"a") == b"1 a"
    s.away()
    with socket.create_server(("", 7004)):
        p = s.restore()
        assert p.returncode == 1 and "7004" in p.stderr, p.stderr
        # What the dump has locked stays so: the image is still unrestored.
        assert "kist-lock" in sh("nft list ruleset")
    s.back()
    assert ask(c, b"b") == b"2 b"
    c.close()


def test_a_failed_restore_elsewhere_leaves_nothing(server):
    s = server(7005)
    c = s.connect()
    assert ask(c, b"a") == b"1 a"
    s.away()
    sh("nft flush ruleset")  # as on a machine that did not make the dump
    with socket.create_server(("", 7005)):
        p = s.restore()
        assert p.returncode == 1, p.stderr
        assert "kist-lock" not in sh("nft list ruleset")
    c.close()
