# SPDX-License-Identifier: Apache-2.0
"""What is inside namespaces, saved from one set of them and restored into another."""
import os
import subprocess
import time

import pytest

BUILD = os.environ.get("KIST_BUILD", os.path.join(os.path.dirname(__file__), "../../build"))
TOOL = os.path.abspath(os.path.join(BUILD, "tests/helpers/nsdump-tool"))
IPC = os.path.abspath(os.path.join(BUILD, "tests/helpers/ipc-tool"))

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Object:
    """A process in namespaces of its own, that said "ready"."""

    def __init__(self, command, script, env=None):
        # a group of its own: its children end with it
        self.proc = subprocess.Popen([*command, "sh", "-c", script], text=True,
                                     stdout=subprocess.PIPE, start_new_session=True,
                                     env={**os.environ, **(env or {})})
        line = self.proc.stdout.readline()
        assert line == "ready\n", line
        self.pid = self.proc.pid
        kids = open(f"/proc/{self.pid}/task/{self.pid}/children").read().split()
        if "--fork" in command:
            self.pid = int(kids[0])

    def sh(self, cmd):
        return subprocess.run(["nsenter", "-t", str(self.pid), "--uts", "--ipc", "--mount", "sh",
                               "-c", cmd], check=True, capture_output=True, text=True).stdout

    def close(self):
        os.killpg(self.proc.pid, 9)
        self.proc.wait()
        self.proc.stdout.close()


@pytest.fixture
def start():
    made = []

    def make(flags, script):
        made.append(Object(["unshare", *flags], script))
        return made[-1]

    yield make
    for o in made:
        o.close()


def save(obj, path, *args):
    path.mkdir()
    return subprocess.run([TOOL, "save", str(obj.pid), str(path), *args],
                          capture_output=True, text=True)


def restore(path, cmd, upper="-"):
    r = subprocess.run([TOOL, "restore", str(path), str(upper), "sh", "-c", cmd],
                       capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    return r.stdout


def saved(obj, path, *args):
    r = save(obj, path, *args)
    assert r.returncode == 0, r.stderr
    return path


def test_names(start, tmp_path):
    o = start(["--uts"], "hostname kist-test-host; echo example.org > /proc/sys/kernel/domainname;"
              "echo ready; exec sleep 600")
    before = os.uname().nodename
    image = saved(o, tmp_path / "i")
    assert os.uname().nodename == before
    out = restore(image, "uname -n; cat /proc/sys/kernel/domainname")
    assert out == "kist-test-host\nexample.org\n"


def monotonic(text):
    return float(text.split()[0])


@pytest.mark.parametrize("offset", [0, 5000000, -20])
def test_clock_goes_on(start, tmp_path, offset):
    flags = ["--time", f"--monotonic={offset}", f"--boottime={offset}", "--fork"] if offset else []
    o = start(flags, "echo ready; exec sleep 600")
    image = saved(o, tmp_path / "i")
    then = time.monotonic() + offset
    time.sleep(1.5)
    out = restore(image, "python3 -c 'import time; print(time.monotonic());"
                  "print(time.clock_gettime(time.CLOCK_BOOTTIME))'").split()
    # it stood at `then`; the second and a half in between did not pass for it
    assert then - 0.2 <= float(out[0]) < then + 1.2
    assert float(out[1]) > 0


def test_ipc_objects(start, tmp_path):
    o = start(["--ipc"], f"echo 50000 > /proc/sys/kernel/msgmnb; exec {IPC} make")
    seen = o.sh(f"{IPC} print")
    image = saved(o, tmp_path / "i")
    assert o.sh(f"{IPC} print") == seen, "saving changed the objects"
    assert "uid=33 gid=34" in seen and "cuid=1000" in seen and "cuid=51 cgid=50" in seen

    out = restore(image, f"{IPC} print with-mq; cat /proc/sys/kernel/msgmnb").splitlines()
    # the segment that was removed while attached ends with the last detach, which was ours
    expect = [x for x in seen.splitlines() if "cuid=1000" not in x]
    assert out[:len(expect)] == expect
    queues = ["mq /kist-full 8 100 3 9:high 1:low 1:low again", "mq /kist-empty 8 100 0"]
    assert out[len(expect):] == queues + ["50000"]
    assert o.sh(f"{IPC} print with-mq").splitlines()[-2:] == queues, "messages were lost on save"


def test_mq_notify_is_refused(start, tmp_path):
    script = ("python3 -c 'import ctypes,os,time\n"
              "l = ctypes.CDLL(None)\n"
              "q = l.mq_open(b\"/watched\", 0o102, 0o600, None)\n"
              "class E(ctypes.Structure):\n"
              " _fields_ = [(\"v\", ctypes.c_long), (\"s\", ctypes.c_int), (\"n\", ctypes.c_int),"
              " (\"pad\", ctypes.c_char * 64)]\n"
              "assert l.mq_notify(q, ctypes.byref(E(0, 10, 0))) == 0\n"
              "print(\"ready\", flush=True)\n"
              "time.sleep(600)'")
    o = start(["--ipc"], script)
    r = save(o, tmp_path / "i")
    assert r.returncode == 1
    assert "'/watched' by mq_notify" in r.stderr
    assert os.listdir(tmp_path / "i") == []


def test_shared_namespaces_are_left_alone(start, tmp_path):
    o = start(["--mount"], "echo ready; exec sleep 600")
    image = saved(o, tmp_path / "i")
    shown = subprocess.run([os.path.join(BUILD, "kist"), "image", "show", str(image)],
                           capture_output=True, text=True, check=True).stdout
    assert '"record": "uts"' not in shown and '"record": "sysctl"' not in shown
    assert '"record": "time"' in shown
