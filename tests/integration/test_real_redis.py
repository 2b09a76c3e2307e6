# SPDX-License-Identifier: Apache-2.0
"""Redis: pipelined writes, a blocked client, a subscriber, an append-only file."""
import pytest

from real import line

pytestmark = pytest.mark.checkpoint


class Client:
    def __init__(self, server):
        self.sock = server.connect(6379)
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


def test_redis(server):
    server.run("redis-server", "--save", "", "--appendonly", "yes", "--protected-mode", "no",
               "--dir", "/var/tmp", options=("-s", "memory.max=256M", "-s", "pids.max=100"))
    db, blocked, subscriber = Client(server), Client(server), Client(server)
    for i in range(20000):
        db.send(f"SET key:{i} value-{i}")
    assert [db.answer() for _ in range(20000)] == ["OK"] * 20000
    assert subscriber("SUBSCRIBE news") == ["subscribe", "news", 1]
    db("SET fading x PX 600000")
    for n in range(1, 4):
        blocked.send(f"BLPOP list{n} 0")
        db.send("INCR counter")  # on its way while the container goes
        server.cycle()
        assert db.answer() == n
        assert db("DBSIZE") == 20000 + 2
        assert db("GET key:19999") == "value-19999"
        assert 0 < db("PTTL fading") <= 600000
        assert db(f"PUBLISH news round-{n}") == 1
        assert subscriber.answer() == ["message", "news", f"round-{n}"]
        assert db(f"RPUSH list{n} item") == 1
        assert blocked.answer() == [f"list{n}", "item"]
        assert Client(server)("PING") == "PONG"  # new connections are taken
        assert server.kist("get", server.name, "memory.max").stdout.strip() == str(256 << 20)
        assert server.kist("get", server.name, "pids.max").stdout.strip() == "100"
    # a background save forks the restored process
    assert "Background" in db("BGREWRITEAOF")
    db.send("SHUTDOWN NOSAVE")
    server.kist("stop", server.name)
    assert server.inspect()["exitStatus"] == 0
