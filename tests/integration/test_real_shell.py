# SPDX-License-Identifier: Apache-2.0
"""Shells: a tree of 300 of them, and an interactive one on a terminal with a background job."""
import os
import pathlib
import pty
import re
import select
import subprocess
import time

import pytest

from kist import wait_for

pytestmark = pytest.mark.checkpoint

FAMILY = pathlib.Path(__file__).resolve().parent / "programs" / "family.sh"
LEVELS, WIDTH = 2, 17
NODES, LEAVES = 1 + WIDTH + WIDTH ** 2, WIDTH ** 2  # 307


def test_300_processes(server, images):
    server.run("bash", FAMILY, LEVELS, WIDTH, images, net="none",
               options=("-v", f"{images}:{images}"))
    leaves = images / "leaves"
    wait_for(lambda: leaves.exists() and leaves.read_text().count("\n") == LEAVES, "the leaves",
             timeout=60)
    for n in range(3):
        server.cycle()
        stat = server.kist("stat", server.name).stdout
        count = len(server.exec("sh", "-c", "echo /proc/[0-9]*").split())
        assert count >= NODES, f"round {n}: {count} processes\n{stat}"
    for i in range(4):
        gate = os.open(images / f"gate.{i}", os.O_WRONLY)
        os.write(gate, b"go\n" * LEAVES)
        os.close(gate)
    wait_for(lambda: (images / "result").exists(), f"the sum: {server.log()}", timeout=60)
    assert (images / "result").read_text().strip() == str(NODES)
    wait_for(lambda: server.inspect()["status"] == "stopped", "the end")
    assert server.inspect()["exitStatus"] == 0


class Terminal:
    """`kist attach` on a terminal of its own, as a person would use it."""

    def __init__(self, kist, name):
        master, slave = pty.openpty()
        self.fd, self.text = master, ""
        self.proc = subprocess.Popen([kist.binary, "attach", name], env=kist.env, stdin=slave,
                                     stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, timeout=15):
        """Waits for the pattern in what is new on the screen; its match."""
        deadline = time.monotonic() + timeout
        while not (found := re.search(pattern, self.text)):
            left = deadline - time.monotonic()
            assert left > 0, f"no {pattern!r} on the screen: {self.text!r}"
            if select.select([self.fd], [], [], left)[0]:
                self.text += os.read(self.fd, 4096).decode(errors="replace")
        self.text = self.text[found.end():]
        return found

    def close(self):
        """Leaves the container by ctrl-p ctrl-q, or what is left of it."""
        if self.proc.poll() is None:
            os.write(self.fd, b"\x10\x11")
        try:
            self.proc.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
        os.close(self.fd)


def test_bash_on_a_terminal(kist, server):
    server.run("bash", "--norc", "-i", net="none", options=("-t", "-i", "-e", "PS1=ready> "))
    screen = Terminal(kist, server.name)
    try:
        screen.type("variable=kept; sleep 1000 & echo job=$!\n")
        job = screen.expect(r"job=(\d+)\r").group(1)
        for n in range(1, 4):
            screen.close()
            server.cycle()
            screen = Terminal(kist, server.name)
            screen.type(f"echo $variable-$((40 + {n}))\n")
            screen.expect(rf"kept-{40 + n}\r")
            screen.type("jobs -l\n")
            screen.expect(rf"{job} Running +sleep 1000")
            screen.type("stty -a | grep -c icanon; tty\n")
            screen.expect(r"/dev/(pts/\d+|console)\r")
            screen.type("sleep 500\n")  # in the foreground, until Ctrl-C
            time.sleep(0.2)
            screen.type("\x03")
            screen.type(f"echo after-$((50 + {n}))\n")
            screen.expect(rf"after-{50 + n}\r")
        screen.type("kill %1; wait; echo gone=$?\n")
        screen.expect(r"gone=\d+\r")
        screen.type("exit 7\n")
        wait_for(lambda: server.inspect()["status"] == "stopped", "the shell ends")
        assert server.inspect()["exitStatus"] == 7
    finally:
        screen.close()
