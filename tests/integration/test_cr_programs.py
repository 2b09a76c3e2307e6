# SPDX-License-Identifier: Apache-2.0
"""Every program of tests/cr: by itself, as a plain tree and in a container through three rounds."""
import pytest

import program
from kist import wait_for
from tree import alive

ROUNDS = 3
NAMES = program.names()

# What only makes sense in namespaces of its own: the host's IPC objects are not the tree's.
CONTAINER_ONLY = {"sysv-ipc", "sysv-shm"}


@pytest.fixture
def start(build):
    made = []

    def make(name):
        made.append(program.Program(build, name))
        return made[-1]

    yield make
    for p in made:
        p.close()


def judge(p, kind):
    result = p.result()
    if result.startswith("skip"):
        pytest.skip(result[6:])
    assert result == "pass", f"{p.binary.name} {kind}: {result}\n{p.output()}"


@pytest.mark.parametrize("name", NAMES)
def test_alone(start, name):
    """Without a checkpoint in between the program finds no difference."""
    p = start(name)
    p.start()
    p.wait_ready()
    p.go()
    judge(p, "by itself")


@pytest.mark.checkpoint
@pytest.mark.asan
@pytest.mark.parametrize("name", [n for n in NAMES if n not in CONTAINER_ONLY])
def test_plain(kist, images, start, name):
    p = start(name)
    p.start()
    p.wait_ready()
    if not (p.dir / "result").exists():
        p.rounds(ROUNDS, lambda i: p.dump(kist, images / str(i)),
                 lambda i: kist("restore", images / str(i)))
        assert alive(p.pid) or (p.dir / "result").exists(), p.output()
        p.go()
    judge(p, "as a plain tree")


@pytest.mark.checkpoint
@pytest.mark.asan
@pytest.mark.parametrize("program_name", NAMES)
def test_container(kist, images, start, name, program_name):
    p = start(program_name)
    kist("run", "-d", "-n", name, "-v", f"{p.dir}:{p.dir}", "--", *p.command())
    p.wait_ready()
    if not (p.dir / "result").exists():

        def dump(i):
            kist("checkpoint", name, "-o", images / str(i))
            assert kist.inspect(name)["status"] == "stopped"

        p.rounds(ROUNDS, dump, lambda i: kist("restore", "-n", name, images / str(i)))
        p.go()
    judge(p, "in a container")
    wait_for(lambda: kist.inspect(name)["status"] == "stopped", "the container ends")
