# SPDX-License-Identifier: Apache-2.0
"""Plain trees of processes under checkpoint and restore.

The test is their subreaper: what a finished kist leaves behind becomes its child, and is reaped, so
that the pids are free for the next restore.
"""
import ctypes
import os
import signal
import subprocess
import time

from kist import wait_for

PR_SET_CHILD_SUBREAPER = 36


def become_reaper(on=True):
    """Until the end of the test (conftest.py): zombies that nobody waits for block whole containers."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)


def reap():
    """Reaps every child that has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def alive(pid):
    """Is there a process that is no zombie?"""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid):
    found = [pid]
    for p in found:
        try:
            for t in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{t}/children", encoding="ascii") as f:
                    found += [int(c) for c in f.read().split()]
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


class Tree:
    """A program and its descendants; `pid` stays the same over checkpoints."""

    def __init__(self, kist, args):
        become_reaper()
        self.kist = kist
        for fd in os.listdir("/proc/self/fd"):  # what the test was given is not the tree's
            if int(fd) > 2 and os.path.exists(f"/proc/self/fd/{fd}"):
                os.set_inheritable(int(fd), False)
        # Not subprocess.Popen: it would reap, and remember, a pid that comes back.
        self.pid = os.posix_spawn("/usr/bin/setsid", ["setsid", *map(str, args)], os.environ,
                                  file_actions=[(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0),
                                                (os.POSIX_SPAWN_DUP2, 0, 1),
                                                (os.POSIX_SPAWN_DUP2, 0, 2)])

    def checkpoint(self, image, *options, check=True):
        r = self.kist("checkpoint", "--pid", self.pid, "-o", image, *options, check=check)
        if r.returncode == 0 and "--leave-running" not in options:
            self.gone()
        return r

    def gone(self):
        """Waits until nothing has the pid any more, zombies included."""
        def check():
            reap()
            return not os.path.exists(f"/proc/{self.pid}")
        wait_for(check, f"the end of {self.pid}")

    def restore(self, image, check=True, timeout=60):
        """Its output goes to a file: the restored tree may hold it open."""
        out = f"{image}.out"
        with open(out, "w", encoding="utf-8") as f:
            r = subprocess.run([self.kist.binary, "restore", str(image)], stdin=subprocess.DEVNULL,
                               stdout=f, stderr=subprocess.STDOUT, env=self.kist.env,
                               timeout=timeout, check=False)
        with open(out, encoding="utf-8") as f:
            r.stdout = f.read()
        os.unlink(out)
        if check and r.returncode != 0:
            raise AssertionError(f"kist restore: exit status {r.returncode}\n{r.stdout}")
        return r

    def kill(self):
        for pid in descendants(self.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + 5
        while os.path.exists(f"/proc/{self.pid}") and time.monotonic() < deadline:
            reap()
            time.sleep(0.01)
        reap()
