# SPDX-License-Identifier: Apache-2.0
"""The bridge is the host's: containers of several state directories share it and keep it."""
import socket

from kist import wait_for
from real import Server


SERVE = "import socket; s = socket.create_server(('', 7000))\n" \
        "while True:\n c = s.accept()[0]; c.sendall(b'here'); c.close()"


def ask(server):
    with socket.create_connection((server.address, 7000), timeout=5) as c:
        return c.recv(10)


def test_the_last_one_of_a_directory_takes_nothing_with_it(kist, other, name, images):
    mine, theirs = Server(kist, name, images), Server(other, name + "x", images)
    mine.run("/usr/bin/python3", "-c", SERVE)
    theirs.run("/usr/bin/python3", "-c", SERVE)
    assert mine.address != theirs.address
    for s in (mine, theirs):
        s.connect(7000).close()
    other("rm", "-f", theirs.name)
    assert ask(mine) == b"here"
    # and the book knows both when one is parked
    mine.checkpoint()
    again = Server(other, name + "y", images)
    again.run("/usr/bin/python3", "-c", SERVE)
    again.connect(7000).close()
    assert again.address != mine.address
    other("rm", "-f", again.name)
    mine.restore()
    assert wait_for(lambda: ask(mine), "an answer after the restore") == b"here"


def test_published_ports_of_two_directories(kist, other, name, images):
    mine, theirs = Server(kist, name, images), Server(other, name + "x", images)
    mine.run("/usr/bin/python3", "-c", SERVE, options=("-p", "17001:7000"))
    theirs.run("/usr/bin/python3", "-c", SERVE, options=("-p", "17002:7000"))
    for s in (mine, theirs):
        s.connect(7000).close()
    refused = other("run", "-d", "-n", name + "z", "--net", "bridge", "-p", "17001:7000", "--",
                    "sleep", "60", check=False)
    assert refused.returncode != 0 and "17001" in refused.stderr
    other("rm", "-f", theirs.name)
    with socket.create_connection(("127.0.0.1", 17001), timeout=5) as c:
        assert c.recv(10) == b"here"
