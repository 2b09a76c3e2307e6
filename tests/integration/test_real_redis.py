# SPDX-License-Identifier: Apache-2.0
"""Redis: pipelined writes, a blocked client, a subscriber, an append-only file. In a container of the
host's root and a bridge, and in the other ways that a server may run."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from real import PlainServer, free_port, line

pytestmark = pytest.mark.checkpoint


class Client:
    def __init__(self, server, port=6379):
        self.sock = server.connect(port)
        self.file = self.sock.makefile("rb")

    def send(self, text):
        self.sock.sendall(text.encode() + b"\r\n")

    def answer(self):
        head = line(self.file)
        if head[0] == "*":
            return [self.answer() for _ in range(int(head[1:]))]
        if head[0] == "$":
            size = int(head[1:])
            return None if size < 0 else self.file.read(size + 2)[:-2].decode()
        return int(head[1:]) if head[0] == ":" else head[1:]

    def __call__(self, text):
        self.send(text)
        return self.answer()


class Use:
    """Clients that stay connected while their server goes through rounds."""

    def __init__(self, server, port=6379):
        self.server, self.port = server, port
        self.db, self.blocked, self.subscriber = (Client(server, port) for _ in range(3))
        for i in range(20000):
            self.db.send(f"SET key:{i} value-{i}")
        assert [self.db.answer() for _ in range(20000)] == ["OK"] * 20000
        assert self.subscriber("SUBSCRIBE news") == ["subscribe", "news", 1]
        self.db("SET fading x PX 600000")

    def round(self, n):
        db = self.db
        self.blocked.send(f"BLPOP list{n} 0")
        db.send("INCR counter")  # on its way while the server goes
        self.server.cycle()
        assert db.answer() == n
        assert db("DBSIZE") == 20000 + 2
        assert db("GET key:19999") == "value-19999"
        assert 0 < db("PTTL fading") <= 600000
        assert db(f"PUBLISH news round-{n}") == 1
        assert self.subscriber.answer() == ["message", "news", f"round-{n}"]
        assert db(f"RPUSH list{n} item") == 1
        assert self.blocked.answer() == [f"list{n}", "item"]
        assert Client(self.server, self.port)("PING") == "PONG"  # new connections are taken

    def end(self):
        """A background save forks the restored process; then it ends as told."""
        assert "Background" in self.db("BGREWRITEAOF")
        self.db.send("SHUTDOWN NOSAVE")


def command(directory, port=6379):
    return ("redis-server", "--save", "", "--appendonly", "yes", "--protected-mode", "no",
            "--dir", directory, "--port", port)


def three_rounds(server, port=6379):
    use = Use(server, port)
    for n in range(1, 4):
        use.round(n)
    use.end()
    server.kist("stop", server.name)
    assert server.inspect()["exitStatus"] == 0


def test_redis(server):
    server.run(*command("/var/tmp"), options=("-s", "memory.max=256M", "-s", "pids.max=100"))
    use = Use(server)
    for n in range(1, 4):
        use.round(n)
        assert server.kist("get", server.name, "memory.max").stdout.strip() == str(256 << 20)
        assert server.kist("get", server.name, "pids.max").stdout.strip() == "100"
    use.end()
    server.kist("stop", server.name)
    assert server.inspect()["exitStatus"] == 0


def test_on_the_hosts_network(server):
    port = free_port()
    server.run(*command("/var/tmp", port), net="host")
    three_rounds(server, port)


def test_in_a_user_namespace(server):
    server.run(*command("/var/tmp"), options=("--userns", "auto"))
    three_rounds(server)


@pytest.fixture
def root():
    """A small root: redis-server and the libraries that it names."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="kist-redis-", dir="/var/tmp"))
    path.chmod(0o755)
    program = os.path.realpath(shutil.which("redis-server"))
    libs = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for file in re.findall(r"/\S+", libs):
        to = path / file[1:]
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, to)
    (path / "bin").mkdir()
    shutil.copy(program, path / "bin" / "redis-server")
    (path / "data").mkdir()
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize("userns", [(), ("--userns", "auto")], ids=["", "userns"])
def test_from_a_root_directory(server, root, userns):
    server.run(*command("/data"), options=("--rootfs", root, *userns))
    three_rounds(server)
    assert not list((root / "data").iterdir())  # what was written is in the overlay


def test_as_a_plain_tree(kist, images):
    server = PlainServer(kist, images)
    port = free_port()
    try:
        server.run(*command(images, port))
        use = Use(server, port)
        for n in range(1, 4):
            use.round(n)
        use.end()
        server.tree.gone()
    finally:
        server.close()
