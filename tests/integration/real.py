# SPDX-License-Identifier: Apache-2.0
"""Real programs, in containers and as plain trees, through checkpoints and restores."""
import json
import shutil
import socket

from kist import wait_for
from tree import Tree, alive


def free_port():
    """A port of the host that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A detached container; `cycle` takes it through one checkpoint and restore."""

    def __init__(self, kist, name, images):
        self.kist, self.name, self.images = kist, name, images
        self.rounds = 0
        self.address = None

    def run(self, *args, options=(), net="bridge"):
        self.kist("run", "-d", "-n", self.name, "--net", net, *options, "--", *args)
        self.address = "127.0.0.1" if net == "host" else None
        if net == "bridge":
            self.address = self.inspect()["network"]["address"]

    def inspect(self):
        return json.loads(self.kist("inspect", self.name).stdout)

    def log(self):
        return self.kist("logs", self.name, check=False).stdout

    def exec(self, *args, **kw):
        return self.kist("exec", self.name, *args, **kw).stdout

    def checkpoint(self):
        self.rounds += 1
        self.kist("checkpoint", self.name, "-o", self.images / str(self.rounds))
        assert self.inspect()["status"] == "stopped"
        assert self.inspect()["pid"] == 0

    def restore(self):
        self.kist("restore", "-n", self.name, self.images / str(self.rounds))
        assert self.inspect()["status"] == "running"

    def cycle(self):
        self.checkpoint()
        self.restore()

    def connect(self, port, timeout=30):
        """A TCP connection from the host, as soon as the server takes one."""
        def attempt():
            try:
                return socket.create_connection((self.address, port), timeout=timeout)
            except OSError:
                status = self.inspect()["status"]
                assert status == "running", f"the server is {status}: {self.log()}"
                return None
        return wait_for(attempt, f"port {port} of {self.name}: {self.log()}", timeout=40)


class PlainServer:
    """A tree of the host's own, with the host's files and network."""

    def __init__(self, kist, images):
        self.kist, self.images = kist, images
        self.rounds = 0
        self.tree = None

    def run(self, *args):
        self.tree = Tree(self.kist, (shutil.which(args[0]), *args[1:]))

    def cycle(self):
        self.rounds += 1
        self.tree.checkpoint(self.images / str(self.rounds))
        self.tree.restore(self.images / str(self.rounds))

    def connect(self, port, timeout=30):
        def attempt():
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=timeout)
            except OSError:
                assert alive(self.tree.pid), "the server has ended"
                return None
        return wait_for(attempt, f"port {port}", timeout=40)

    def close(self):
        if self.tree:
            self.tree.kill()


def line(stream):
    """The next line of a binary file, stripped; fails at its end."""
    got = stream.readline()
    assert got, "the connection was closed"
    return got.rstrip(b"\r\n").decode()
