# SPDX-License-Identifier: Apache-2.0
"""kist is killed, or a step of it fails, at every point that its code names (base/fault.h)."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

import host
from kist import Kist, wait_for
from test_kill9 import containers, processes_of
from test_oci import Oci

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="needs root"), pytest.mark.checkpoint]

SERVER = """
import os, signal, socket, threading, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(33))
def rest():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # it is for the first thread
    time.sleep(1e6)
threading.Thread(target=rest, daemon=True).start()
c, _ = socket.create_server(("0.0.0.0", 4000)).accept()
n = 0
while c.recv(1):
    n += 1
    c.sendall(b"%d\\n" % n)
"""


class Fault:
    """A kist that dies or fails where it is told to, in the state directory of the real one."""

    def __init__(self, build, kist, log):
        self.kist = Kist(build / "tests/helpers/kist-fault", kist.state)
        self.log = log

    def points(self, *args, **kw):
        """The points that a run which succeeds passes, in order, each once."""
        self.log.unlink(missing_ok=True)
        self.kist(*args, env=dict(kw.get("env", {}), KIST_FAULT_LOG=str(self.log)))
        text = self.log.read_bytes()[8:].rstrip(b"\0").decode().split("\n")
        found = list(dict.fromkeys(filter(None, text)))
        assert found
        return found

    def __call__(self, how, *args, env=None):
        """Exit status (negative: a signal) and what was printed."""
        r = self.kist(*args, env=dict(env or {}, KIST_FAULT=how), check=False)
        return r.returncode, r.stdout + r.stderr


@pytest.fixture
def fault(build, kist, tmp_path):
    return Fault(build, kist, tmp_path / "points")


def nothing_left(kist, mark):
    assert kist.names() == []
    wait_for(lambda: not processes_of(mark), "no process is left")
    assert not [d for d in host.cgroups() if mark in d]
    assert os.listdir(os.path.join(kist.state, "containers")) == []


def remove(kist, mark):
    def gone():
        for n in kist.names():
            kist("rm", "-f", n)
        # a forked kist may go on for a moment when the one that was called is dead
        return not processes_of(mark) and not kist.names()

    wait_for(gone, "everything can be removed")
    nothing_left(kist, mark)


KINDS = {"detached": ["-d"], "foreground": [], "userns": ["-d", "--userns", "auto"],
         "bridge": ["-d", "--net", "bridge"]}


@pytest.mark.parametrize("kind", KINDS)
def test_run(kist, fault, name, kind):
    env = {"MARK": name}
    args = ["run", "-n", name, "-e", f"MARK={name}", *KINDS[kind], "--", "sleep",
            "600" if "-d" in KINDS[kind] else "0"]
    points = fault.points(*args, env=env)
    assert {"create/spawn", "child/mount", "start/go"} <= set(points), points
    remove(kist, name)
    for point in points:
        status, said = fault(f"kill {point}", *args, env=env)
        seen = containers(kist).get(name)
        if seen and seen["status"] == "running":
            assert os.path.exists(f"/proc/{seen['pid']}"), point
        remove(kist, name)
        if point.startswith(("finish/", "create/end", "detach/")):
            continue  # nothing there may fail, or not before all is done
        status, said = fault(f"fail {point}", *args, env=env)
        assert status > 0 and f"'{point}'" in said, (point, status, said)
        nothing_left(kist, name)
    kist(*args)  # the name is free
    remove(kist, name)


def test_end_and_removal(kist, fault, name):
    """A removal that was cut short is finished by the next one; so is the record of an end."""
    run = ["run", "-d", "-n", name, "-e", f"MARK={name}", "--net", "bridge", "--", "sleep", "600"]
    kist(*run)
    points = fault.points("rm", "-f", name)
    assert "remove/release" in points and "remove/files" in points
    for point in points:
        for how in "kill", "fail":
            kist(*run)
            status, said = fault(f"{how} {point}", "rm", "-f", name)
            assert status == -signal.SIGKILL or f"'{point}'" in said, (point, said)
            remove(kist, name)
    for point in "finish/release", "finish/record":
        for how in "kill", "fail":
            fault(f"{how} {point}", *run)
            kist("stop", name)
            wait_for(lambda: containers(kist)[name]["status"] == "stopped", "it is stopped")
            remove(kist, name)


class Talk:
    """A container with a server, and a connection to it."""

    def __init__(self, kist, name):
        self.kist, self.name, self.n = kist, name, 0
        kist("run", "-d", "-n", name, "-e", f"MARK={name}", "--net", "bridge", "--",
             sys.executable, "-c", SERVER)
        address = kist.inspect(name)["network"]["address"]

        def connect():
            try:
                return socket.create_connection((address, 4000), timeout=10)
            except OSError:
                return None
        self.sock = wait_for(connect, "the server takes a connection")

    def check(self):
        self.n += 1
        self.sock.sendall(b"x")
        assert self.sock.recv(20) == b"%d\n" % self.n

    def end(self):
        """Signals reach the program as before."""
        self.kist("stop", self.name)
        assert self.kist.inspect(self.name)["exitStatus"] == 33
        self.sock.close()
        self.kist("rm", self.name)


def nft_tables():
    r = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
    return sorted(t for t in r.stdout.split("\n") if "lock" in t or "hold" in t)


def test_checkpoint(kist, fault, name, images):
    """Until all is saved, the container goes on as if nothing had happened; then the image holds."""
    t = Talk(kist, name)
    t.check()
    points = fault.points("checkpoint", name, "-o", images / "all", "--leave-running")
    t.check()
    t.end()
    assert {"dump/seize", "dump/task", "dump/manifest"} <= set(points), points
    for point in filter(lambda p: p.startswith("dump/"), points):
        for how in "kill", "fail":
            if point == "dump/end" and how == "fail":
                continue
            t = Talk(kist, name)
            t.check()
            image = images / f"{how}-{point.replace('/', '-')}"
            status, said = fault(f"{how} {point}", "checkpoint", name, "-o", image,
                                 "--leave-running")
            assert status == (-signal.SIGKILL if how == "kill" else 1), (point, status, said)
            assert how == "kill" or f"'{point}'" in said
            assert kist.inspect(name)["status"] == "running", point
            t.check()
            r = kist("image", "check", image, check=False)
            assert (r.returncode == 0) == (point in ("dump/commit", "dump/end")), (point, r.stderr)
            kist("checkpoint", name, "-o", images / "again")
            kist("restore", images / "again")
            t.check()
            subprocess.run(["rm", "-r", images / "again"], check=True)
            t.end()


def test_checkpoint_that_kills(kist, fault, name, images):
    """Killed between the first and the last process: the image is whole."""
    for point in "dump/kill", "dump/end":
        t = Talk(kist, name)
        t.check()
        image = images / point.replace("/", "-")
        status, said = fault(f"kill {point}", "checkpoint", name, "-o", image)
        assert status == -signal.SIGKILL, said
        kist("stop", name, check=False)
        kist("restore", image)
        t.check()
        t.end()


def test_restore(kist, fault, name, images):
    """Nothing is left of a restore that was killed or failed, and the image can be used again."""
    t = Talk(kist, name)
    t.check()
    kist("checkpoint", name, "-o", images / "i")
    points = fault.points("restore", images / "i")
    t.check()
    t.end()
    assert {"create/spawn", "restore/play", "task/memory", "restore/let-go"} <= set(points), points
    live = points.index("restore/let-go")  # here connections are live, and end with the tasks
    for number, point in enumerate(points):
        if point.startswith(("create/", "child/")) and point not in ("create/payload", "child/last"):
            continue  # as in test_run
        for how in "kill", "fail":
            if how == "fail" and point == "detach/monitor":
                continue
            t = Talk(kist, name)
            t.check()
            image = images / f"{how}-{point.replace('/', '-')}"
            kist("checkpoint", name, "-o", image)
            status, said = fault(f"{how} {point}", "restore", image)
            if how == "fail":
                assert status > 0 and f"'{point}'" in said, (point, status, said)
            if point != "detach/monitor":
                wait_for(lambda: containers(kist).get(name, {}).get("status") != "running",
                         f"its processes end after {how} {point}")
            remove_ended(kist, name)
            kist("restore", image)
            subprocess.run(["rm", "-r", image], check=True)
            if number < live:
                t.check()
                t.end()
            else:
                t.sock.close()
                kist("rm", "-f", name)


def remove_ended(kist, name):
    """What a killed restore left is stopped, or half made; a restore wants neither in its way."""
    wait_for(lambda: not kist.names() or kist("rm", "-f", name, check=False).returncode == 0,
             "it can be removed")


class OciFault(Oci):
    """kist-oci by the program in which it can be told to die."""

    def __init__(self, build, path, name):
        super().__init__(build, path, name)
        self.fault = str(build / "tests/helpers/kist-fault")

    def faulty(self, how, *args):
        with open(self.bundle / "out", "a+", encoding="utf-8") as f:
            r = subprocess.run(["kist-oci", *self.command(*args)[1:]], executable=self.fault, stdout=f,
                               stderr=f, stdin=subprocess.DEVNULL, check=False, timeout=60,
                               env=dict(os.environ, **how))
        return r.returncode

    def points(self, *args):
        log = self.bundle / "points"
        log.unlink(missing_ok=True)
        assert self.faulty({"KIST_FAULT_LOG": str(log)}, *args) == 0
        return list(dict.fromkeys(filter(None, log.read_bytes()[8:].rstrip(b"\0").decode().split("\n"))))


@pytest.fixture
def oci(build, name):
    path = pathlib.Path(tempfile.mkdtemp(prefix="kist-oci-", dir="/var/tmp"))
    o = OciFault(build, path, name)
    yield o
    for line in o("list", "-q").stdout.split():
        o("delete", "--force", line)
    shutil.rmtree(path)


def test_oci(oci):
    """Each of create, start, delete killed at each of its points: state is true, delete --force cleans."""
    oci.write("sleep", "600", env=["PATH=/bin", f"MARK={oci.id}"])
    create = ("create", "--bundle", oci.bundle, oci.id)
    steps = {"create": oci.points(*create), "start": oci.points("start", oci.id),
             "delete": oci.points("delete", "--force", oci.id)}
    assert "create/hand-over" in steps["create"] and "start/go" in steps["start"]
    assert "remove/release" in steps["delete"]
    for verb, points in steps.items():
        for point in points:
            for how in "kill", "fail":
                if verb != "create":
                    oci.make("create", oci.id)
                args = {"create": create, "start": ("start", oci.id),
                        "delete": ("delete", "--force", oci.id)}[verb]
                status = oci.faulty({"KIST_FAULT": f"{how} {point}"}, *args)
                for c in json.loads(oci("list", "-f", "json").stdout):
                    if c["status"] in ("created", "running"):
                        assert os.path.exists(f"/proc/{c['pid']}"), (how, point)
                if how == "fail" and point not in ("create/end", "child/wait"):  # made by then
                    assert status == 1, (how, point, status)
                oci("delete", "--force", oci.id)
                assert oci("list", "-q").stdout == ""
                wait_for(lambda: not processes_of(oci.id), f"no process is left after {how} {point}")
                assert not [d for d in host.cgroups() if oci.id in d]
