# SPDX-License-Identifier: Apache-2.0
"""Network namespaces for tests: held by a sleeping process; code runs in them by a thread."""
import ctypes
import os
import signal
import socket
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000


def sh(cmd, **kw):
    p = subprocess.run(cmd, shell=True, capture_output=True, text=True, **kw)
    assert p.returncode == 0, f"{cmd}: {p.stderr}"
    return p.stdout


def enter_new_network():
    """Moves the calling thread into a new network namespace; gives the way back."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    sh("ip link set lo up")

    def back():
        assert libc.setns(home, CLONE_NEWNET) == 0
        os.close(home)

    return back


class Space:
    def __init__(self, lo=True):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "600"])
        mine = os.readlink("/proc/thread-self/ns/net")
        deadline = time.time() + 10
        while os.readlink(self.path) == mine:
            assert time.time() < deadline, "unshare did not come up"
            time.sleep(0.005)
        if lo:
            self.sh("ip link set lo up")

    @property
    def path(self):
        return f"/proc/{self.holder.pid}/ns/net"

    def sh(self, cmd):
        return sh(f"nsenter --net={self.path} sh -c '{cmd}'")

    def call(self, func):
        """Runs func in a thread that has entered the namespace."""
        result = []

        def body():
            fd = os.open(self.path, os.O_RDONLY)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                assert libc.setns(fd, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            finally:
                os.close(fd)
            try:
                result.append((True, func()))
            except Exception as e:  # handed to the caller
                result.append((False, e))

        t = threading.Thread(target=body)
        t.start()
        t.join()
        ok, value = result[0]
        if not ok:
            raise value
        return value

    def listen(self, port, kind=socket.SOCK_STREAM):
        def make():
            s = socket.socket(socket.AF_INET, kind)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.settimeout(10)
            s.bind(("0.0.0.0", port))
            if kind == socket.SOCK_STREAM:
                s.listen(8)
            return s

        return self.call(make)

    def close(self):
        self.holder.send_signal(signal.SIGKILL)
        self.holder.wait()
