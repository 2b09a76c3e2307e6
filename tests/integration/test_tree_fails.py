# SPDX-License-Identifier: Apache-2.0
"""What cannot be saved or restored: said by name, the tree runs on, nothing is left."""
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from kist import wait_for
from test_tree import goes_on, read, tree  # pylint: disable=unused-import
from tree import alive, descendants, reap

COUNT = r"""
import os, sys, time
extra = sys.argv[2] if len(sys.argv) > 2 else ""
exec(extra)
out = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
n = 0
while True:
    os.pwrite(out, b"%d\n" % n, 0)
    n += 1
    time.sleep(0.02)
"""


@pytest.fixture
def counter(tree, tmp_path):
    """Starts a tree that counts in a file, after running a line of Python."""
    def start(extra=""):
        out = tmp_path / "count"
        script = tmp_path / "count.py"
        script.write_text(COUNT)
        t = tree(sys.executable, script, out, extra)
        t.out = out
        wait_for(lambda: read(out) > 2, "the tree stands")
        return t
    return start


def refused(t, image, *words):
    r = t.checkpoint(image, check=False)
    assert r.returncode == 1
    for word in words:
        assert word in r.stderr, r.stderr
    assert not os.path.exists(image)
    goes_on(t.out)


def test_nested_namespace(counter, images):
    t = counter("import ctypes; os.fork() or (ctypes.CDLL(None).unshare(0x04000000), time.sleep(99))")
    time.sleep(0.3)
    refused(t, images / "i", "uts namespace", "python3")


def test_traced(counter, images):
    t = counter()
    tracer = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-p", str(t.pid)],
                              stdin=subprocess.DEVNULL)
    try:
        def traced():
            with open(f"/proc/{t.pid}/status", encoding="ascii") as f:
                return f"TracerPid:\t{tracer.pid}" in f.read()
        wait_for(traced, "strace is attached")
        refused(t, images / "i", "traced already", str(tracer.pid))
    finally:
        tracer.terminate()
        tracer.wait()
    goes_on(t.out)


def test_shared_memory_task(counter, images):
    # CLONE_VM | CLONE_VFORK: the parent waits for a child that lives in its memory.
    t = counter("import subprocess, threading; threading.Thread(target=lambda: subprocess.run("
                "['sleep', '99']), daemon=True).start(); time.sleep(0.5)")
    t.checkpoint(images / "i")  # by then it has executed: an ordinary child
    t.restore(images / "i")
    goes_on(t.out)


def test_no_such_process(kist, images):
    r = kist("checkpoint", "--pid", 2**22 - 1, "-o", images / "i", check=False)
    assert r.returncode == 1 and str(2**22 - 1) in r.stderr
    assert not os.path.exists(images / "i")


def test_output_is_not_empty(counter, images):
    t = counter()
    (images / "i").mkdir()
    (images / "i" / "precious").write_text("x")
    r = t.checkpoint(images / "i", check=False)
    assert r.returncode == 1
    assert os.listdir(images / "i") == ["precious"]
    goes_on(t.out)


def test_image_disk_full(counter, images):
    t = counter("b = bytearray(os.urandom(1 << 20) * 16)")
    target = images / "small"
    target.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", target], check=True)
    try:
        r = t.checkpoint(target, check=False)
        assert r.returncode == 1
        assert "No space left" in r.stderr
        assert os.listdir(target) == []
        goes_on(t.out)
    finally:
        subprocess.run(["umount", target], check=True)


def test_pid_is_taken(counter, images, tree):
    t = counter()
    t.checkpoint(images / "i")
    with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as f:
        f.write(str(t.pid - 1))
    squatter = subprocess.Popen(["sleep", "60"])
    try:
        if squatter.pid != t.pid:
            pytest.skip("another process took the pid first")
        r = t.restore(images / "i", check=False)
        assert r.returncode == 1
        assert f"pid {t.pid} is in use" in r.stdout
        assert squatter.poll() is None
    finally:
        squatter.kill()
        squatter.wait()
    t.restore(images / "i")
    goes_on(t.out)


def test_file_is_missing(counter, images, tmp_path):
    gone = tmp_path / "gone"
    gone.write_text("data")
    t = counter(f"f = open({str(gone)!r})")
    t.checkpoint(images / "i")
    gone.rename(tmp_path / "away")
    r = t.restore(images / "i", check=False)
    assert r.returncode == 1
    assert str(gone) in r.stdout
    reap()
    assert not alive(t.pid)
    (tmp_path / "away").rename(gone)
    t.restore(images / "i")
    goes_on(t.out)


@pytest.mark.parametrize("delay", [0, 0.002, 0.005, 0.01, 0.02, 0.04])
def test_killed_restore(counter, images, kist, delay):
    """SIGKILL to a restore at any time leaves either the whole tree or nothing of it."""
    t = counter("[os.fork() or time.sleep(99) for i in range(10)]")
    pids = set(descendants(t.pid))
    t.checkpoint(images / "i")
    with open(images / "out", "w", encoding="ascii") as out:
        p = subprocess.Popen([kist.binary, "restore", images / "i"], stdin=subprocess.DEVNULL,
                             stdout=out, stderr=out)
        time.sleep(delay)
        p.send_signal(signal.SIGKILL)
        p.wait()

    def settled():
        reap()
        left = {p for p in pids if alive(p)}
        return not left or left == pids
    wait_for(settled, "all or nothing")


def test_kist_killed_while_dumping(counter, images, kist):
    """The tree outlives a kist that is killed in the middle of copying its memory."""
    t = counter("b = bytearray(os.urandom(1 << 20) * 256)")
    for delay in (0.03, 0.06, 0.1, 0.15):
        image = images / str(delay)
        p = subprocess.Popen([kist.binary, "checkpoint", "--pid", str(t.pid), "-o", image],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(delay)
        p.send_signal(signal.SIGKILL)
        p.wait()
        if (image / "manifest.json").exists():
            time.sleep(0.3)  # it was done, and may have begun to end the tree
        if not alive(t.pid):
            assert (image / "manifest.json").exists()
            t.gone()
            t.restore(image)
        else:
            r = kist("image", "check", image, check=False)
            assert r.returncode != 0 or (image / "manifest.json").exists()
        goes_on(t.out)
        shutil.rmtree(image, ignore_errors=True)
