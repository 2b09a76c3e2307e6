# SPDX-License-Identifier: Apache-2.0
"""python3 multiprocessing: queues, pipes, locks and shared values among processes at work."""
import pathlib

import pytest

from kist import wait_for

pytestmark = pytest.mark.checkpoint

PROGRAM = pathlib.Path(__file__).resolve().parent / "programs" / "crowd.py"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(server, images, method):
    server.run("/usr/bin/python3", PROGRAM, images / "out", method, net="none",
               options=("-v", f"{images}:{images}"))
    out = images / "out"

    def lines():
        return out.read_text().split() if out.exists() else []

    for n in range(1, 4):
        wait_for(lambda k=n: len(lines()) > 4 * k, f"progress before round {n}: {server.log()}",
                 timeout=60)
        server.cycle()
    wait_for(lambda: lines()[-1:] in (["sound"], ["wrong:"]) or
             server.inspect()["status"] == "stopped", "the end", timeout=90)
    assert lines()[-1] == "sound", (lines()[-3:], server.log())
    wait_for(lambda: server.inspect()["status"] == "stopped", "its end")
    assert server.inspect()["exitStatus"] == 0
