# SPDX-License-Identifier: Apache-2.0
"""kist-oci: the command line of an OCI runtime, by bundles with a busybox in them."""
import array
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import time

import pytest

from engine import busybox_root
from kist import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Oci:
    """The runtime with a root of its own, and one bundle."""

    def __init__(self, build, path, name):
        self.binary, self.root, self.id = str(build / "kist-oci"), path / "root", name
        self.bundle = path / "bundle"
        busybox_root(self.bundle / "rootfs")
        self("spec", "--bundle", self.bundle)
        self.config = json.loads((self.bundle / "config.json").read_text())

    def write(self, *args, **process):
        self.config["process"].update(process, args=list(args) or self.config["process"]["args"])
        (self.bundle / "config.json").write_text(json.dumps(self.config))

    def command(self, *args):
        return [self.binary, "--root", str(self.root), *map(str, args)]

    def __call__(self, *args, check=True, **kw):
        """Output goes through files: what is created inherits it."""
        kw.setdefault("stdin", subprocess.DEVNULL)
        r = subprocess.run(self.command(*args), text=True, check=False, timeout=60,
                           stdout=kw.pop("stdout", subprocess.PIPE),
                           stderr=kw.pop("stderr", subprocess.PIPE), **kw)
        assert not check or r.returncode == 0, (args, r.returncode, r.stdout, r.stderr)
        return r

    def make(self, verb, *args, out=None, check=True, **kw):
        """create, run -d and restore leave their stdio to the container."""
        path = out or self.bundle / "out"
        with open(path, "a+", encoding="utf-8") as f:
            r = subprocess.run(self.command(verb, "--bundle", self.bundle, *args), stdout=f,
                               stderr=f, stdin=subprocess.DEVNULL, timeout=60, check=False, **kw)
        assert not check or r.returncode == 0, (args, r.returncode, self.out())
        return r

    def out(self):
        return (self.bundle / "out").read_text()

    def state(self):
        return json.loads(self("state", self.id).stdout)

    def status(self, wanted):
        wait_for(lambda: self.state()["status"] == wanted, f"it is {wanted}")


@pytest.fixture
def oci(build, name):
    """Below /var/tmp: the state of tests is on a disk."""
    import pathlib
    import tempfile
    path = pathlib.Path(tempfile.mkdtemp(prefix="kist-oci-", dir="/var/tmp"))
    o = Oci(build, path, name)
    yield o
    for line in o("list", "-q").stdout.split():
        o("delete", "--force", line)
    shutil.rmtree(path)


def test_version_help_and_features(oci):
    out = oci("--version").stdout
    assert out.startswith("kist-oci version ") and "\ncommit: " in out and "\nspec: 1." in out
    for verb in "create start state kill delete exec ps list pause resume update events features " \
                "run spec checkpoint restore".split():
        assert verb in oci("--help").stdout
        assert f"kist-oci {verb}" in oci(verb, "--help").stdout
    f = json.loads(oci("features").stdout)
    assert f["ociVersionMin"] == "1.0.0" and "rro" in f["mountOptions"]
    assert "user" in f["linux"]["namespaces"] and "poststop" in f["hooks"]


def test_life(oci):
    """create and start are two processes; what is in between is told truly."""
    oci.write("sh", "-c", "echo started; exec sleep 600")
    oci.config["annotations"] = {"com.example": "yes"}
    oci.write()
    pid_file = oci.bundle / "pid"
    oci.make("create", "--pid-file", pid_file, oci.id)
    s = oci.state()
    assert s["status"] == "created" and s["bundle"] == str(oci.bundle) and s["id"] == oci.id
    assert s["annotations"] == {"com.example": "yes"} and s["rootfs"] == f"{oci.bundle}/rootfs"
    assert pid_file.read_text() == str(s["pid"])  # no newline
    assert oci.out() == ""
    oci("start", oci.id)
    wait_for(lambda: oci.out() == "started\n", "the command runs")
    assert oci.state()["status"] == "running"
    assert oci.state()["pid"] == s["pid"]
    r = oci("start", oci.id, check=False)
    assert r.returncode == 1 and "running" in r.stderr
    assert [c["id"] for c in json.loads(oci("list", "--format=json").stdout)] == [oci.id]
    assert oci("list", "-q").stdout == oci.id + "\n"
    assert oci.id in oci("list").stdout
    assert json.loads(oci("ps", "--format", "json", oci.id).stdout) == [s["pid"]]
    assert "sleep 600" in oci("ps", oci.id).stdout
    r = oci("delete", oci.id, check=False)
    assert r.returncode == 1 and "not stopped" in r.stderr
    oci("kill", oci.id, "SIGKILL")
    oci.status("stopped")
    assert oci.state()["pid"] == 0
    r = oci("kill", oci.id, "9", check=False)
    assert r.returncode == 1 and "container not running" in r.stderr
    oci("delete", oci.id)
    r = oci("state", oci.id, check=False)
    assert r.returncode == 1 and "does not exist" in r.stderr
    assert oci("delete", oci.id, check=False).returncode == 1
    assert oci("delete", "--force", oci.id).returncode == 0


def test_run(oci):
    oci.write("sh", "-c", "echo $GREETING; pwd; exit 7", env=["PATH=/bin", "GREETING=hi"], cwd="/tmp")
    r = oci("run", "--bundle", oci.bundle, oci.id, check=False)
    assert (r.returncode, r.stdout) == (7, "hi\n/tmp\n")
    assert oci("list", "-q").stdout == ""
    oci.write("sh", "-c", "kill -9 $$; sleep 9")
    oci.write("sleep", "600")
    oci.make("run", "--detach", oci.id)
    assert oci.state()["status"] == "running"
    r = oci.make("create", oci.id, check=False)
    assert r.returncode == 1 and "exists" in oci.out()


@pytest.mark.parametrize("args, text", [
    (["/nonexistent"], "no such file or directory"),
    (["nonexistent"], "'nonexistent': executable file not found in $PATH"),
    (["/etc"], "permission denied"),
])
def test_what_cannot_be_executed(oci, args, text):
    oci.write(*args)
    r = oci("run", "--bundle", oci.bundle, oci.id, check=False)
    assert r.returncode == 1 and text.lower() in r.stderr.lower()
    assert oci("list", "-q").stdout == ""
    r = oci.make("create", oci.id, check=False)  # engines want to hear of it as early as this
    assert r.returncode == 1 and text.lower() in oci.out().lower()
    assert oci("list", "-q").stdout == ""


def test_errors_are_logged(oci):
    log = oci.bundle / "log.json"
    r = oci("--log", log, "--log-format=json", "state", "nobody", check=False)
    assert r.returncode == 1 and "does not exist" in r.stderr
    for wrong in ("--log-format=xml", "--log=/nonexistent/log"):
        assert oci(wrong, "list", check=False).returncode == 1
    line = json.loads(log.read_text())
    assert line["level"] == "error" and "does not exist" in line["msg"] and line["time"][10] == "T"
    oci.write("true")
    oci.config["process"]["args"] = 5
    (oci.bundle / "config.json").write_text(json.dumps(oci.config))
    r = oci("run", "-b", oci.bundle, oci.id, check=False)
    assert r.returncode == 1 and "process.args" in r.stderr


def test_exec(oci):
    oci.write("sleep", "600")
    oci.make("run", "-d", oci.id)
    assert oci("exec", oci.id, "echo", "-n", "x").stdout == "x"
    assert oci("exec", oci.id, "sh", "-c", "exit 5", check=False).returncode == 5
    assert oci("exec", "--env", "PATH=/bin:/x", oci.id, "sh", "-c", "echo $PATH").stdout == "/bin:/x\n"
    assert oci("exec", "--user", "3:4", "--env", "A=b", "--cwd", "/tmp", oci.id, "sh", "-c",
               "id -u; id -g; echo $A; pwd").stdout == "3\n4\nb\n/tmp\n"
    assert oci("exec", oci.id, "nonexistent", check=False).returncode == 255
    process = dict(oci.config["process"], args=["sh", "-c", "echo $HELLO > /tmp/x; exec sleep 500"],
                   env=["PATH=/bin", "HELLO=you"])
    (oci.bundle / "process.json").write_text(json.dumps(process))
    oci("exec", "--process", oci.bundle / "process.json", "--detach", "--pid-file",
        oci.bundle / "exec.pid", oci.id, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pid = int((oci.bundle / "exec.pid").read_text())
    wait_for(lambda: open(f"/proc/{pid}/cmdline", "rb").read() == b"sleep\x00500\x00", "it runs")
    assert (oci.bundle / "rootfs/tmp/x").read_text() == "you\n"
    assert pid in json.loads(oci("ps", "--format", "json", oci.id).stdout)
    oci("pause", oci.id)
    r = oci("exec", oci.id, "true", check=False)
    assert r.returncode == 255 and "paused" in r.stderr
    oci("resume", oci.id)
    oci("kill", "--all", oci.id, "KILL")
    oci.status("stopped")
    r = oci("exec", oci.id, "true", check=False)
    assert r.returncode == 255 and "container not running" in r.stderr


def receive_terminal(path, start):
    """What the runtime sends to a console socket while start() runs."""
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        s.listen()
        p = start()
        c, _ = s.accept()
        msg, anc, _, _ = c.recvmsg(4096, socket.CMSG_SPACE(4))
        assert msg
        p.wait(timeout=20)
        assert p.returncode == 0
        return array.array("i", anc[0][2])[0]


def read_until(fd, text):
    got = b""
    while text not in got:
        got += os.read(fd, 4096)
    return got


def test_terminal(oci):
    """The master goes to the console socket, of the container and of a process that joins it."""
    oci.write("sh", "-c", "tty; read x; echo got $x; sleep 600", terminal=True,
              consoleSize={"height": 30, "width": 90})
    popen = lambda *a: subprocess.Popen(oci.command(*a), stdin=subprocess.DEVNULL)
    sock = oci.bundle / "tty.sock"
    fd = receive_terminal(sock, lambda: popen("create", "-b", oci.bundle, "--console-socket", sock,
                                              oci.id))
    oci("start", oci.id)
    assert b"/dev/pts/0" in read_until(fd, b"pts/0")
    assert os.get_terminal_size(fd) == (90, 30)
    os.write(fd, b"word\n")
    read_until(fd, b"got word")
    sock.unlink()
    process = dict(oci.config["process"], args=["tty"])
    (oci.bundle / "process.json").write_text(json.dumps(process))
    fd2 = receive_terminal(sock, lambda: popen("exec", "-d", "-p", oci.bundle / "process.json",
                                               "--console-socket", sock, oci.id))
    assert b"/dev/pts/1" in read_until(fd2, b"pts/1")
    os.close(fd)
    os.close(fd2)
    r = oci.make("create", oci.id + "x", check=False)
    assert r.returncode == 1 and "--console-socket" in oci.out()


def test_terminal_in_the_foreground(oci):
    oci.write("sh", "-c", "tty", terminal=True)
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(oci.binary, oci.command("run", "-b", oci.bundle, oci.id))
    assert b"/dev/pts/0" in read_until(fd, b"pts/0")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(fd)


def test_fds_are_passed_on(oci):
    """The first N behind standard error, and none of the others."""
    oci.write("sh", "-c", "echo through >&3; ls -l /proc/self/fd")
    run = 'exec 3>"$0/three" 4>"$0/four"; exec "$@"'
    p = subprocess.run(["sh", "-c", run, oci.bundle, *oci.command(
        "run", "-b", oci.bundle, "--preserve-fds", "1", oci.id)], check=True, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert (oci.bundle / "three").read_text() == "through\n"
    assert "bundle/three" in p.stdout and "bundle/four" not in p.stdout


def test_update(oci):
    oci.write("sleep", "600")
    oci.config["linux"]["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 50}}
    oci.write()
    oci.make("run", "-d", oci.id)
    for wrong in "500ms", "0", "x":
        assert oci("events", "--interval", wrong, oci.id, check=False).returncode == 1
    stat = lambda: json.loads(oci("events", "--stats", oci.id).stdout)["data"]
    assert stat()["memory"]["usage"]["limit"] == 64 << 20
    assert stat()["pids"]["limit"] == 50
    oci("update", "--memory", "32M", oci.id)
    oci("update", "--pids-limit=20", oci.id)
    assert stat()["memory"]["usage"]["limit"] == 32 << 20 and stat()["pids"]["limit"] == 20
    subprocess.run(oci.command("update", "--resources", "-", oci.id), check=True,
                   input=b'{"memory": {"limit": 50331648}, "cpu": {"quota": 30000}}')
    assert stat()["memory"]["usage"]["limit"] == 48 << 20
    r = oci("update", "--memory", "lots", oci.id, check=False)
    assert r.returncode == 1 and "--memory" in r.stderr


HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def test_hooks(oci):
    """All six, in order, each with the state on its stdin; the fourth sees the container's root."""
    log = oci.bundle / "rootfs" / "hooks"
    script = oci.bundle / "hook.sh"
    script.write_text(f"#!/bin/sh\nread -r line; echo \"$1 $VAR $line\" >> {log}\n")
    script.chmod(0o755)
    inside = oci.bundle / "rootfs" / "bin" / "hook.sh"
    inside.write_text("#!/bin/sh\nread -r line; echo \"$1 $VAR $line\" >> /hooks\n")
    inside.chmod(0o755)
    oci.write("true")
    oci.config["root"]["readonly"] = False
    oci.config["hooks"] = {h: [{"path": "/bin/hook.sh" if h == "startContainer" else str(script),
                                "args": ["hook", h], "env": ["VAR=1"]}] for h in HOOKS}
    oci.write()
    assert oci("run", "-b", oci.bundle, oci.id).returncode == 0
    lines = [line.split(" ", 2) for line in log.read_text().splitlines()]
    assert [line[0] for line in lines] == list(HOOKS)
    states = [json.loads(line[2]) for line in lines]
    assert {s["id"] for s in states} == {oci.id} and all(line[1] == "1" for line in lines)
    assert [s["status"] for s in states] == ["created", "creating", "creating", "created", "running", "stopped"]
    assert states[1]["pid"] > 1


@pytest.mark.parametrize("kind", HOOKS)
def test_failing_hooks(oci, kind):
    oci.write("sleep", "600")
    path = "/bin/kill" if kind == "startContainer" else "/bin/false"
    oci.config["hooks"] = {kind: [{"path": path, "args": ["x"]}]}
    oci.write()
    if kind == "poststop":
        oci.make("run", "-d", oci.id)
        r = oci("delete", "--force", oci.id)
        assert "poststop hook" in r.stderr
    else:
        r = oci("run", "-d", "-b", oci.bundle, oci.id, check=False)
        assert r.returncode == 1 and f"the {kind} hook" in r.stderr
    assert oci("list", "-q").stdout == ""


def test_hook_that_hangs(oci):
    oci.write("true")
    oci.config["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "100"],
                                              "timeout": 1}]}
    oci.write()
    start = time.monotonic()
    r = oci("run", "-b", oci.bundle, oci.id, check=False)
    assert r.returncode == 1 and "longer than 1 s" in r.stderr and time.monotonic() - start < 10


def test_killed_creator(oci):
    """kill -9 of create: state tells the truth, delete --force leaves nothing."""
    oci.write("sleep", "600")
    for n in range(12):
        p = subprocess.Popen(oci.command("create", "-b", oci.bundle, f"{oci.id}-{n}"),
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        time.sleep(0.002 * n)
        p.send_signal(signal.SIGKILL)
        p.wait()
        for c in json.loads(oci("list", "-f", "json").stdout):
            assert c["status"] in ("creating", "created", "stopped")
            if c["status"] == "created":
                assert os.path.exists(f"/proc/{c['pid']}")
            oci("delete", "--force", c["id"])
        assert oci("list", "-q").stdout == ""


@pytest.mark.checkpoint
def test_checkpoint_and_restore(oci):
    """Into another container of the same bundle, as engines do it."""
    oci.write("sh", "-c", "i=0; while true; do i=$((i+1)); echo $i; sleep 0.05; done")
    oci.make("run", "-d", oci.id)
    wait_for(lambda: len(oci.out().split()) > 3, "it counts")
    image = oci.bundle / "checkpoint"
    oci("checkpoint", "--image-path", image, "--work-path", oci.bundle, "--leave-running", oci.id)
    assert (image / "inventory.img").exists() and oci.state()["status"] == "running"
    shutil.rmtree(image)
    oci("checkpoint", "--image-path", image, "--work-path", oci.bundle, oci.id)
    assert oci.state()["status"] == "stopped"
    last = int(oci.out().split()[-1])
    oci("delete", oci.id)
    oci.make("restore", "--image-path", image, "--work-path", oci.bundle, "--pid-file",
             oci.bundle / "pid", "--detach", "-no-subreaper", oci.id)
    assert oci.state()["pid"] == int((oci.bundle / "pid").read_text())
    wait_for(lambda: int(oci.out().split()[-1]) > last + 3, "it goes on")
    numbers = [int(n) for n in oci.out().split()]
    assert numbers == list(range(1, len(numbers) + 1))
    # what is refused leaves the image that is there as it is
    for wrong in ("nobody",), ("--pre-dump", oci.id), ("--parent-path", "x", oci.id):
        assert oci("checkpoint", "--image-path", image, *wrong, check=False).returncode == 1
    assert oci("pause", oci.id).returncode == 0
    oci("kill", "--all", oci.id, "KILL")
    oci("resume", oci.id, check=False)
    oci.status("stopped")
    assert oci("checkpoint", "--image-path", image, oci.id, check=False).returncode == 1
    check = subprocess.run([oci.binary.replace("kist-oci", "kist"), "image", "check", str(image)],
                           capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stderr
    r = oci("checkpoint", "--image-path", image, "--pre-dump", oci.id, check=False)
    assert r.returncode == 1 and "--pre-dump" in r.stderr


def test_scheduling(oci):
    """What the kernel says of the running process, of the first and of one that joins."""
    oci.write("sleep", "600", scheduler={"policy": "SCHED_BATCH", "nice": 5},
              ioPriority={"class": "IOPRIO_CLASS_IDLE", "priority": 0})
    oci.config["linux"]["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0"}
    oci.write()
    oci.make("run", "-d", oci.id)
    pid = oci.state()["pid"]
    assert os.sched_getscheduler(pid) == os.SCHED_BATCH
    assert os.getpriority(os.PRIO_PROCESS, pid) == 5
    with open(f"/proc/{pid}/numa_maps", encoding="ascii") as f:
        assert " bind:0 " in f.read()
    r = subprocess.run(["ionice", "-p", str(pid)], capture_output=True, text=True, check=True)
    assert r.stdout.strip() == "idle"
    process = dict(oci.config["process"], args=["sleep", "500"],
                   scheduler={"policy": "SCHED_OTHER", "nice": 7}, execCPUAffinity={"final": "0"})
    del process["ioPriority"]
    (oci.bundle / "process.json").write_text(json.dumps(process))
    oci("exec", "-d", "-p", oci.bundle / "process.json", "--pid-file", oci.bundle / "exec.pid",
        oci.id, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pid = int((oci.bundle / "exec.pid").read_text())
    assert os.getpriority(os.PRIO_PROCESS, pid) == 7 and os.sched_getaffinity(pid) == {0}


@pytest.mark.parametrize("field, value, text", [
    ("scheduler", {"policy": "SCHED_FUN"}, "'process.scheduler.policy'"),
    ("scheduler", {"policy": "SCHED_DEADLINE", "runtime": 5}, "SCHED_DEADLINE"),
    ("execCPUAffinity", {"final": "x"}, "list of CPUs"),
])
def test_wrong_scheduling(oci, field, value, text):
    oci.write("true", **{field: value})
    r = oci("run", "-b", oci.bundle, oci.id, check=False)
    assert r.returncode == 1 and text in r.stderr
    assert oci("list", "-q").stdout == ""


@pytest.mark.parametrize("policy, text", [
    ({}, "has no mode"), ({"mode": "MPOL_FUN"}, "'linux.memoryPolicy.mode'"),
    ({"mode": "MPOL_BIND", "nodes": "a"}, "list of memory nodes"),
    ({"mode": "MPOL_BIND", "nodes": "900"}, "cannot set the memory policy"),
])
def test_wrong_memory_policy(oci, policy, text):
    oci.write("true")
    oci.config["linux"]["memoryPolicy"] = policy
    oci.write()
    r = oci("run", "-b", oci.bundle, oci.id, check=False)
    assert r.returncode == 1 and text in r.stderr


def test_seccomp_listener(oci):
    """The notify fd comes to the listener with the state, before the command runs."""
    path = oci.bundle / "listener"
    oci.write("sleep", "600")
    oci.config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(path), "listenerMetadata": "mine",
        "syscalls": [{"names": ["chroot"], "action": "SCMP_ACT_NOTIFY"}]}
    oci.write()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        s.listen()
        s.settimeout(20)
        oci.make("run", "-d", oci.id)
        c, _ = s.accept()
        msg, anc, _, _ = c.recvmsg(16384, socket.CMSG_SPACE(4))
    m = json.loads(msg)
    assert m["fds"] == ["seccompFd"] and m["metadata"] == "mine" and m["state"]["id"] == oci.id
    assert m["pid"] == oci.state()["pid"]
    fd = array.array("i", anc[0][2])[0]
    assert "seccomp notify" in os.readlink(f"/proc/self/fd/{fd}")
    os.close(fd)
    oci("delete", "--force", oci.id)
    path.unlink()
    r = oci("run", "-b", oci.bundle, oci.id, check=False)
    assert r.returncode == 1 and "seccomp listener" in r.stderr


def test_home_directory_and_stdio_of_users(oci):
    etc = oci.bundle / "rootfs/etc/passwd"
    etc.write_text("root:x:0:0::/root:/bin/sh\nme:x:7:8::/home/me:/bin/sh\n")
    oci.write("sh", "-c", "echo $HOME; echo again > /proc/self/fd/1; pwd", cwd="/new/dir",
              user={"uid": 7, "gid": 8}, env=["PATH=/bin"])
    oci.config["root"]["readonly"] = False
    oci.write()
    r = oci("run", "-b", oci.bundle, oci.id)
    assert r.stdout == "/home/me\nagain\n/new/dir\n"
