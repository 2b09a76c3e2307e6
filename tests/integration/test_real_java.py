# SPDX-License-Identifier: Apache-2.0
"""java: a server with a thread for each client, a pool and a busy collector, under load throughout."""
import pathlib
import threading

import pytest

from kist import wait_for
from real import line

pytestmark = pytest.mark.checkpoint

SOURCE = pathlib.Path(__file__).resolve().parent / "programs" / "Load.java"
CLIENTS = 6


class Client(threading.Thread):
    """Asks without pause and checks every answer."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.sock = server.connect(9000)
        self.sock.settimeout(30)
        self.number, self.asked, self.wrong, self.stop = number, 0, None, False

    def run(self):
        stream = self.sock.makefile("rb")
        last = 0
        try:
            while not self.stop:
                n = self.number + self.asked * CLIENTS
                self.sock.sendall(b"%d\n" % n)
                got, total, served = map(int, line(stream).split())
                byte = n % 256 - (256 if n % 256 > 127 else 0)
                assert (got, total) == (n, 10000 * byte), (n, got, total)
                assert served > last, "the server's counter went back"
                last = served
                self.asked += 1
        except (OSError, AssertionError, ValueError) as e:
            self.wrong = e
        finally:
            self.sock.close()


def test_java(server):
    server.run("java", "-Xmx128m", "-Xshare:auto", SOURCE, options=("-s", "memory.max=1G"))
    clients = [Client(server, i) for i in range(CLIENTS)]
    for c in clients:
        c.start()
    for n in range(3):
        def everyone_served(then):
            return all(c.wrong or c.asked > a + 50 for c, a in zip(clients, then))

        then = [c.asked for c in clients]
        wait_for(lambda t=then: everyone_served(t), f"load before round {n}", timeout=60)
        server.cycle()
        then = [c.asked for c in clients]
        wait_for(lambda t=then: everyone_served(t), f"load after round {n}", timeout=60)
        assert not any(c.wrong for c in clients), [c.wrong for c in clients]
    for c in clients:
        c.stop = True
    for c in clients:
        c.join(timeout=40)
    assert not any(c.wrong for c in clients), [c.wrong for c in clients]
    last = Client(server, 0)
    last.sock.sendall(b"1\n")
    total = sum(c.asked for c in clients)
    assert line(last.sock.makefile("rb")).split() == ["1", "10000", str(total + 1)]
    last.sock.close()
    assert "Exception" not in server.log()
