# SPDX-License-Identifier: Apache-2.0
"""kist's own processes are killed at any point: `list` tells the truth, `rm -f` removes the rest."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

import host
from kist import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def containers(kist):
    return {c["name"]: c for c in json.loads(kist("list", "--json").stdout)}


def processes_of(mark):
    """Processes with this word in their environment, as every process of the container has."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as f:
                if mark.encode() in f.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def remove_all_and_check(kist, mark):
    def gone():
        for n in kist.names():
            kist("rm", "-f", n)
        # A forked process of `run -d` may still be creating when its parent is dead.
        return not processes_of(mark) and not kist.names()

    wait_for(gone, "all processes and containers are gone")
    assert not [d for d in host.cgroups() if mark in d]
    where = os.path.join(kist.state, "containers")
    assert not os.path.exists(where) or os.listdir(where) == []


def kill_after(kist, delay, mark, *args):
    p = kist.popen(*args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   start_new_session=True, env={"MARK": mark})
    time.sleep(delay)
    p.kill()
    p.wait()


def time_to_run(kist, name, *args):
    """How long `run` takes here and now until the container runs."""
    start = time.monotonic()
    p = kist.popen("run", "-n", name, *args, "--", "sleep", "600")
    wait_for(lambda: containers(kist).get(name, {}).get("status") == "running", "it runs", step=0)
    took = time.monotonic() - start
    kist("rm", "-f", name)
    p.wait()
    return took


@pytest.mark.parametrize("kind", ["-d", "foreground", "userns"])
def test_killed_while_it_creates(kist, name, kind):
    args = {"-d": ["-d"], "foreground": [], "userns": ["--userns", "auto"]}[kind]
    states = set()
    took = time_to_run(kist, name, *args)
    for step in range(20):
        mark = f"{name}-{step}"
        kill_after(kist, took * step / 12, mark, "run", "-n", mark, "-e", f"MARK={mark}", *args, "--",
                   "sleep", "600")
        # With -d the forked process goes on: it may still be at it, or have made the container.
        seen = containers(kist).get(mark)
        if seen and seen["status"] == "running":
            assert os.path.exists(f"/proc/{seen['pid']}")
        states.add(seen["status"] if seen else None)
        remove_all_and_check(kist, mark)
    assert "running" in states and states - {"running"}, "the kills came all too early or too late"


def test_killed_foreground(kist, name):
    p = kist.popen("run", "-n", name, "-e", f"MARK={name}", "--", "sleep", "600")
    wait_for(lambda: containers(kist).get(name, {}).get("status") == "running", "it runs")
    p.kill()
    p.wait()
    seen = containers(kist)[name]
    assert seen["status"] == "running" and os.path.exists(f"/proc/{seen['pid']}")
    assert kist("exec", name, "--", "echo", "alive").stdout == "alive\n"
    kist("kill", name)
    wait_for(lambda: containers(kist)[name]["status"] == "stopped", "it stopped")
    remove_all_and_check(kist, name)


def test_killed_monitor(kist, name):
    kist("run", "-d", "-n", name, "-e", f"MARK={name}", "--", "sleep", "600")
    pid = kist.inspect(name)["pid"]
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        monitor = int(re.search(r"^PPid:\s+(\d+)$", f.read(), re.M).group(1))
    os.kill(monitor, signal.SIGKILL)
    assert containers(kist)[name]["status"] == "running"
    r = kist("attach", name, check=False)
    assert r.returncode == 1 and "monitor" in r.stderr
    kist("stop", "-t", "10", name)
    seen = containers(kist)[name]
    assert seen["status"] == "stopped" and "exitStatus" not in seen  # nobody saw how it ended
    kist("start", name)
    assert containers(kist)[name]["status"] == "running"
    remove_all_and_check(kist, name)


def test_killed_first_process(kist, name):
    kist("run", "-d", "-n", name, "-e", f"MARK={name}", "--", "sleep", "600")
    os.kill(kist.inspect(name)["pid"], signal.SIGKILL)
    wait_for(lambda: kist.inspect(name)["exitStatus"] == 137, "the end is seen")
    remove_all_and_check(kist, name)


def test_pid_of_another_process(kist, name):
    """A pid that was given anew is not taken for the container's."""
    kist("run", "-n", name, "--", "true")
    path = os.path.join(kist.state, "containers", name, "state.json")
    with open(path, encoding="utf-8") as f:
        state = json.load(f)
    state.update(status="running", pid=os.getpid(), startTime=1)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(state, f)
    assert containers(kist)[name]["status"] == "stopped"
    kist("rm", "-f", name)  # and we are still here
    assert kist.names() == []


def test_killed_exec(kist, name):
    kist("run", "-d", "-n", name, "-e", f"MARK={name}", "--", "sleep", "600")
    for step in range(10):
        kill_after(kist, step * 0.002, name, "exec", name, "--", "sleep", "601")
    assert containers(kist)[name]["status"] == "running"
    remove_all_and_check(kist, name)


def test_killed_rm(kist, name):
    for step in range(10):
        mark = f"{name}-{step}"
        kist("run", "-d", "-n", mark, "-e", f"MARK={mark}", "--", "sleep", "600")
        kill_after(kist, step * 0.001, mark, "rm", "-f", mark)
        assert containers(kist).get(mark, {}).get("status") in (None, "running", "stopped")
        remove_all_and_check(kist, mark)
