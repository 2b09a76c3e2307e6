# SPDX-License-Identifier: Apache-2.0
"""`kist doctor`: what it says is true of this host, and of a caller without rights."""
import json
import os
import subprocess

import pytest

pytestmark = [pytest.mark.asan,
              pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]


def report(command):
    r = subprocess.run(command, capture_output=True, text=True, check=False)
    return r.returncode, json.loads(r.stdout)


def features(data):
    return {f["name"]: f for f in data["features"]}


def test_host(kist):
    code, data = report([kist.binary, "doctor", "--json"])
    known = features(data)
    assert data["kernel"] == os.uname().release
    assert code == (0 if all(f["has"] for f in known.values() if f["required"]) else 1)
    for f in list(known.values()) + data["helpers"]:
        assert f["has"] or (f["cost"] and f["advice"]), f
    assert known["time namespaces"]["has"] == os.path.exists("/proc/self/ns/time")
    assert known["overlay"]["has"]
    with open("/proc/self/status", encoding="ascii") as f:
        caps = next(int(line.split()[1], 16) for line in f if line.startswith("CapEff"))
    assert known["CAP_SYS_RESOURCE"]["has"] == bool(caps >> 24 & 1)


def test_cgroups(kist):
    _, data = report([kist.binary, "doctor", "--json"])
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        kinds = {line.split(" - ")[1].split()[0] for line in f}
    assert data["cgroups"]["mode"] == {(True, True): "hybrid", (True, False): "v2",
                                       (False, True): "v1"}["cgroup2" in kinds, "cgroup" in kinds]


def test_without_rights(kist):
    code, data = report(["unshare", "-U", kist.binary, "doctor", "--json"])
    known = features(data)
    assert code == 1, "nothing works without rights, and it says all is well"
    refused = known["pid, mount, uts, ipc, net, cgroup"]
    assert not refused["has"] and refused["advice"].startswith("ask again as root")
    assert not known["TCP_REPAIR"]["has"]
    assert known["clone3"]["has"], "what needs no rights is still there"


def test_filtered_call(kist, name):
    """In a container, whose seccomp profile refuses new namespaces."""
    r = kist("run", "--rm", "-n", name, "--", kist.binary, "doctor", check=False)
    assert r.returncode == 1
    assert "no  pid, mount, uts, ipc, net, cgroup" in r.stdout
    assert "cost: no containers" in r.stdout


def test_text(kist):
    r = kist("doctor", check=False)
    lines = r.stdout.splitlines()
    refused = [i for i, line in enumerate(lines) if line.startswith("  no ")]
    for i in refused:
        assert lines[i + 1].startswith("        cost: ") and lines[i + 2].startswith("        do:")
    assert kist("doctor", "extra", check=False).returncode == 1
