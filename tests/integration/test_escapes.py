# SPDX-License-Identifier: Apache-2.0
"""Ways out of a container that worked for other runtimes, tried by the process inside; see docs/security.md.

What concerns the root file system's mounts is in test_rootfs.py, limits of rights in test_security.py.
"""
import hashlib
import os
import subprocess
import sys

import pytest

from kist import wait_for
from test_oci import Oci, oci  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def host_marker(o):
    """A file that only the host has, by a path that would be readable from any directory of it."""
    path = o.bundle.parent / "marker"
    path.write_text("of the host")
    return path


@pytest.mark.parametrize("fd", range(3, 24))
def test_working_directory_on_a_leaked_fd(oci, fd):
    """CVE-2024-21626: /proc/self/fd/N as working directory, with whatever the runtime left open."""
    marker = host_marker(oci)
    up = "../" * 12
    oci.write("sh", "-c", f"cat {up}{marker} && echo escaped; pwd; true", cwd=f"/proc/self/fd/{fd}")
    r = oci("run", "-b", oci.bundle, oci.id, check=False)
    assert "of the host" not in r.stdout and "escaped" not in r.stdout
    if r.returncode:
        assert "working directory" in r.stderr


def test_exec_working_directory_on_a_leaked_fd(oci):
    marker = host_marker(oci)
    oci.write("sleep", "600")
    oci.make("run", "-d", oci.id)
    for fd in range(3, 20):
        r = oci("exec", "--cwd", f"/proc/self/fd/{fd}", oci.id, "sh", "-c",
                f"cat {'../' * 12}{marker}; true", check=False)
        assert "of the host" not in r.stdout


def test_no_fd_and_no_right_is_inherited(oci):
    """CVE-2016-8649: no fd of the host; CVE-2022-29162: no inheritable capability."""
    r, w = os.pipe()
    os.set_inheritable(w, True)
    oci.write("sh", "-c", "ls -l /proc/self/fd; cat /proc/self/status")
    p = oci("run", "-b", oci.bundle, oci.id, pass_fds=[w])
    os.close(r)
    os.close(w)
    links = [line.split(" -> ")[1] for line in p.stdout.splitlines() if " -> " in line]
    assert len(links) <= 4 and all(x.startswith("/proc/") for x in links[3:]), links
    assert "CapInh:\t0000000000000000" in p.stdout
    oci.write("sleep", "600")
    oci.make("run", "-d", oci.id)
    assert "CapInh:\t0000000000000000" in oci("exec", oci.id, "cat", "/proc/self/status").stdout


WATCH = r"""
import os, sys
# whatever appears beside us and shows a directory or program that is not ours
mine = os.getpid()
root = os.stat("/")
seen = set()
while True:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) in (1, mine):
            continue
        for what in ("cwd", "root", "exe", *(f"fd/{n}" for n in range(3, 40))):
            path = f"/proc/{pid}/{what}"
            try:
                link = os.readlink(path)
                fd = os.open(path + "/" if what != "exe" else path, os.O_RDONLY)
            except OSError:
                continue
            for up in ("../" * 12, ""):
                try:
                    with open(os.open(up + sys.argv[1], os.O_RDONLY, dir_fd=fd)) as f:
                        print("ESCAPED by", path, link, f.read(), flush=True)
                except OSError:
                    pass
            os.close(fd)
"""


def test_processes_that_join_show_nothing_of_the_host(kist, name, tmp_path):
    """CVE-2016-9962: root with CAP_SYS_PTRACE looks at what enters, before it drops what it has."""
    marker = tmp_path / "marker"
    marker.write_text("of the host")
    kist("run", "-d", "-n", name, "--", sys.executable, "-c", WATCH, f"{marker}-not-mounted")
    for _ in range(30):
        kist("exec", name, "--", "true")
    assert "ESCAPED" not in kist("logs", name).stdout
    assert kist.inspect(name)["status"] == "running", kist("logs", name).stdout


OVERWRITE = """
import os, sys, time
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        try:
            held = os.open(f"/proc/{pid}/exe", os.O_RDONLY)
        except OSError:
            continue
        name = os.readlink(f"/proc/self/fd/{held}")
        for _ in range(200):
            try:
                fd = os.open(f"/proc/self/fd/{held}", os.O_WRONLY)
            except OSError:
                continue
            try:
                if "kist" in name:  # the others are the container's own files
                    os.write(fd, b"evil")
                    print("WRITTEN", name, flush=True)
            except OSError:
                pass  # sealed
            os.close(fd)
            break
        os.close(held)
"""


def test_the_runtime_is_not_overwritten(kist, name, build):
    """CVE-2019-5736: the program of whatever joins is opened for writing as soon as it can be."""
    before = hashlib.sha256((build / "kist").read_bytes()).digest()
    kist("run", "-d", "-n", name, "--", sys.executable, "-c", OVERWRITE, "3")
    joined = 0
    while kist("exec", name, "--", "true", check=False).returncode == 0 and joined < 20:
        joined += 1
    assert joined
    wait_for(lambda: kist.inspect(name)["status"] == "stopped", "it has tried long enough")
    assert hashlib.sha256((build / "kist").read_bytes()).digest() == before
    assert "WRITTEN" not in kist("logs", name).stdout


def test_a_created_container_holds_nothing_to_grab(oci, build):
    """While it waits for its start, its first process is kist itself, with fds of the host."""
    marker = host_marker(oci)
    oci.write("sleep", "600")
    caps = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_SETUID", "CAP_SYS_CHROOT"]
    oci.config["process"]["capabilities"] = {k: caps for k in ("bounding", "effective", "permitted")}
    oci.write()
    oci.make("create", oci.id)
    before = hashlib.sha256((build / "kist").read_bytes()).digest()
    out = oci("exec", oci.id, "sh", "-c",
              "for f in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do "
              f"cat /proc/1/fd/$f/{'../' * 12}{marker} 2>/dev/null; done; "
              f"cat /proc/1/cwd/{'../' * 12}{marker} /proc/1/root/{'../' * 12}{marker} 2>/dev/null; "
              "echo x > /proc/1/exe; ls /proc/1/fd; true").stdout
    assert "of the host" not in out
    assert hashlib.sha256((build / "kist").read_bytes()).digest() == before
    oci("start", oci.id)


def test_release_agent_cannot_be_set(oci):
    """CVE-2022-0492: no v1 hierarchy is writable, nor can a new one be mounted."""
    oci.write("sh", "-c", "for f in /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/release_agent; do "
                          "echo /x > $f && echo escaped; done; mkdir /tmp/c && "
                          "busybox mount -t cgroup -o memory c /tmp/c && echo mounted; true")
    r = oci("run", "-b", oci.bundle, oci.id)
    assert "escaped" not in r.stdout and "mounted" not in r.stdout


def test_hostile_state_names(oci):
    """Ids are names of directories and cgroups."""
    oci.write("true")
    for bad in ("..", ".", "a/b", "../x", "", "-x", "a b", "x" * 200, "é"):
        r = oci.make("create", "--", bad, check=False)
        assert r.returncode == 1
        assert oci("state", "--", bad, check=False).returncode == 1
    assert oci("list", "-q").stdout == ""


@pytest.mark.parametrize("path", ["/kist/../../..", "../x", "/", "a/../../b"])
def test_cgroup_paths_stay_below(oci, path):
    oci.write("true")
    oci.config["linux"]["cgroupsPath"] = path
    oci.write()
    r = oci("run", "-b", oci.bundle, oci.id, check=False)
    assert r.returncode == 1 and "cgroup" in r.stderr
    assert oci("list", "-q").stdout == ""
