# SPDX-License-Identifier: Apache-2.0
"""Real programs in containers, through checkpoints and restores."""
import json
import socket

from kist import wait_for


class Server:
    """A detached container; `cycle` takes it through one checkpoint and restore."""

    def __init__(self, kist, name, images):
        self.kist, self.name, self.images = kist, name, images
        self.rounds = 0
        self.address = None

    def run(self, *args, options=(), net="bridge"):
        self.kist("run", "-d", "-n", self.name, "--net", net, *options, "--", *args)
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


def line(stream):
    """The next line of a binary file, stripped; fails at its end."""
    got = stream.readline()
    assert got, "the connection was closed"
    return got.rstrip(b"\r\n").decode()
