# SPDX-License-Identifier: Apache-2.0
"""podman on kist-oci: the commands of every day, with state, images and configuration of their own."""
import json
import os
import pathlib
import pty
import shutil
import subprocess
import tempfile

import pytest

from engine import Client, busybox_tar, remove, remove_cgroups
from kist import wait_for

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
              pytest.mark.skipif(not shutil.which("podman"), reason="podman is not installed")]

# Without CAP_SYS_RESOURCE podman's own defaults cannot be had.
CONF = """[containers]
default_ulimits = ["nofile=20000:20000","nproc=32768:32768"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime_supports_json = ["kist-oci"]
[engine.runtimes]
kist-oci = ["{}"]
"""


class Podman(Client):
    def __init__(self, path, runtime):
        conf = path / "containers.conf"
        conf.write_text(CONF.format(runtime))
        # what podman asks for its version before a checkpoint
        (path / "sbin").mkdir()
        (path / "sbin/criu").symlink_to(runtime.parent / "kist-criu")
        super().__init__(path, CONTAINERS_CONF=str(conf), TMPDIR=str(path),
                         PATH=f"{path}/sbin:{os.environ['PATH']}")

    def command(self, *args):
        # bridges and rules of the engine stay in a network namespace of the test's own
        return ["nsenter", f"--net=/run/netns/{self.path.name}", "podman", "--root",
                f"{self.path}/root", "--runroot", f"{self.path}/run", "--tmpdir", f"{self.path}/tmp",
                "--storage-driver", "vfs", "--runtime", "kist-oci", *map(str, args)]

    def run(self, *args, status=0):
        return self("run", "--rm", *args, status=status)

    def sh(self, script, *options, status=0):
        return self.run(*options, "bb:1", "sh", "-ec", script, status=status)

    def tty(self, *args):
        pid, fd = pty.fork()
        if pid == 0:
            os.execvpe("nsenter", self.command(*args), self.env)
        got = b""
        try:
            while data := os.read(fd, 4096):
                got += data
        except OSError:  # the end, for a terminal
            pass
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), got.decode()


@pytest.fixture(scope="module")
def podman(build):
    path = pathlib.Path(tempfile.mkdtemp(prefix="kist-podman-", dir="/var/tmp"))
    p = Podman(path, build / "kist-oci")
    subprocess.run(["ip", "netns", "add", path.name], check=True)
    subprocess.run(["ip", "-n", path.name, "link", "set", "lo", "up"], check=True)
    p("import", busybox_tar(path), "localhost/bb:1")
    yield p
    p("rm", "-af", "-t", "0")
    p("rmi", "-af")
    subprocess.run(["ip", "netns", "del", path.name], check=True)
    remove(path)


def test_exit_statuses(podman):
    podman.sh("true", "--network", "none")
    podman.sh("exit 42", "--network", "none", status=42)
    assert "no such file" in podman.run("--network", "none", "bb:1", "/nope", status=127)
    assert "not found in $PATH" in podman.run("--network", "none", "bb:1", "nope", status=127)
    podman.run("--network", "none", "bb:1", "/etc", status=126)


@pytest.mark.parametrize("options, script", [
    ("", "ip addr show eth0"),
    ("--network host", "true"),
    ("-u 1000:1000", "[ $(id -u) = 1000 ] && [ $(id -g) = 1000 ]"),
    ("-w /tmp", "[ $(pwd) = /tmp ]"),
    ("-e A=b", "[ $A = b ]"),
    ("-m 64m --pids-limit 50 --cpus 0.5", "true"),
    ("--read-only", "! touch /x"),
    ("--cap-drop all", "grep -q 'CapEff:.0000000000000000' /proc/self/status"),
    ("--cap-add net_admin", "ip link set lo down"),
    ("--uidmap 0:100000:65536", "grep -q '0 *100000 *65536' /proc/self/uid_map"),
    ("--privileged", "[ -c /dev/loop-control ] || [ -c /dev/fuse ]"),
    ("--tmpfs /mnt", "grep -q ' /mnt tmpfs' /proc/mounts; touch /mnt/x"),
    ("--sysctl net.ipv4.ip_forward=1", "[ $(cat /proc/sys/net/ipv4/ip_forward) = 1 ]"),
    ("--pid host", "[ $(ls -d /proc/[0-9]* | wc -l) -gt 5 ]"),
    ("--ipc host --uts host", "true"),
    ("--device /dev/fuse", "[ -c /dev/fuse ]"),
    ("--cgroup-parent /kisttest", "true"),
    ("-h foo", "[ $(hostname) = foo ]"),
    ("--shm-size 10m", "grep -q '/dev/shm .*size=10240k' /proc/mounts"),
    ("--security-opt seccomp=unconfined", "grep -q 'Seccomp:.0' /proc/self/status"),
    ("--security-opt no-new-privileges", "grep -q 'NoNewPrivs:.1' /proc/self/status"),
])
def test_options_of_run(podman, options, script):
    if options == "--cgroup-parent /kisttest":
        podman.sh("true", *options.split())
        remove_cgroups("kisttest")
    else:
        podman.sh(script, *options.split())


def test_volumes(podman):
    vol = podman.path / "vol"
    vol.mkdir()
    podman.sh("echo x > /vol/x", "-v", f"{vol}:/vol")
    assert (vol / "x").read_text() == "x\n"
    podman.sh("! touch /vol/y", "-v", f"{vol}:/vol:ro")


def test_terminal(podman):
    status, out = podman.tty("run", "--rm", "-it", "--network", "none", "bb:1", "tty")
    assert status == 0 and "/dev/pts/0" in out


def test_life(podman):
    podman("run", "-d", "--name", "c1", "bb:1", "sh", "-c",
           "trap 'exit 3' TERM; i=0; while true; do i=$((i+1)); echo $i; sleep 0.1; done")
    podman("exec", "c1", "true")
    podman("exec", "c1", "sh", "-c", "exit 5", status=5)
    podman("exec", "c1", "nope", status=127)
    assert podman("exec", "-u", "5", "-w", "/tmp", "-e", "X=y", "c1", "sh", "-c",
                  "id -u; pwd; echo $X").split() == ["5", "/tmp", "y"]
    status, out = podman.tty("exec", "-it", "c1", "tty")
    assert status == 0 and "/dev/pts/" in out
    podman("exec", "-d", "c1", "sleep", "100")
    assert "sleep 100" in podman("top", "c1")
    assert "c1" in podman("stats", "--no-stream", "c1")
    podman("pause", "c1")
    assert json.loads(podman("inspect", "c1"))[0]["State"]["Status"] == "paused"
    podman("unpause", "c1")
    podman("update", "--cpus", "0.3", "c1")
    assert "1" in podman("logs", "c1").split()
    podman("cp", "/etc/hostname", "c1:/tmp/h")
    podman("restart", "-t", "2", "c1")
    podman("kill", "c1")
    assert podman("wait", "c1").strip() == "137"
    podman("start", "c1")
    podman("stop", "-t", "5", "c1")
    assert podman("inspect", "-f", "{{.State.ExitCode}}", "c1").strip() == "3"
    podman("rm", "c1")


def test_pod(podman):
    podman("pod", "create", "--name", "p1", "--infra-image", "bb:1", "--infra-command",
           "sleep 1000")
    podman.sh("true", "--pod", "p1")
    podman("pod", "rm", "-f", "-t", "0", "p1")


COUNT = "i=0; while true; do i=$((i+1)); echo $i; sleep 0.05; done"


def counted(podman, name):
    return [int(n) for n in podman("logs", name).split()]


@pytest.mark.checkpoint
def test_checkpoint_and_restore(podman):
    """The same container goes on, without a number missing; then another from an archive."""
    podman("run", "-d", "--name", "c2", "bb:1", "sh", "-c", COUNT)
    wait_for(lambda: len(counted(podman, "c2")) > 3, "it counts")
    podman("container", "checkpoint", "--leave-running", "c2")
    podman("container", "checkpoint", "c2")
    before = len(counted(podman, "c2"))
    podman("container", "restore", "c2")
    wait_for(lambda: len(counted(podman, "c2")) > before + 3, "it counts on")
    numbers = counted(podman, "c2")
    assert numbers == list(range(1, len(numbers) + 1))
    archive = podman.path / "c2.tar.gz"
    podman("container", "checkpoint", "-e", archive, "c2")
    last = counted(podman, "c2")[-1]
    podman("rm", "c2")
    podman("container", "restore", "-i", archive, "--name", "c3")
    wait_for(lambda: counted(podman, "c3")[-1:] > [last + 3], "another one counts on")
    podman("rm", "-f", "-t", "0", "c3")
