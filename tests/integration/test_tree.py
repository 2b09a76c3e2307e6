# SPDX-License-Identifier: Apache-2.0
"""Shapes of trees: sessions, groups, zombies, stopped tasks, daemons, threads."""
import json
import os
import sys

import pytest

from kist import wait_for
from tree import Tree, alive, descendants

SHAPES = r"""
import os, signal, sys, threading, time

def sleeper():
    while True:
        time.sleep(0.2)

def fork(body):
    pid = os.fork()
    if pid == 0:
        body()
        os._exit(0)
    return pid

def leader():
    os.setsid()
    fork(lambda: (os.setpgid(0, 0), sleeper()))          # a group of its own
    fork(sleeper)                                        # the leader's group
    sleeper()

def daemon():                                            # its session's leader is dead
    os.setsid()
    pid = fork(sleeper)
    os._exit(0)

def group_of_dead():
    os.setpgid(0, 0)
    fork(sleeper)
    os._exit(0)

import ctypes
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)                  # daemons stay our children
fork(leader)
os.waitpid(fork(daemon), 0)
os.waitpid(fork(group_of_dead), 0)
fork(lambda: os._exit(42))                               # a zombie
killed = fork(sleeper)
os.kill(killed, signal.SIGKILL)                          # another
stopped = fork(sleeper)
os.kill(stopped, signal.SIGSTOP)
for i in range(3):
    threading.Thread(target=sleeper, daemon=True).start()
time.sleep(0.3)
out = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
n = 0
while True:
    os.pwrite(out, b"%d\n" % n, 0)
    n += 1
    time.sleep(0.02)
"""


def read(path):
    try:
        return int(path.read_text().split()[0])
    except (FileNotFoundError, IndexError):
        return -1


def goes_on(path):
    seen = read(path)
    wait_for(lambda: read(path) > seen, f"{path} is written on")


def shape(pid):
    """pid → parent, group, session, state, threads; a stop is told from a sleep."""
    result = {}
    for p in descendants(pid):
        with open(f"/proc/{p}/stat", encoding="ascii") as f:
            rest = f.read().rpartition(")")[2].split()
        state = rest[0] if rest[0] in "TZ" else "alive"
        status = rest[49] if state == "Z" else None
        result[p] = (rest[1] if p != pid else None, rest[2], rest[3], state, rest[17], status)
    return result


@pytest.fixture
def tree(kist):
    trees = []

    def start(*args):
        trees.append(Tree(kist, args))
        return trees[-1]
    yield start
    for t in trees:
        t.kill()


def test_shapes(tree, images, tmp_path):
    out = tmp_path / "count"
    script = tmp_path / "shapes.py"
    script.write_text(SHAPES)
    t = tree(sys.executable, script, out)
    wait_for(lambda: read(out) > 5, "the tree stands")
    before = shape(t.pid)
    assert len(before) == 9, before
    for i in range(3):
        image = images / str(i)
        t.checkpoint(image)
        assert not any(alive(p) for p in before)
        t.restore(image)
        assert shape(t.pid) == before
        goes_on(out)


def test_leave_running(tree, images, tmp_path):
    out = tmp_path / "count"
    script = tmp_path / "shapes.py"
    script.write_text(SHAPES)
    t = tree(sys.executable, script, out)
    wait_for(lambda: read(out) > 5, "the tree stands")
    before = shape(t.pid)
    for i in range(3):
        t.checkpoint(images / str(i), "--leave-running")
        assert shape(t.pid) == before
        goes_on(out)


def test_image_is_shown(tree, images, kist, tmp_path):
    out = tmp_path / "count"
    script = tmp_path / "shapes.py"
    script.write_text(SHAPES)
    t = tree(sys.executable, script, out)
    wait_for(lambda: read(out) > 5, "the tree stands")
    t.checkpoint(images / "i")
    shown = json.loads(kist("image", "show", images / "i").stdout)
    assert str(t.pid) in json.dumps(shown)
    kist("image", "check", images / "i")
    assert oct(os.stat(images / "i").st_mode & 0o777) == "0o700"
