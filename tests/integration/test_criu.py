# SPDX-License-Identifier: Apache-2.0
"""kist-criu: CRIU's command line, and its RPC as far as engines ask it before a checkpoint."""
import os
import socket
import subprocess

import pytest

from test_tree import goes_on, tree  # noqa: F401 (a fixture)
from test_tree_fails import counter  # noqa: F401 (a fixture)

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="needs root"), pytest.mark.checkpoint]


@pytest.fixture
def criu(build):
    def run(*args, status=0):
        r = subprocess.run([build / "kist-criu", *map(str, args)], capture_output=True, text=True,
                           check=False, stdin=subprocess.DEVNULL, timeout=60)
        assert r.returncode == status, (args, r.returncode, r.stdout, r.stderr)
        return r.stdout + r.stderr
    return run


def test_version_and_check(criu):
    assert criu("--version").startswith("Version: 4.")
    assert criu("check") == "Looks good.\n"
    criu("check", "--no-default-config", "-verbosity=0", "--feature", "userns")
    assert "not supported" in criu("check", "--feature", "uffd", status=1)
    assert "no verb 'lazy-pages'" in criu("lazy-pages", status=1)


def test_dump_and_restore(criu, counter, images, build):
    t = counter()
    image = images / "i"
    image.mkdir()
    out = criu("dump", "-v4", "-t", t.pid, "-D", image, "-o", "dump.log", "--leave-running",
               "--pre-dump-mode", "splice", "--manage-cgroups")
    assert out == "" and "finished successfully" in (image / "dump.log").read_text()
    goes_on(t.out)
    image = images / "j"
    image.mkdir()
    criu("dump", "--tree", t.pid, "--images-dir", image, "--shell-job", "--tcp-established")
    t.gone()
    pidfile = images / "pid"
    with open(images / "out", "w", encoding="ascii") as f:
        subprocess.run([build / "kist-criu", "restore", "-D", image, "-d", "--pidfile", pidfile,
                        "--log-file=restore.log"], check=True, stdin=subprocess.DEVNULL, stdout=f,
                       stderr=f)
    assert pidfile.read_text() == str(t.pid)
    assert "finished successfully" in (image / "restore.log").read_text()
    goes_on(t.out)


def test_failures_are_logged(criu, images):
    image = images / "i"
    image.mkdir()
    assert "Error" in criu("dump", "-t", 2 ** 22 - 1, "-D", image, "-o", "dump.log", status=1)
    assert "Error (Dumping)" in (image / "dump.log").read_text()
    assert "--tree" in criu("dump", "-D", image, status=1)
    assert "unknown option" in criu("dump", "--dance", status=1)


@pytest.mark.parametrize("request_bytes, want", [
    (b"\x08\x0a", b"\x08\x0a\x10\x01\x52"),  # VERSION: the same type, success, a version
    (b"\x08\x09", b"\x08\x09\x10\x01\x42"),  # FEATURE_CHECK: success, features
    (b"\x08\x01", b"\x08\x01\x10\x00"),      # DUMP: no success
])
def test_rpc(build, request_bytes, want):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    p = subprocess.Popen([build / "kist-criu", "swrk", str(theirs.fileno())], stdin=subprocess.DEVNULL,
                         pass_fds=[theirs.fileno()])
    theirs.close()
    ours.settimeout(10)
    ours.send(request_bytes)
    assert ours.recv(4096).startswith(want)
    ours.close()
    assert p.wait(timeout=10) == 0
