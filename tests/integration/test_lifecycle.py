# SPDX-License-Identifier: Apache-2.0
"""Detached containers, from `run -d` to `rm`: every verb on them."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from kist import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

MONITOR_PRIVATE_MAX_KIB = 1536


def status(kist, name):
    return {c["name"]: c["status"] for c in json.loads(kist("list", "--json").stdout)}.get(name)


def monitor_of(kist, name):
    pid = kist.inspect(name)["pid"]
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"^PPid:\s+(\d+)$", f.read(), re.M).group(1))


def cgroup_dirs(name):
    found = subprocess.run(["find", "/sys/fs/cgroup", "-maxdepth", "4", "-type", "d", "-path",
                            f"*/kist/{name}*"], capture_output=True, text=True, check=False)
    return found.stdout.split()


def test_whole_life(kist, name):
    assert kist("run", "-d", "-n", name, "--", "sh", "-c",
                "echo out; echo err >&2; sleep 600").stdout == f"{name}\n"
    assert kist.names() == [name]
    assert status(kist, name) == "running"
    assert wait_for(lambda: kist("logs", name).stdout == "out\nerr\n", "the log")
    assert cgroup_dirs(name)
    kist("freeze", name)
    assert status(kist, name) == "frozen"
    assert "frozen" in kist("exec", name, "--", "true", check=False).stderr
    kist("thaw", name)
    assert status(kist, name) == "running"
    r = kist("rm", name, check=False)
    assert r.returncode == 1 and "running" in r.stderr
    kist("stop", "-t", "10", name)
    assert status(kist, name) == "stopped"
    assert kist.inspect(name)["exitStatus"] == 128 + signal.SIGTERM
    assert cgroup_dirs(name) == []
    kist("rm", name)
    assert kist.names() == []
    assert os.listdir(os.path.join(kist.state, "containers")) == []


def test_equal_names_in_two_directories(kist, other, name):
    """Cgroups are the host's: those of one state directory are not taken for another's."""
    for k in (kist, other):
        k("run", "-d", "-n", name, "-s", "pids.max=50", "--", "sleep", "600")
    kist("set", name, "pids.max=60")
    assert [k("get", name, "pids.max").stdout.split()[-1] for k in (kist, other)] == ["60", "50"]
    kist("rm", "-f", name)
    assert other("exec", name, "--", "echo", "here").stdout == "here\n"
    # also when all that is left of one is its directory and its cgroup
    kist("run", "-d", "-n", name, "--", "sleep", "600")
    os.unlink(os.path.join(kist.state, "containers", name, "state.json"))
    kist("rm", "-f", name)
    assert kist.names() == [] and other.inspect(name)["status"] == "running"
    other("rm", "-f", name)
    assert cgroup_dirs(name) == []


def test_generated_name(kist):
    made = kist("run", "-d", "--", "sleep", "600").stdout.strip()
    assert re.fullmatch(r"[a-z]+-[a-z]+-[0-9a-f]{4}", made)
    assert kist.names() == [made]


def test_monitor_is_small(kist, name):
    kist("run", "-d", "-n", name, "--", "sleep", "600")
    monitor = monitor_of(kist, name)
    with open(f"/proc/{monitor}/comm", encoding="ascii") as f:
        comm = f.read().strip()
    assert comm.startswith(("memfd:kist-moni", "kist")), comm
    with open(f"/proc/{monitor}/smaps_rollup", encoding="ascii") as f:
        private = sum(int(n) for n in re.findall(r"^Private_\w+:\s+(\d+) kB", f.read(), re.M))
    assert 0 < private <= MONITOR_PRIVATE_MAX_KIB


def test_monitor_holds_nothing_of_the_caller(kist, name, tmp_path):
    with open(tmp_path / "held", "w", encoding="ascii") as held:
        os.set_inheritable(held.fileno(), True)
        kist("run", "-d", "-n", name, "--", "sleep", "600", close_fds=False)
    monitor = monitor_of(kist, name)
    links = [os.readlink(f"/proc/{monitor}/fd/{fd}") for fd in os.listdir(f"/proc/{monitor}/fd")]
    assert not [link for link in links if "held" in link]


def test_exit_status_is_recorded(kist, name):
    kist("run", "-d", "-n", name, "--", "sh", "-c", "exit 42")
    wait_for(lambda: kist.inspect(name)["exitStatus"] == 42, "the exit status")
    assert status(kist, name) == "stopped"
    assert "stopped (42)" in kist("list").stdout


def test_detached_rm(kist, name):
    kist("run", "-d", "--rm", "-n", name, "--", "true")
    wait_for(lambda: kist.names() == [], "the container is removed")
    assert cgroup_dirs(name) == []


def test_detached_failure_is_told(kist, name):
    r = kist("run", "-d", "-n", name, "--", "no-such-command", check=False)
    assert r.returncode == 127 and "no-such-command" in r.stderr and r.stdout == ""
    assert kist.names() == []


def test_log_rotation(kist, name):
    kist("run", "-d", "-n", name, "--log-max", "64K", "--", "sh", "-c",
         "i=0; while [ $i -lt 4000 ]; do echo line $i of the log that is rotated; i=$((i+1)); done")
    wait_for(lambda: status(kist, name) == "stopped", "the end")
    where = os.path.join(kist.state, "containers", name)
    sizes = [os.path.getsize(os.path.join(where, f)) for f in ("log", "log.1")]
    assert all(0 < size <= (64 + 4) << 10 for size in sizes)  # full lines: a little more
    lines = kist("logs", name).stdout.splitlines()
    numbers = [int(line.split()[1]) for line in lines]
    assert numbers == list(range(numbers[0], 4000))


def test_logs_follow(kist, name):
    kist("run", "-d", "-n", name, "--log-max", "4K", "--", "sh", "-c",
         "i=0; while [ $i -lt 300 ]; do echo number $i; i=$((i+1)); sleep 0.002; done")
    p = kist.popen("logs", "-f", name, stdout=subprocess.PIPE, text=True)
    text = p.communicate(timeout=60)[0]
    assert p.returncode == 0
    assert text.splitlines()[-1] == "number 299"


def test_no_log_in_the_foreground(kist, name):
    kist("run", "-n", name, "--", "true")
    r = kist("logs", name, check=False)
    assert r.returncode == 1 and "no log" in r.stderr


def test_stop_kills_in_the_end(kist, name):
    kist("run", "-d", "-n", name, "--", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
    wait_for(lambda: "ready" in kist("logs", name).stdout, "the trap is set")
    start = time.monotonic()
    kist("stop", "-t", "1", name)
    assert 0.9 < time.monotonic() - start < 20
    assert kist.inspect(name)["exitStatus"] == 128 + signal.SIGKILL


def test_stop_of_a_frozen_one(kist, name):
    kist("run", "-d", "-n", name, "--", "sleep", "600")
    kist("freeze", name)
    kist("stop", "-t", "10", name)
    assert status(kist, name) == "stopped"


def test_kill(kist, name):
    kist("run", "-d", "-n", name, "--", "sh", "-c",
         "trap 'echo hup' HUP; echo ready; while :; do sleep 0.02; done")
    wait_for(lambda: "ready" in kist("logs", name).stdout, "the trap is set")
    kist("kill", "-s", "HUP", name)
    wait_for(lambda: "hup" in kist("logs", name).stdout, "the signal")
    kist("kill", name)
    wait_for(lambda: status(kist, name) == "stopped", "the end")
    r = kist("kill", name, check=False)
    assert r.returncode == 1 and "container not running" in r.stderr
    assert "is no signal" in kist("kill", "-s", "FOO", name, check=False).stderr


def test_start_keeps_files(kist, name):
    kist("run", "-d", "-n", name, "--", "sh", "-c",
         "echo again >> /usr/count; cat /usr/count; test $(wc -l < /usr/count) = 2 && exit 3; exit 0")
    wait_for(lambda: status(kist, name) == "stopped" and kist.inspect(name)["exitStatus"] == 0,
             "the first end")
    kist("start", name)
    wait_for(lambda: kist.inspect(name)["exitStatus"] == 3, "the second end")
    assert not os.path.exists("/usr/count")
    r = kist("start", "-a", name, check=False)
    assert r.returncode == 0 and r.stdout == "again\nagain\nagain\n"


def test_start_of_a_running_one(kist, name):
    kist("run", "-d", "-n", name, "--", "sleep", "600")
    r = kist("start", name, check=False)
    assert r.returncode == 1 and "running" in r.stderr
    assert status(kist, name) == "running"


def test_exec(kist, name):
    kist("run", "-d", "-n", name, "-e", "A=1", "--", "sleep", "600")
    text = kist("exec", "-e", "B=2", "-w", "/usr", name, "--", "sh", "-c",
                "echo $A $B $(pwd) $(hostname); for n in cgroup ipc mnt net pid uts; do"
                " test $(readlink /proc/self/ns/$n) = $(readlink /proc/1/ns/$n) || echo $n; done;"
                " grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status").stdout
    assert text.split("\n")[0] == f"1 2 /usr {name}"
    assert re.findall(r"^(\w+):\s+(\w+)", text, re.M) == [
        ("CapEff", "00000000800405fb"), ("NoNewPrivs", "1"), ("Seccomp", "2")]
    assert kist("exec", name, "--", "sh", "-c", "exit 5", check=False).returncode == 5
    assert kist("exec", name, "--", "nope", check=False).returncode == 127
    assert kist("exec", "-u", "99:98", name, "id", "-u").stdout == "99\n"
    assert kist("exec", "-i", name, "--", "cat", stdin=None, input="abc").stdout == "abc"
    assert kist("exec", name, "--", "sh", "-c", "kill -9 $$", check=False).returncode == 137


def test_exec_is_in_the_cgroup(kist, name):
    kist("run", "-d", "-n", name, "-s", "pids.max=50", "--", "sleep", "600")
    kist("exec", "-d", name, "--", "sleep", "601")
    procs = set()
    for d in cgroup_dirs(name):
        with open(f"{d}/cgroup.procs", encoding="ascii") as f:
            pids = f.read().split()
        procs.add(len(pids))
    assert procs == {3}  # init, the command, and this one, in every hierarchy


def test_exec_leaks_nothing(kist, name):
    kist("run", "-d", "-n", name, "--", "sleep", "600")
    fd = os.open("/", os.O_RDONLY)
    try:
        os.set_inheritable(fd, True)
        text = kist("exec", name, "--", "ls", "-l", "/proc/self/fd", close_fds=False).stdout
    finally:
        os.close(fd)
    assert re.findall(r" (\d+) -> ", text) == ["0", "1", "2", "3"]
    r = kist("exec", "-w", "/proc/1/cwd/../no", name, "--", "pwd", check=False)
    assert r.returncode == 1 and "working directory" in r.stderr


def test_exec_into_userns(kist, name):
    kist("run", "-d", "-n", name, "--userns", "auto", "--time-offset", "1000", "--", "sleep", "600")
    text = kist("exec", name, "--", "sh", "-c", "id -u; cat /proc/self/uid_map;"
                "readlink /proc/1/ns/time /proc/self/ns/time").stdout.splitlines()
    assert text[0] == "0" and text[1].split()[2] == "65536" and text[2] == text[3]


def test_many_names(kist):
    for n in ("m1", "m2"):
        kist("run", "-d", "-n", n, "--", "sleep", "600")
    r = kist("rm", "-f", "m1", "gone", "m2", check=False)
    assert r.returncode == 0
    assert kist.names() == []
    r = kist("stop", "gone", "gone2", check=False)
    assert r.returncode == 1 and "'gone' does not exist" in r.stderr


def test_attach_without_tty(kist, name):
    kist("run", "-d", "-i", "-n", name, "--", "sh", "-c", "read line; echo got $line; cat; exit 6")
    p = kist.popen("attach", name, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    text = p.communicate("first\nsecond\n", timeout=30)[0]
    assert text == "got first\nsecond\n"
    assert p.returncode == 6
    assert kist("logs", name).stdout == text


def test_bridge_is_removed(kist, name):
    r = kist("run", "-d", "-n", name, "--net", "bridge", "-p", "18999:80", "--", "sleep", "600",
             check=False)
    if "cannot" in r.stderr:
        pytest.skip("no bridge on this host: " + r.stderr)
    net = kist.inspect(name)["network"]
    assert os.path.exists(f"/sys/class/net/{net['hostLink']}")
    assert net["address"] in kist("exec", name, "--", "ip", "-4", "addr").stdout
    kist("rm", "-f", name)
    assert not os.path.exists(f"/sys/class/net/{net['hostLink']}")


def test_list_is_honest_about_damage(kist, name):
    kist("run", "-n", name, "--", "true")
    state = os.path.join(kist.state, "containers", name, "state.json")
    with open(state, "w", encoding="ascii") as f:
        f.write("{ not json")
    r = kist("list")
    assert "damaged" in r.stderr
    kist("rm", "-f", name)
    assert kist.names() == []
