# SPDX-License-Identifier: Apache-2.0
"""Limits act, on whatever kind of cgroups the host has; batches are all or nothing.

Every test uses cgroups below /kist/test-PID only, which a fixture removes.
"""
import json
import os
import select
import signal
import subprocess
import sys
import time

import pytest

BUILD = os.environ.get("KIST_BUILD", os.path.join(os.path.dirname(__file__), "../../build"))
TOOL = os.path.join(BUILD, "tests/helpers/cgroup-tool")
KIST = os.path.join(BUILD, "kist")
NAME = f"test-{os.getpid()}"
PATH = f"/kist/{NAME}"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def run(*args, **kw):
    return subprocess.run(args, capture_output=True, text=True, timeout=60, **kw)


def tool(*args):
    return run(TOOL, *args)


def ok(*args):
    done = run(*args)
    assert done.returncode == 0, done.stderr
    return done.stdout


MODE = run(TOOL, "mode").stdout.strip() if os.path.exists(TOOL) else ""
v1_limits = pytest.mark.skipif(MODE == "v2", reason="the limits of this host are cgroup v2's")
v2_limits = pytest.mark.skipif(MODE != "v2", reason="the limits of this host are cgroup v1's")


def mounts():
    """The cgroup hierarchies' mount points."""
    with open("/proc/self/mounts") as f:
        rows = [line.split() for line in f]
    return [r[1] for r in rows if r[2] in ("cgroup", "cgroup2") and os.path.isdir(r[1])]


def left_over():
    return [m + PATH for m in mounts() if os.path.exists(m + PATH)]


@pytest.fixture(autouse=True)
def clean():
    subtree = {}
    for m in mounts():
        f = os.path.join(m, "cgroup.subtree_control")
        if os.path.exists(f):
            subtree[f] = set(open(f).read().split())
    yield
    if left_over():
        tool("kill", PATH)
        deadline = time.time() + 5
        while tool("destroy", PATH).returncode and time.time() < deadline:
            time.sleep(0.05)
    # Controllers that the test had enabled for the host.
    for f, before in subtree.items():
        for c in set(open(f).read().split()) - before:
            open(f, "w").write(f"-{c}")
    assert not left_over()


class Running:
    """A command in a cgroup of its own, started by the tool."""

    def __init__(self, *cmd, keys=()):
        self.proc = subprocess.Popen([TOOL, "run", PATH, *keys, "--", *cmd],
                                     stdout=subprocess.PIPE, text=True)
        deadline = time.time() + 10
        while not self.pids():
            assert self.proc.poll() is None and time.time() < deadline
            time.sleep(0.005)

    def pids(self):
        return [int(p) for p in tool("pids", PATH).stdout.split()]

    def end(self):
        tool("kill", PATH)
        return self.proc.wait(timeout=10)


@pytest.fixture
def sleeper():
    r = Running("sleep", "60")
    yield r
    r.end()


def get(key):
    return ok(KIST, "get", NAME, key).rstrip("\n")


# --- limits act


def test_memory_max_kills():
    hog = "b = bytearray(1)\nwhile True: b.extend(bytes(1 << 20))"
    keys = ["memory.max=32M"]
    done = tool("run", PATH, *keys, "memory.swap.max=0", "--", sys.executable, "-c", hog)
    assert done.returncode == 128 + signal.SIGKILL, done.stderr


def test_memory_max_counts_kills():
    r = Running("sh", "-c", "sleep 0.3; /usr/bin/python3 -c 'x = bytearray(64 << 20)'; sleep 60",
                keys=["memory.max=32M", "memory.swap.max=0"])
    try:
        deadline = time.time() + 20
        while "oom_kill 1" not in get("memory.events") and time.time() < deadline:
            time.sleep(0.05)
        assert "oom_kill 1" in get("memory.events")
        stat = json.loads(ok(KIST, "stat", "--json", NAME))[NAME]
        assert stat["oom_kills"] == 1
        assert stat["memory_max"] == 32 << 20
        assert 0 < stat["memory_current"] <= 32 << 20
        assert stat["memory_peak"] > 16 << 20
    finally:
        r.end()


def test_pids_max_stops_forks():
    script = """
import os
n = 0
try:
    while n < 50:
        if os.fork() == 0:
            os.read(r, 1); os._exit(0)
        n += 1
except BlockingIOError:
    pass
print(n)
"""
    script = "import os\nr, w = os.pipe()\n" + script
    done = tool("run", PATH, "pids.max=5", "--", sys.executable, "-c", script)
    assert done.stdout.strip() == "4"


def test_cpu_max_throttles():
    spin = "import time\nt = time.process_time()\ne = time.time() + 1\n" \
           "while time.time() < e: pass\nprint(time.process_time() - t)"
    done = tool("run", PATH, "cpu.max=20%", "--", sys.executable, "-c", spin)
    assert float(done.stdout) < 0.45


def test_cpu_stat_counts_throttling():
    r = Running("sh", "-c", "while :; do :; done", keys=["cpu.max=10%"])
    try:
        time.sleep(0.5)
        stat = json.loads(ok(KIST, "stat", "--json", NAME))[NAME]
        assert stat["cpu_periods"] >= 3
        assert stat["cpu_throttled"] >= 2
        assert stat["cpu_throttled_us"] > 0
        assert 0 < stat["cpu_usage_us"] < 500000
        assert stat["psi_cpu_some_us"] is not None or MODE == "v1"
    finally:
        r.end()


def test_cpuset_pins():
    last = max(os.sched_getaffinity(0))
    done = tool("run", PATH, f"cpuset.cpus={last}", "cpuset.mems=0", "--",
                sys.executable, "-c", "import os; print(os.sched_getaffinity(0))")
    assert done.stdout.strip() == f"{{{last}}}"


def test_devices():
    keys = ["devices=deny-all; allow c 1:3 rw; allow c 1:5 r"]
    script = """
import os
for path, mode in (("/dev/null", "r+b"), ("/dev/zero", "rb"), ("/dev/zero", "wb"),
                   ("/dev/urandom", "rb")):
    try:
        open(path, mode, buffering=0).close(); print("yes")
    except PermissionError:
        print("no")
try:
    os.mknod("/tmp/kist-node", 0o20600, os.makedev(1, 3)); os.unlink("/tmp/kist-node")
    print("yes")
except PermissionError:
    print("no")
"""
    done = tool("run", PATH, *keys, "--", sys.executable, "-c", script)
    assert done.stdout.split() == ["yes", "yes", "no", "no", "no"], done.stderr


def test_devices_can_be_changed(sleeper):
    probe = [sys.executable, "-c", "open('/dev/urandom', 'rb')"]
    ok(KIST, "set", NAME, "devices=deny-all; allow c 1:3 rw")
    r = subprocess.Popen(["sh", "-c", 'read x; exec "$@"', "sh", *probe], stdin=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    ok(TOOL, "attach", PATH, str(r.pid))
    r.communicate(b"\n")
    assert r.returncode == 1
    ok(KIST, "set", NAME, "devices=deny-all; allow c *:* rw")
    r = subprocess.Popen(["sh", "-c", 'read x; exec "$@"', "sh", *probe], stdin=subprocess.PIPE)
    ok(TOOL, "attach", PATH, str(r.pid))
    r.communicate(b"\n")
    assert r.returncode == 0


@v2_limits
def test_memory_high_slows_down():
    script = "x = bytearray(48 << 20)\nprint(open('/proc/self/status').read().count('VmRSS'))"
    done = tool("run", PATH, "memory.high=24M", "memory.swap.max=0", "--", "timeout", "-s", "KILL",
                "3", sys.executable, "-c", script)
    assert done.returncode == 137


# --- setting


@pytest.mark.parametrize("key, value, want", [
    ("memory.max", "64M", str(64 << 20)),
    ("memory.low", "8M", str(8 << 20)),
    ("pids.max", "100", "100"),
    ("pids.max", "max", "max"),
    ("cpu.weight", "10000", "10000"),
    ("cpu.weight", "1", "1"),
    ("cpu.weight", "333", "333"),
    ("cpu.max", "1.5cpu", "150000 100000"),
    ("cpu.max", "10000 50000", "10000 50000"),
    ("cpu.idle", "1", "1"),
    ("cpuset.cpus", "0", "0"),
    ("cpuset.mems", "0", "0"),
])
def test_set_then_get(sleeper, key, value, want):
    ok(KIST, "set", NAME, f"{key}={value}")
    assert get(key) == want


def test_human_output(sleeper):
    ok(KIST, "set", NAME, "memory.max=96M")
    assert ok(KIST, "get", "-H", NAME, "memory.max").strip() == "96M"
    assert f"memory.max {96 << 20}" in ok(KIST, "get", NAME).splitlines()


def test_limits_before_anything_is_set(sleeper):
    assert get("pids.max") == "max"
    assert get("cpu.max") == "max 100000"
    assert get("cpu.weight") == "100"
    assert get("pids.current") == "1"
    assert get("memory.swap.max") == "max"


def test_running_processes_are_limited_too(sleeper):
    """A hierarchy that was left out so far is joined with what runs in the cgroup."""
    more = subprocess.Popen(["sh", "-c", "read x"], stdin=subprocess.PIPE)
    try:
        ok(TOOL, "attach", PATH, str(more.pid))
        ok(KIST, "set", NAME, "pids.max=20", "cpu.weight=50")
        assert get("pids.current") == "2"
        for pid in sleeper.pids():
            text = open(f"/proc/{pid}/cgroup").read()
            assert PATH in text
            if MODE != "v2":
                assert f":pids:{PATH}\n" in text and f":cpu:{PATH}\n" in text
    finally:
        more.communicate(b"\n")


def test_swap_is_memsw_minus_limit(sleeper):
    ok(KIST, "set", NAME, "memory.max=32M", "memory.swap.max=16M")
    assert get("memory.swap.max") == str(16 << 20)
    # Up and down, in the order that the kernel wants; swap stays what it was.
    for size in ("128M", "16M", "64M"):
        ok(KIST, "set", NAME, f"memory.max={size}")
        assert get("memory.swap.max") == str(16 << 20)
    ok(KIST, "set", NAME, "memory.max=max", "memory.swap.max=max")
    assert get("memory.max") == "max"


def test_quota_period_and_burst_in_any_order(sleeper):
    ok(KIST, "set", NAME, "cpu.max.burst=20ms", "cpu.max=50%")
    ok(KIST, "set", NAME, "cpu.max=5ms 10ms", "cpu.max.burst=1ms")
    assert (get("cpu.max"), get("cpu.max.burst")) == ("5000 10000", "1000")
    ok(KIST, "set", NAME, "cpu.max=900ms 1s", "cpu.max.burst=800ms")
    assert (get("cpu.max"), get("cpu.max.burst")) == ("900000 1000000", "800000")
    ok(KIST, "set", NAME, "cpu.max=800000")
    assert get("cpu.max") == "800000 1000000"


# --- refusals, all or nothing


def refused(*settings):
    done = run(KIST, "set", NAME, *settings)
    assert done.returncode != 0, settings
    return done.stderr


def test_a_refused_batch_changes_nothing(sleeper):
    ok(KIST, "set", NAME, "memory.max=64M", "cpu.max=50%", "cpu.weight=200", "pids.max=50")
    before = ok(KIST, "get", NAME, "memory.max", "cpu.max", "cpu.weight", "pids.max",
                "cpuset.cpus.effective")
    err = refused("memory.max=128M", "cpu.max=10%", "cpu.weight=7", "pids.max=3",
                  "cpuset.cpus=4000")
    assert "cpuset.cpus" in err
    assert ok(KIST, "get", NAME, "memory.max", "cpu.max", "cpu.weight", "pids.max",
              "cpuset.cpus.effective") == before
    # A wrong value or an unknown key is found before the first write.
    assert "memory.mx" in refused("pids.max=4", "memory.mx=1M")
    assert get("pids.max") == "50"


def test_refusals_say_why(sleeper):
    ok(KIST, "set", NAME, "cpu.max=50%", "cpu.max.burst=50000")
    assert "cpu.max.burst" in refused("cpu.max=10%")
    ok(KIST, "set", NAME, "cpu.idle=1")
    assert "cpu.idle" in refused("cpu.weight=5")
    assert "can only be read" in refused("memory.current=5")
    assert "did you mean 'pids.max'" in refused("pid.max=5")
    assert "takes" in refused("memory.max=lots")


def test_memory_max_below_use_is_refused():
    r = Running(sys.executable, "-c", "x = b'x' * (48 << 20); import time; time.sleep(60)")
    try:
        deadline = time.time() + 10
        while int(get("memory.current")) < 48 << 20 and time.time() < deadline:
            time.sleep(0.05)
        ok(KIST, "set", NAME, "memory.swap.max=0", "memory.max=128M")
        err = refused("memory.max=16M")
        assert "in use" in err
        assert get("memory.max") == str(128 << 20)
        assert r.pids()
    finally:
        r.end()


@v1_limits
def test_what_v1_lacks_names_the_alternative(sleeper):
    assert "memory.max" in refused("memory.high=10M")
    assert "memory.low" in refused("memory.min=10M")
    assert "memory.max" in refused("memory.swap.max=1M")


@v2_limits
def test_what_v2_lacks_names_the_alternative(sleeper):
    assert "vm.swappiness" in refused("memory.swappiness=10")
    assert "CAP_SYS_NICE" in refused("cpu.rt.max=1000")


def test_the_roots_and_other_cgroups_take_no_limits():
    done = run(KIST, "set", "/", "pids.max=100000")
    assert done.returncode != 0 and "root" in done.stderr
    assert "does not exist" in run(KIST, "get", "no-such-container", "pids.max").stderr
    assert "no cgroup" in run(KIST, "get", "/kist/../kist/none", "pids.max").stderr or \
        "'..'" in run(KIST, "get", "/kist/../kist/none", "pids.max").stderr


def test_pid_target(sleeper):
    ok(KIST, "set", NAME, "pids.max=33")
    assert ok(KIST, "get", f"pid:{sleeper.pids()[0]}", "pids.max").strip() == "33"
    ok(KIST, "set", f"pid:{sleeper.pids()[0]}", "pids.max=34")
    assert get("pids.max") == "34"
    assert run(KIST, "get", "pid:4194305", "pids.max").returncode != 0


def test_io_max(sleeper):
    disk = next((d for d in sorted(os.listdir("/sys/block")) if d[:2] in ("vd", "sd", "nv", "lo")),
                None)
    if not disk:
        pytest.skip("no block device")
    dev = open(f"/sys/block/{disk}/dev").read().strip()
    ok(KIST, "set", NAME, f"io.max={dev} rbps=1M wiops=120")
    assert get("io.max") == f"{dev} rbps=1048576 wbps=max riops=max wiops=120"
    ok(KIST, "set", NAME, f"io.max=/dev/{disk} rbps=max; {dev} riops=7")
    assert get("io.max") == f"{dev} rbps=max wbps=max riops=7 wiops=120"
    refused("pids.max=5", f"io.max={dev} rbps=5M", "cpuset.cpus=4000")
    assert get("io.max") == f"{dev} rbps=max wbps=max riops=7 wiops=120"
    ok(KIST, "set", NAME, f"io.max={dev} riops=max wiops=max")
    assert get("io.max") == ""


# --- the cgroup's life


def test_freeze_and_thaw():
    r = Running(sys.executable, "-u", "-c", "import time\nwhile True: print('.'); time.sleep(0.01)")
    try:
        ok(TOOL, "freeze", PATH, "2000")
        assert tool("frozen", PATH).returncode == 0
        assert get("cgroup.freeze") == "1"
        out = r.proc.stdout.fileno()
        while select.select([out], [], [], 0)[0]:
            os.read(out, 65536)
        assert not select.select([out], [], [], 0.1)[0]
        ok(TOOL, "thaw", PATH)
        assert tool("frozen", PATH).returncode == 1
        assert select.select([out], [], [], 5)[0]
    finally:
        r.end()


def test_frozen_processes_can_be_killed():
    r = Running("sh", "-c", "sleep 60 & sleep 60 & wait")
    ok(TOOL, "freeze", PATH, "2000")
    assert len(r.pids()) >= 1
    ok(TOOL, "kill", PATH)
    assert r.proc.wait(timeout=10) == 128 + signal.SIGKILL
    assert not left_over()


def test_a_fork_bomb_is_killed():
    bomb = "import os, time\nwhile True:\n try: os.fork()\n except OSError: time.sleep(0.001)"
    r = Running(sys.executable, "-c", bomb, keys=["pids.max=200"])
    time.sleep(0.5)
    assert len(r.pids()) > 20
    ok(TOOL, "kill", PATH)
    assert r.proc.wait(timeout=20) == 128 + signal.SIGKILL
    assert not left_over()


@v1_limits
def test_a_freeze_that_times_out_is_undone():
    """A process that waits for memory, its cgroup's OOM killer being off, can't be frozen."""
    r = Running(sys.executable, "-c", "x = bytearray(64 << 20)\nimport time; time.sleep(60)",
                keys=["memory.max=32M", "memory.swap.max=0", "memory.oom_control=1"])
    try:
        pid = r.pids()[0]
        deadline = time.time() + 10
        while open(f"/proc/{pid}/stat").read().split()[2] != "D" and time.time() < deadline:
            time.sleep(0.01)
        done = tool("freeze", PATH, "300")
        assert done.returncode == 125
        assert "did not freeze within 300 ms; it runs on" in done.stderr
        assert f"process {pid}" in done.stderr and "uninterruptible" in done.stderr
        assert tool("frozen", PATH).returncode == 1
        ok(KIST, "set", NAME, "memory.max=128M", "memory.swap.max=0")
        deadline = time.time() + 10
        while open(f"/proc/{pid}/stat").read().split()[2] != "S" and time.time() < deadline:
            time.sleep(0.01)
        # It was not left frozen: it went on.
        assert open(f"/proc/{pid}/stat").read().split()[2] == "S"
        ok(TOOL, "freeze", PATH, "2000")
    finally:
        r.end()


def test_signal_reaches_all(sleeper):
    ok(TOOL, "signal", PATH, str(int(signal.SIGTERM)))
    assert sleeper.proc.wait(timeout=10) == 128 + signal.SIGTERM


def test_create_twice_is_refused(sleeper):
    done = tool("make", PATH)
    assert done.returncode == 125 and "exists already" in done.stderr
    assert sleeper.pids()


def test_destroy_refuses_while_used(sleeper):
    done = tool("destroy", PATH)
    assert done.returncode == 125 and "1 process in it" in done.stderr


def test_what_the_inmates_made_goes_too():
    ok(TOOL, "make", PATH)
    deep = PATH + "/x" * 300
    for m in mounts():
        if os.path.isdir(m + PATH):
            path = m + PATH
            for _ in range(40):
                path += "/deeper-and-deeper"
                os.mkdir(path)
            os.mkdir(m + PATH + "/wide")
    assert deep
    ok(TOOL, "destroy", PATH)
    assert not left_over()


def test_keys_table():
    rows = json.loads(ok(KIST, "keys", "--json"))
    keys = {r["key"]: r for r in rows}
    for k in ("memory.max", "memory.swap.max", "pids.max", "cpu.max", "cpu.weight", "cpuset.cpus",
              "cpuset.mems"):
        assert keys[k]["here"], k
    assert keys["memory.high"]["here"] == (MODE == "v2")
    assert all(r["here"] or r["instead"] or r["key"].startswith(("rdma", "hugetlb"))
               for r in rows)
    assert "memory.max" in ok(KIST, "keys")


@pytest.mark.skipif(MODE != "hybrid", reason="this host has no pair of cgroup v1 and v2")
def test_all_of_this_on_v1_alone():
    """With cgroup2 out of sight, in a mount namespace of its own, everything is the v1 files'."""
    hide = "umount $(findmnt -rn -t cgroup2 -o TARGET) && exec \"$@\""
    done = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-ec", hide, "sh",
                           sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                           __file__],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
