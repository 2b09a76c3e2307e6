# SPDX-License-Identifier: Apache-2.0
"""Containers with a terminal: relay, size, job control, and the caller's terminal afterwards."""
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import pytest

from kist import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Terminal:
    """A terminal with kist as its only program, as a user would have it."""

    def __init__(self, kist, *args, rows=33, columns=101):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(self.slave, fd)
            os.closerange(3, 256)
            os.execve(kist.binary, [kist.binary, *args], kist.env)
        self.status = None

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, text, timeout=20.0):
        deadline = time.monotonic() + timeout
        while text.encode() not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0, f"no {text!r} in {self.seen!r}"
            if select.select([self.master], [], [], left)[0]:
                self.seen += os.read(self.master, 65536)
        before, _, self.seen = self.seen.partition(text.encode())
        return before

    def wait(self, timeout=20.0):
        def ended():
            if select.select([self.master], [], [], 0)[0]:
                self.seen += os.read(self.master, 65536)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
            return pid
        wait_for(ended, "kist ends", timeout)
        return self.status

    def restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal(kist):
    made = []

    def make(*args, **kw):
        made.append(Terminal(kist, *args, **kw))
        return made[-1]

    yield make
    for t in made:
        t.close()


SHELL = ["--", "bash", "--norc", "--noediting"]


def test_interactive_shell(terminal):
    t = terminal("run", "--rm", "-it", "-e", "PS1=ready> ", *SHELL)
    t.expect("ready> ")
    assert not t.restored(), "the caller's terminal should be raw meanwhile"
    t.type("tty; stty size; stat -c %t:%T /dev/console; stat -c %t:%T /dev/pts/0\n")
    t.expect("/dev/pts/0\r\n")
    t.expect("33 101\r\n")
    a = t.expect("\r\n")
    b = t.expect("\r\n")
    assert a == b
    t.type("exit 7\n")
    assert t.wait() == 7
    assert t.restored()


def test_resize(terminal):
    t = terminal("run", "--rm", "-it", "--", "bash", "--norc", "-c",
                 "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.02; done")
    t.expect("ready")
    t.resize(40, 120)
    os.kill(t.pid, signal.SIGWINCH)
    t.expect("40 120")
    assert t.wait() == 0


def test_job_control(terminal):
    t = terminal("run", "--rm", "-it", "-e", "PS1=ready> ", *SHELL)
    t.expect("ready> ")
    t.type("sleep 600\n")
    t.expect("sleep 600")
    time.sleep(0.2)
    t.type("\x1a")
    t.expect("Stopped")
    t.type("fg\n")
    t.expect("sleep 600\r\n")
    time.sleep(0.2)
    t.type("\x03")
    t.expect("ready> ")
    t.type("echo status $?\n")
    t.expect("status 130")
    t.type("exit\n")
    assert t.wait() == 0 and t.restored()


def test_no_tiocsti_into_the_callers_terminal(terminal):
    """CVE-2016-10124: the container's terminal is one of its own, in a session of its own."""
    t = terminal("run", "--rm", "-t", "--", "python3", "-c",
                 "import os; print('tty', os.ttyname(0), os.getsid(0) == os.getpid())")
    t.expect("tty /dev/pts/0 True")
    assert t.wait() == 0
    # Without -t stdout may be the caller's terminal, but it is not the controlling one.
    t = terminal("run", "--rm", "--", "python3", "-c",
                 "import os\ntry: os.open('/dev/tty', os.O_RDWR); print('has tty')\n"
                 "except OSError: print('no tty')")
    t.expect("no tty")
    assert t.wait() == 0


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_terminal_is_restored(terminal, kist, name, sig):
    t = terminal("run", "--rm", "-it", "-n", name, "--", "sh", "-c", "echo ready; sleep 600")
    t.expect("ready")
    wait_for(lambda: not t.restored(), "raw mode")
    os.kill(t.pid, sig)
    t.wait()
    wait_for(t.restored, "the terminal is restored")
    kist("rm", "-f", name)


def test_failed_run_leaves_the_terminal(terminal):
    t = terminal("run", "--rm", "-it", "--", "no-such-command")
    assert t.wait() == 127
    assert t.restored()


def test_all_output_arrives(terminal):
    t = terminal("run", "--rm", "-it", "--", "seq", "1", "20000")
    text = t.expect("20000\r\n")
    assert t.wait() == 0
    assert [int(n) for n in text.split()] == list(range(1, 20000))


def test_end_of_input(kist):
    r = kist("run", "--rm", "-it", "--", "cat", stdin=None, input="a line\n")
    assert r.stdout.replace("\r", "").splitlines()[-1] == "a line"


def test_exec_tty(terminal, kist, name):
    kist("run", "-d", "-n", name, "--", "sleep", "600")
    t = terminal("exec", "-it", "-e", "PS1=ready> ", name, *SHELL)
    t.expect("ready> ")
    t.type("tty; stty size; exit 4\n")
    t.expect("/dev/pts/0\r\n")
    t.expect("33 101")
    assert t.wait() == 4 and t.restored()


def test_attach_and_leave(terminal, kist, name):
    kist("run", "-d", "-it", "-n", name, "-e", "PS1=ready> ", *SHELL)
    t = terminal("attach", name)
    wait_for(lambda: not t.restored(), "raw mode")
    t.type("echo one$((1+1)); stty size\n")
    t.expect("one2\r\n")
    t.expect("33 101")
    t.type("\x10\x11")
    assert t.wait() == 0
    assert t.restored()
    assert kist.inspect(name)["status"] == "running"
    t = terminal("attach", name)
    t.type("echo two$((1+1)); exit 8\n")
    t.expect("two2")
    assert t.wait() == 8
    assert t.restored()


def test_attach_to_a_foreground_container(terminal, kist, name):
    t = terminal("run", "--rm", "-it", "-n", name, "--", "sh", "-c", "echo ready; read x")
    t.expect("ready")
    r = kist("attach", name, check=False)
    assert r.returncode == 1 and "not detached" in r.stderr
    t.type("\n")
    assert t.wait() == 0
