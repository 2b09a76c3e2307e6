# SPDX-License-Identifier: Apache-2.0
"""Runs a program of tests/cr: started, checkpointed and restored some times, told to go on."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

from kist import wait_for
from tree import become_reaper, descendants

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def names():
    """The programs, as tests/cr/meson.build lists them."""
    text = (pathlib.Path(__file__).resolve().parent.parent / "cr" / "meson.build").read_text()
    return re.findall(r"^\t'([a-z0-9-]+)',$", text, re.M)


class Program:
    """One run of a program; `dir` is where it and the test leave word for one another."""

    def __init__(self, build, name):
        self.binary = build / "tests" / "cr" / name
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kist-cr-", dir="/var/tmp"))
        self.dir.chmod(0o755)
        self.away = 0.0
        self.proc = None
        self.pid = None

    def start(self):
        """As a tree of its own on the host: a session without a terminal, output into a file."""
        become_reaper()
        with open(self.dir / "out", "ab") as out:
            self.proc = subprocess.Popen(
                [str(self.binary), str(self.dir)], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, cwd="/", start_new_session=True,
                env={"PATH": PATH, "KIST_TEST_SESSION": os.environ["KIST_TEST_SESSION"]})
        self.pid = self.proc.pid

    def command(self):
        """For a container, which sees the directory by a bind mount; output into the same file."""
        return ["sh", "-c", f"exec {self.binary} {self.dir} >>{self.dir}/out 2>&1"]

    def gone(self, pids):
        """The tree was killed by a checkpoint: reaps it, so that its pids are free again."""
        if self.proc:
            self.proc.wait(timeout=10)
            self.proc = None

        def check():
            for pid in pids:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass  # not ours (yet)
            return not any(os.path.exists(f"/proc/{pid}") for pid in pids)

        wait_for(check, f"the end of {pids}")

    def dump(self, kist, image):
        """Checkpoints the tree."""
        pids = descendants(self.pid)
        kist("checkpoint", "--pid", self.pid, "-o", image)
        self.gone(pids)

    def wait_ready(self):
        wait_for(lambda: (self.dir / "ready").exists() or (self.dir / "result").exists(),
                 f"{self.binary.name} gets ready: {self.output()}", timeout=60)

    def go(self):
        (self.dir / "go.tmp").write_text(f"{self.away:.3f}\n")
        (self.dir / "go.tmp").rename(self.dir / "go")

    def output(self):
        try:
            return (self.dir / "out").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def result(self, timeout=40):
        """Waits for the word of the program: "pass", "fail" …"""
        wait_for(lambda: (self.dir / "result").exists(),
                 f"{self.binary.name} ends: {self.output()}", timeout=timeout)
        return (self.dir / "result").read_text().strip()

    def rounds(self, n, dump, restore):
        """dump(i) and restore(i), n times; counts the time between."""
        for i in range(n):
            start = time.monotonic()
            dump(i)
            restore(i)
            self.away += time.monotonic() - start

    def close(self):
        """Kills whatever still has the directory in its command line."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    if str(self.dir).encode() in f.read():
                        os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass  # gone meanwhile
        if self.proc:
            self.proc.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
