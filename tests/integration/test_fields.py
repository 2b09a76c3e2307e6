# SPDX-License-Identifier: Apache-2.0
"""Fields of config.json and what they do inside: the process, seccomp agents, network devices."""
import array
import ctypes
import fcntl
import json
import os
import shutil
import socket
import subprocess
import threading

import pytest

from kist import wait_for
from test_oci import oci  # noqa: F401  pylint: disable=unused-import

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
# pylint: disable=redefined-outer-name

IPV6 = os.path.exists("/proc/net/if_inet6")
V6 = {("2001:db8::7", 64)} if IPV6 else set()
PYTHON = ["/usr/bin/python3", "-c"]


def host_root(oci):
    """The host's own files as the root, read-only, for programs that busybox has not."""
    oci.config["root"] = {"path": "/", "readonly": True}


def run(oci, *command, check=True, **process):
    oci.write(*command, **process)
    return oci("run", "--bundle", oci.bundle, oci.id, check=check)


def refused(oci, words, **process):
    r = run(oci, "true", check=False, **process)
    assert r.returncode == 1, r.stdout
    assert words in r.stderr, r.stderr
    assert oci("list", "-q").stdout == ""


def test_scheduler(oci):
    host_root(oci)
    ask = "import os; print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))"
    out = run(oci, *PYTHON, ask, scheduler={"policy": "SCHED_BATCH", "nice": 5}).stdout
    assert out.split() == ["3", "5"]
    out = run(oci, *PYTHON, ask, scheduler={"policy": "SCHED_OTHER", "nice": -3,
                                            "flags": ["SCHED_FLAG_RESET_ON_FORK"]}).stdout
    assert out.split() == [str(0x40000000), "-3"]
    refused(oci, "SCHED_NONE", scheduler={"policy": "SCHED_NONE"})
    refused(oci, "SCHED_FLAG_X", scheduler={"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_X"]})
    refused(oci, "process.scheduler.nice", scheduler={"policy": "SCHED_OTHER", "nice": 20})


def test_scheduler_deadline(oci):
    """runtime, deadline, period arrive; where real time is refused, the message says why."""
    host_root(oci)
    ms = 1000000
    r = run(oci, *PYTHON, "import os; print(os.sched_getscheduler(0))", check=False,
            scheduler={"policy": "SCHED_DEADLINE", "runtime": ms, "deadline": 10 * ms,
                       "period": 100 * ms})
    if r.returncode == 0:
        assert r.stdout.split() == ["6"]
    else:
        assert "SCHED_DEADLINE" in r.stderr and "CAP_SYS_NICE" in r.stderr


def test_io_priority(oci):
    host_root(oci)
    ask = "import ctypes; print(ctypes.CDLL(None).syscall(252, 1, 0))"  # ioprio_get
    out = run(oci, *PYTHON, ask, ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 6}).stdout
    assert int(out) == 2 << 13 | 6
    refused(oci, "process.ioPriority.class", ioPriority={"class": "BEST", "priority": 1})
    refused(oci, "process.ioPriority.priority", ioPriority={"class": "IOPRIO_CLASS_BE",
                                                            "priority": 8})


def test_exec_cpu_affinity(oci):
    """Only of what exec adds; the first process keeps all."""
    if os.cpu_count() < 2:
        pytest.skip("one processor")
    allowed = "grep Cpus_allowed_list /proc/self/status"
    shutil.copy(shutil.which("busybox"), oci.bundle / "rootfs/bin/grep")
    oci.write("sh", "-c", f"{allowed}; sleep 600", execCPUAffinity={"initial": "0", "final": "1"})
    oci.make("create", oci.id)
    oci("start", oci.id)
    assert oci("exec", oci.id, "sh", "-c", allowed).stdout.split()[1] == "1"
    process = {"cwd": "/", "args": ["sh", "-c", allowed], "user": {"uid": 0, "gid": 0},
               "env": ["PATH=/bin"], "execCPUAffinity": {"initial": "0"}}
    doc = oci.bundle / "process.json"
    doc.write_text(json.dumps(process))
    assert oci("exec", "--process", doc, oci.id).stdout.split()[1] == "0"
    process["execCPUAffinity"] = {"final": "0-"}
    doc.write_text(json.dumps(process))
    r = oci("exec", "--process", doc, oci.id, check=False)
    assert r.returncode == 255 and "'0-' is no list of CPUs" in r.stderr
    assert oci.out().split()[1] == ",".join(sorted({oci.out().split()[1]}))  # one line: the first
    assert oci.out().split()[1] != "1"


def test_oom_score(oci):
    own = int(open("/proc/self/oom_score_adj", encoding="ascii").read())
    out = run(oci, "cat", "/proc/self/oom_score_adj", oomScoreAdj=own + 10).stdout
    assert int(out) == own + 10
    refused(oci, "process.oomScoreAdj", oomScoreAdj=2000)
    r = run(oci, "cat", "/proc/self/oom_score_adj", check=False, oomScoreAdj=-999)
    if r.returncode == 0:
        assert int(r.stdout) == -999
    else:
        assert "CAP_SYS_RESOURCE" in r.stderr


def test_personality(oci):
    oci.config["linux"]["personality"] = {"domain": "LINUX32"}
    shutil.copy(shutil.which("busybox"), oci.bundle / "rootfs/bin/uname")
    assert run(oci, "uname", "-m").stdout == "i686\n"
    oci.config["linux"]["personality"]["domain"] = "BSD"
    refused(oci, "linux.personality.domain")


def test_memory_policy(oci):
    ask = "grep -c 'bind:0' /proc/self/numa_maps || cat /proc/self/numa_maps"
    shutil.copy(shutil.which("busybox"), oci.bundle / "rootfs/bin/grep")
    oci.config["linux"]["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0",
                                           "flags": ["MPOL_F_STATIC_NODES"]}
    ask = "grep -c bind /proc/self/numa_maps"
    assert int(run(oci, "sh", "-c", ask).stdout) > 0
    oci.config["linux"]["memoryPolicy"]["nodes"] = "1023"
    r = run(oci, "true", check=False)
    assert r.returncode == 1 and "'1023'" in r.stderr
    oci.config["linux"]["memoryPolicy"] = {"mode": "MPOL_SOMEWHERE"}
    refused(oci, "MPOL_SOMEWHERE")


def apparmor():
    try:
        with open("/proc/self/attr/apparmor/current", encoding="ascii") as f:
            return bool(f.read())
    except OSError:  # a kernel without it, or one that does not use it
        return False


@pytest.mark.skipif(apparmor(), reason="this host has AppArmor")
def test_security_labels_without_a_module(oci):
    """Told on creation, not refused, as by other runtimes."""
    oci.config["linux"]["mountLabel"] = "system_u:object_r:m:s0"
    r = run(oci, "echo", "hi", apparmorProfile="unknown", selinuxLabel="system_u:object_r:x:s0")
    assert r.stdout == "hi\n"
    assert "no AppArmor" in r.stderr and r.stderr.count("no SELinux") == 2


@pytest.mark.skipif(not apparmor(), reason="this host has no AppArmor")
def test_apparmor_profile(oci):
    r = run(oci, "cat", "/proc/self/attr/apparmor/current", apparmorProfile="unconfined")
    assert r.stdout.startswith("unconfined") and r.stderr == ""
    refused(oci, "cannot set 'exec unknown'", apparmorProfile="unknown")


def test_intel_rdt_is_refused(oci):
    oci.config["linux"]["intelRdt"] = {"closID": "x"}
    refused(oci, "linux.intelRdt")


class Agent(threading.Thread):
    """Answers each notified mkdir with an errno of its own; keeps what it was told."""

    ERRNO = 95  # EOPNOTSUPP

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(4)
        self.told, self.answered = [], 0
        self.start()

    def run(self):
        while True:
            conn, _ = self.listener.accept()
            data, anc, _, _ = conn.recvmsg(65536, socket.CMSG_SPACE(4))
            while chunk := conn.recv(65536):
                data += chunk
            self.told.append(json.loads(data))
            fd = array.array("i", anc[0][2])[0]
            threading.Thread(target=self.serve, args=(fd,), daemon=True).start()

    def serve(self, fd):
        recv, send = 0xc0502100, 0xc0182101  # SECCOMP_IOCTL_NOTIF_RECV, _SEND
        while True:
            note = bytearray(80)
            try:
                fcntl.ioctl(fd, recv, note)
            except OSError:
                os.close(fd)
                return
            answer = bytearray(24)
            answer[0:8] = note[0:8]
            answer[16:20] = ctypes.c_int32(-self.ERRNO)
            fcntl.ioctl(fd, send, answer)
            self.answered += 1


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_seccomp_agent(oci, no_new_privileges):
    shutil.copy(shutil.which("busybox"), oci.bundle / "rootfs/bin/mkdir")
    path = oci.bundle / "agent"
    agent = Agent(path)
    oci.config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(path), "listenerMetadata": "meta",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]}
    oci.write("sh", "-c", "mkdir /tmp/x; sleep 600", noNewPrivileges=no_new_privileges)
    oci.make("create", oci.id)
    oci("start", oci.id)
    r = oci("exec", oci.id, "mkdir", "/tmp/y", check=False)
    assert "not supported" in r.stderr
    assert len(agent.told) == 2 and agent.answered == 2
    first, second = agent.told
    assert first["fds"] == ["seccompFd"] and first["metadata"] == "meta"
    assert first["state"]["id"] == oci.id and first["pid"] == oci.state()["pid"]
    assert first["state"]["status"] == "creating" and second["state"]["status"] == "running"
    assert second["pid"] != first["pid"]


def test_seccomp_agent_is_missing(oci):
    oci.config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(oci.bundle / "nobody"),
        "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}
    refused(oci, "seccomp listener")
    del oci.config["linux"]["seccomp"]["listenerPath"]
    refused(oci, "listenerPath")


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_seccomp_of_older_kernels(oci, no_new_privileges):
    """A profile that does not know what kist itself calls last does not hinder it."""
    oci.config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["faccessat2", "close_range", "getcwd", "openat2"],
             "action": "SCMP_ACT_ERRNO"}]}
    assert run(oci, "echo", "hi", noNewPrivileges=no_new_privileges, cwd="/tmp").stdout == "hi\n"


def test_mounts_stand_in_order(oci):
    """As mountinfo lists them; what a bind mount cannot have of a file system is left out."""
    oci.config["mounts"] += [
        {"destination": "/m/a", "type": "tmpfs", "source": "tmpfs"},
        {"destination": "/m/b", "source": "/etc", "options": ["bind", "ro", "mode=755"]},
        {"destination": "/m/c", "source": "/usr", "options": ["rbind", "unbindable", "rro"]},
        {"destination": "m/d", "type": "tmpfs", "source": "tmpfs", "options": ["shared"]}]
    lines = [line.split() for line in run(oci, "cat", "/proc/self/mountinfo").stdout.splitlines()]
    mine = [(line[4], line[5].split(",")[0], line[6].split(":")[0]) for line in lines
            if line[4].startswith("/m/") and line[4].count("/") == 2]
    assert mine == [("/m/a", "rw", "-"), ("/m/b", "ro", "-"), ("/m/c", "ro", "unbindable"),
                    ("/m/d", "rw", "shared")]
    oci.config["mounts"][-3]["options"] = ["bind", "rox"]
    refused(oci, "'rox' is no option of the bind mount at '/m/b'")


def ip(*args):
    return subprocess.run(["ip", *args], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def device(name):
    """A device of the host (an end of a veth), with addresses, that is removed if it is still there."""
    link, peer = name[:12], f"p{name[1:12]}"
    ip("link", "add", link, "type", "veth", "peer", "name", peer)
    try:
        ip("link", "set", link, "mtu", "1321", "up")
        ip("addr", "add", "192.0.2.7/24", "dev", link)
        if IPV6:
            ip("addr", "add", "2001:db8::7/64", "dev", link, "nodad")
        ip("addr", "add", "198.51.100.7/24", "valid_lft", "900", "preferred_lft", "900",
           "dev", link)
        yield link
    finally:
        subprocess.run(["ip", "link", "del", peer], check=False, capture_output=True)


def test_net_devices(oci, device):
    oci.config["linux"]["netDevices"] = {device: {"name": "inner0"}}
    oci.write("sleep", "600")
    oci.make("run", "-d", oci.id)
    inside = ["nsenter", "-t", str(oci.state()["pid"]), "-n", "ip", "-j", "addr", "show"]
    links = {link["ifname"]: link for link in json.loads(subprocess.check_output(inside))}
    assert set(links) == {"lo", "inner0"}
    inner = links["inner0"]
    assert inner["mtu"] == 1321 and "UP" in inner["flags"]
    have = {(a["local"], a["prefixlen"]) for a in inner["addr_info"] if a["scope"] == "global"}
    assert have == {("192.0.2.7", 24)} | V6  # not the one of a lease
    assert device not in ip("link")


def test_net_devices_come_back_after_a_failure(oci, device):
    oci.config["linux"]["netDevices"] = {device: {}}
    oci.write("/nowhere")
    assert oci.make("create", oci.id, check=False).returncode == 1
    shown = ip("addr", "show", device)
    assert "192.0.2.7/24" in shown and all(a in shown for a, _ in V6)


def test_net_devices_refused(oci, device):
    oci.config["linux"]["netDevices"] = {device: {"name": "lo"}}
    refused(oci, "there is a 'lo' in the container")
    oci.config["linux"]["netDevices"] = {"nothere0": {}}
    refused(oci, "cannot find the network device 'nothere0'")
    oci.config["linux"]["netDevices"] = {device: {"name": "a"}, "nothere0": {"name": "a"}}
    refused(oci, "gives two devices the name 'a'")
    oci.config["linux"]["netDevices"] = {device: {"name": "a/b"}}
    refused(oci, f"'linux.netDevices.{device}' is no name")
    assert device in ip("link")


def test_shared_mount_namespaces(oci):
    """Without one of its own, or in a joined one: its mounts are seen by nobody else."""
    if [int(n) for n in os.uname().release.split(".")[:2]] < [6, 15]:
        oci.config["linux"]["namespaces"] = [
            n for n in oci.config["linux"]["namespaces"] if n["type"] != "mount"]
        refused(oci, "needs Linux 6.15")
        return
    before = open("/proc/self/mountinfo", encoding="utf-8").read()
    holder = subprocess.Popen(["unshare", "-m", "sleep", "600"])
    kinds = oci.config["linux"]["namespaces"]
    try:
        wait_for(lambda: os.readlink(f"/proc/{holder.pid}/ns/mnt") !=
                 os.readlink("/proc/self/ns/mnt"), "the namespace is there")
        theirs = open(f"/proc/{holder.pid}/mountinfo", encoding="utf-8").read()
        for owner, path in (("self", None), (str(holder.pid), f"/proc/{holder.pid}/ns/mnt")):
            oci.config["linux"]["namespaces"] = [n for n in kinds if n["type"] != "mount"]
            if path:
                oci.config["linux"]["namespaces"].append({"type": "mount", "path": path})
            oci.write("sh", "-c", "ls /; echo x > /dev/null; cat /proc/1/comm; sleep 600")
            (oci.bundle / "out").unlink(missing_ok=True)
            oci.make("create", oci.id)
            pid = oci.state()["pid"]
            assert os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink(f"/proc/{owner}/ns/mnt")
            oci("start", oci.id)
            wait_for(lambda: oci.out().split()[-1:] == ["sh"], "it runs in its own root and /proc")
            assert "bin" in oci.out().split() and "boot" not in oci.out().split()
            r = oci("exec", oci.id, "ls", "/")
            assert "bin" in r.stdout.split() and "boot" not in r.stdout.split()
            assert open("/proc/self/mountinfo", encoding="utf-8").read() == before
            assert open(f"/proc/{holder.pid}/mountinfo", encoding="utf-8").read() == theirs
            r = oci("checkpoint", "--image-path", oci.bundle / "image", oci.id, check=False)
            assert r.returncode == 1 and "no mount namespace of its own" in r.stderr
            oci("delete", "--force", oci.id)
    finally:
        holder.kill()
        holder.wait()


def test_namespaces_of_a_wrong_kind(oci):
    kinds = oci.config["linux"]["namespaces"]
    oci.config["linux"]["namespaces"] = [n for n in kinds if n["type"] != "network"] + [
        {"type": "network", "path": "/proc/self/ns/uts"}]
    refused(oci, "'/proc/self/ns/uts' is not a network namespace")
    oci.config["linux"]["namespaces"] = kinds + [{"type": "pid"}]
    refused(oci, "gives the namespace 'pid' a second time")


def test_process_may_be_absent(oci):
    """Then there is a container, which cannot be started."""
    process = oci.config.pop("process")
    (oci.bundle / "config.json").write_text(json.dumps(oci.config))
    oci.make("create", oci.id)
    assert oci.state()["status"] == "created"
    r = oci("start", oci.id, check=False)
    assert r.returncode == 1 and "has no 'process'" in r.stderr
    assert oci.state()["status"] == "created"
    assert oci("exec", "--cwd", "/", "-e", "PATH=/bin", oci.id, "echo", "hi").stdout == "hi\n"
    oci("delete", "--force", oci.id)
    r = oci("run", "--bundle", oci.bundle, oci.id, check=False)
    assert r.returncode == 1 and "has no 'process'" in r.stderr
    assert oci("list", "-q").stdout == ""
    oci.config["process"] = process


def test_devices(oci):
    shutil.copy(shutil.which("busybox"), oci.bundle / "rootfs/bin/stat")
    oci.config["linux"]["devices"] = [
        {"path": "/dev/c", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 7, "gid": 8},
        {"path": "/dev/u", "type": "u", "major": 1, "minor": 5},
        {"path": "/dev/deep/b", "type": "b", "major": 7, "minor": 0, "fileMode": 0o600},
        {"path": "/dev/p", "type": "p", "fileMode": 0o622},
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600, "uid": 3}]
    out = run(oci, "stat", "-c", "%F %a %u %g %t:%T", "/dev/c", "/dev/u", "/dev/deep/b", "/dev/p",
              "/dev/null").stdout.splitlines()
    assert out == ["character special file 640 7 8 1:3", "character special file 666 0 0 1:5",
                   "block special file 600 0 0 7:0", "fifo 622 0 0 0:0",
                   "character special file 600 3 0 1:3"]
    oci.config["linux"]["devices"] = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 5}]
    refused(oci, "'/dev/null' in the rootfs is something else than the device")
    oci.config["linux"]["devices"] = [{"path": "/dev/x", "type": "x"}]
    refused(oci, "linux.devices[0].type")


def test_paths_that_are_not_there(oci):
    oci.config["linux"]["maskedPaths"] = ["/nothere", "/etc/hosts/x", "/proc/kcore"]
    oci.config["linux"]["readonlyPaths"] = ["/nothere", "/proc/sys"]
    assert run(oci, "echo", "hi").stdout == "hi\n"
    oci.config["mounts"].append({"destination": "/m", "source": "/nothere", "options": ["bind"]})
    refused(oci, "cannot bind '/nothere' at '/m'")


@pytest.mark.parametrize("wanted, flag", [("shared", "shared"), ("slave", "master"),
                                          ("private", None), ("unbindable", "unbindable")])
def test_rootfs_propagation(oci, wanted, flag):
    oci.config["linux"]["rootfsPropagation"] = wanted
    lines = run(oci, "cat", "/proc/self/mountinfo").stdout.splitlines()
    root = next(line.split() for line in lines if line.split()[4] == "/")
    tags = {tag.split(":")[0] for tag in root[6:root.index("-")]} - {"propagate_from"}
    on = subprocess.check_output(["findmnt", "-n", "-o", "PROPAGATION", "-T", oci.bundle], text=True)
    if wanted in ("slave", "shared"):  # it follows what the host shares
        assert ("master" in tags) == ("shared" in on)
    assert tags - {"master"} == ({flag} - {"master"} if flag else set())


def pure_v2():
    return os.path.exists("/sys/fs/cgroup/cgroup.controllers")


def test_unified_keys_that_kist_does_not_know(oci):
    """Written as they are on cgroup v2; an unknown one, and any on another host, is an error."""
    resources = oci.config["linux"].setdefault("resources", {})
    resources["unified"] = {"memory.swap.high": "4194304", "cpu.weight.nice": "3"}
    if not pure_v2():
        refused(oci, "is no key that kist knows")
        return
    out = run(oci, "cat", "/sys/fs/cgroup/memory.swap.high", "/sys/fs/cgroup/cpu.weight.nice").stdout
    assert out.split() == ["4194304", "3"]
    resources["unified"] = {"nothing.max": "1"}
    refused(oci, "this kernel has no 'nothing.max'")
    resources["unified"] = {"../cpu.max": "1"}
    refused(oci, "'../cpu.max' is no limit")


@pytest.mark.parametrize("path", ["/kist-test-{}/inner", "kist-test-{}/inner"])
def test_cgroups_path(oci, path):
    oci.config["linux"]["cgroupsPath"] = path.format(oci.id)
    oci.config["linux"]["namespaces"] = [
        n for n in oci.config["linux"]["namespaces"] if n["type"] != "cgroup"]
    out = run(oci, "cat", "/proc/self/cgroup").stdout
    assert f"kist-test-{oci.id}/inner" in out
    for base, dirs, _ in os.walk("/sys/fs/cgroup"):
        for d in [d for d in dirs if d == f"kist-test-{oci.id}"]:
            os.rmdir(os.path.join(base, d))  # the parent is not the container's
        dirs[:] = [d for d in dirs if base.count("/") < 5]
    oci.config["linux"]["cgroupsPath"] = "system.slice:kist:x"
    refused(oci, "cgroups made by systemd")


@pytest.mark.parametrize("word, inner", [("idmap", 0), ("ridmap", 7)])
def test_idmap_of_a_tree(oci, word, inner):
    """Only ridmap maps what is mounted below, too."""
    src = oci.bundle / "src"
    (src / "sub").mkdir(parents=True)
    (src / "top").touch()
    script = (f"mount -t tmpfs none {src}/sub && touch {src}/sub/f && exec " + " ".join(
        oci.command("run", "--bundle", oci.bundle, oci.id)))
    maps = [{"containerID": 0, "hostID": 7, "size": 1}]
    oci.config["mounts"].append({
        "destination": "/m", "source": str(src), "options": ["rbind", word],
        "uidMappings": maps, "gidMappings": maps})
    oci.write("stat", "-c", "%u", "/m/top", "/m/sub/f")
    r = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True,
                       stdin=subprocess.DEVNULL, timeout=60, check=False)
    if "idmapped mounts" in r.stderr:
        pytest.skip("no idmapped mounts of these file systems")
    assert r.stdout.split() == ["7", str(inner)], r.stderr


def test_features_of_fields(oci):
    f = json.loads(oci("features").stdout)["linux"]
    assert f["netDevices"]["enabled"] and not f["intelRdt"]["enabled"]
    assert "MPOL_BIND" in f["memoryPolicy"]["modes"]
    assert "SCMP_ACT_NOTIFY" in f["seccomp"]["actions"] and f["apparmor"]["enabled"]


def test_user_fields(oci):
    shutil.copy(shutil.which("busybox"), oci.bundle / "rootfs/bin/umask")
    out = run(oci, "sh", "-c", "umask; id -u; id -g; id -G; ulimit -n; ulimit -Hn",
              user={"uid": 5, "gid": 6, "umask": 0o27, "additionalGids": [7, 8]},
              rlimits=[{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60}]).stdout.split()
    assert out == ["0027", "5", "6", "6", "7", "8", "50", "60"]
    refused(oci, "'RLIMIT_X' is no resource limit", rlimits=[
        {"type": "RLIMIT_X", "soft": 1, "hard": 1}])


def test_a_controller_that_is_not_there(oci):
    if os.path.exists("/sys/fs/cgroup/net_cls"):
        pytest.skip("this host has net_cls")
    oci.config["linux"].setdefault("resources", {})["network"] = {"classID": 7}
    refused(oci, "no net_cls")
