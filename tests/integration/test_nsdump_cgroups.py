# SPDX-License-Identifier: Apache-2.0
"""Cgroups made below a container's: names, limits and members, on v1, hybrid and v2 hosts."""
import os
import subprocess
import uuid

import pytest

from test_nsdump import TOOL

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def hierarchies():
    """(controllers, mount point) of cgroup2 and of v1's pids and cpu, where they are."""
    found = []
    for line in open("/proc/mounts"):
        _, path, kind, options, *_ = line.split()
        if kind == "cgroup2":
            found.append(("", path))
        for c in ("pids", "cpu"):
            if kind == "cgroup" and c in options.split(","):
                found.append((c, path))
    return found


class Groups:
    def __init__(self):
        self.name = f"kist-test-{uuid.uuid4().hex[:8]}"
        self.dirs = {c: os.path.join(p, self.name) for c, p in hierarchies()}
        for d in self.dirs.values():
            os.mkdir(d)

    def env(self):
        return {**os.environ, "NSDUMP_CGROUPS": ",".join(f"{c}={d}" for c, d in self.dirs.items())}

    def close(self):
        for d in self.dirs.values():
            for top, dirs, _ in os.walk(d, topdown=False):
                os.rmdir(top)


@pytest.fixture
def groups():
    made = [Groups(), Groups()]
    sleeper = subprocess.Popen(["sleep", "600"])
    yield (*made, sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    for g in made:
        g.close()


def tool(*args, env):
    return subprocess.run([TOOL, *map(str, args)], env=env, capture_output=True, text=True)


def put(path, text):
    with open(path, "w") as f:
        f.write(str(text))


def get(path):
    with open(path) as f:
        return f.read().strip()


def test_names_limits_members(groups, tmp_path):
    a, b, pid = groups
    for c, d in a.dirs.items():
        os.makedirs(f"{d}/system slice/unit")
        os.mkdir(f"{d}/empty")
    for c, d in a.dirs.items():
        put(f"{d}/system slice/unit/cgroup.procs", pid)
    if "pids" in a.dirs:
        put(a.dirs["pids"] + "/system slice/pids.max", 77)
    if "cpu" in a.dirs:
        put(a.dirs["cpu"] + "/empty/cpu.shares", 333)
    if "" in a.dirs:
        put(a.dirs[""] + "/empty/cgroup.max.depth", 5)
        if "pids" in get(a.dirs[""] + "/cgroup.controllers").split():
            put(a.dirs[""] + "/cgroup.subtree_control", "+pids")
            put(a.dirs[""] + "/empty/pids.max", 55)
    r = tool("save", pid, tmp_path, env=a.env())
    assert r.returncode == 0, r.stderr
    r = tool("cgroups", tmp_path, env=b.env())
    assert r.returncode == 0, r.stderr
    for c, d in b.dirs.items():
        assert os.path.isdir(f"{d}/empty")
        assert get(f"{d}/system slice/unit/cgroup.procs") == str(pid)
    if "pids" in b.dirs:
        assert get(b.dirs["pids"] + "/system slice/pids.max") == "77"
    if "cpu" in b.dirs:
        assert get(b.dirs["cpu"] + "/empty/cpu.shares") == "333"
    if "" in b.dirs:
        assert get(b.dirs[""] + "/empty/cgroup.max.depth") == "5"
        if "pids" in get(b.dirs[""] + "/cgroup.controllers").split():
            assert get(b.dirs[""] + "/empty/pids.max") == "55"


def test_missing_hierarchy_is_refused(groups, tmp_path):
    a, b, pid = groups
    d = next(iter(a.dirs.values()))
    os.mkdir(d + "/sub")
    put(d + "/sub/cgroup.procs", pid)
    assert tool("save", pid, tmp_path, env=a.env()).returncode == 0
    r = tool("cgroups", tmp_path, env={**os.environ, "NSDUMP_CGROUPS": "none=/tmp"})
    assert r.returncode == 1 and "hierarchy that this host has not" in r.stderr
    assert not os.path.exists("/tmp/sub")
