# SPDX-License-Identifier: Apache-2.0
"""dockerd on kist-oci, with a daemon, a data directory and a network namespace of the test's own."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from engine import Client, busybox_tar, remove, remove_cgroups
from kist import wait_for

DOCKER = "/usr/bin/docker"  # the package's: another client may stand before it in PATH
pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
              pytest.mark.skipif(not shutil.which("dockerd") or not os.path.exists(DOCKER),
                                 reason="docker.io is not installed")]


class Docker(Client):
    def __init__(self, path):
        super().__init__(path, DOCKER_HOST=f"unix://{path}/docker.sock", HOME=str(path))

    def command(self, *args):
        return [DOCKER, *map(str, args)]

    def run(self, *args, status=0):
        return self("run", "--rm", *args, status=status)


@pytest.fixture(scope="module")
def docker(build):
    path = pathlib.Path(tempfile.mkdtemp(prefix="kist-docker-", dir="/var/tmp"))
    (path / "daemon.json").write_text(json.dumps({
        "runtimes": {"kist": {"path": str(build / "kist-oci")}}, "default-runtime": "kist",
        "exec-opts": ["native.cgroupdriver=cgroupfs"], "experimental": True,
        "data-root": f"{path}/data", "exec-root": f"{path}/exec", "pidfile": f"{path}/pid",
        "hosts": [f"unix://{path}/docker.sock"], "storage-driver": "vfs"}))
    # its bridges and rules stay in there
    subprocess.run(["ip", "netns", "add", path.name], check=True)
    subprocess.run(["ip", "-n", path.name, "link", "set", "lo", "up"], check=True)
    with open(path / "log", "w", encoding="utf-8") as log:
        p = subprocess.Popen(["nsenter", f"--net=/run/netns/{path.name}", "dockerd", "--config-file",
                              path / "daemon.json"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                             start_new_session=True)
    d = Docker(path)
    try:
        wait_for(lambda: p.poll() is not None or (path / "docker.sock").exists(), "dockerd listens")
        assert p.poll() is None, (path / "log").read_text()
        d("import", busybox_tar(path), "bb:1")
        yield d
        for name in d("ps", "-aq").split():
            d("rm", "-f", name)
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait(timeout=30)
        subprocess.run(["ip", "netns", "del", path.name], check=True)
        remove(path)
        remove_cgroups("docker")


def test_run(docker):
    assert docker.run("bb:1", "echo", "hello") == "hello\n"
    docker.run("bb:1", "sh", "-c", "exit 42", status=42)
    assert "no such file or directory" in docker.run("bb:1", "/nope", status=127)
    assert "not found in $PATH" in docker.run("bb:1", "nope", status=127)
    docker.run("bb:1", "/etc", status=126)
    assert docker.run("-u", "7:8", "-w", "/tmp", "-e", "A=b", "-h", "box", "-m", "64m", "--cpus", "0.5",
                      "--pids-limit", "50", "--read-only", "--tmpfs", "/mnt", "--init", "bb:1", "sh",
                      "-c", "id -u; id -g; echo $PWD $A; hostname; ! (echo > /x) 2>/dev/null").split()[:5] == \
        ["7", "8", "/tmp", "b", "box"]
    assert "eth0" in docker.run("bb:1", "ip", "addr")


def test_life(docker):
    docker("run", "-d", "--name", "c1", "bb:1", "sh", "-c",
           "trap 'exit 3' TERM; i=0; while true; do i=$((i+1)); echo $i; sleep 0.1; done")
    docker("exec", "c1", "sh", "-c", "exit 5", status=5)
    docker("exec", "c1", "nope", status=126)  # what docker 20.10 makes of any failure
    assert docker("exec", "-u", "5", "c1", "id", "-u") == "5\n"
    docker("exec", "-d", "c1", "sleep", "100")
    assert "sleep 100" in docker("top", "c1")
    assert "c1" in docker("stats", "--no-stream", "c1")
    docker("pause", "c1")
    docker("unpause", "c1")
    docker("update", "--cpus", "0.3", "c1")
    docker("restart", "-t", "2", "c1")
    assert "1" in docker("logs", "c1").split()
    docker("stop", "-t", "5", "c1")
    assert docker("inspect", "-f", "{{.State.ExitCode}}", "c1") == "3\n"
    docker("rm", "c1")


def test_two_containers_in_a_network(docker):
    docker("network", "create", "n1")
    docker("run", "-d", "--name", "server", "--network", "n1", "bb:1", "sh", "-c",
           "while true; do echo answer | nc -l -p 80; done")
    wait_for(lambda: "answer" in docker.run("--network", "n1", "bb:1", "sh", "-c",
                                            "nc server 80 </dev/null || true"), "it answers")
    docker("rm", "-f", "server")
    docker("network", "rm", "n1")


@pytest.mark.checkpoint
def test_checkpoint(docker):
    docker("run", "-d", "--name", "c2", "bb:1", "sh", "-c",
           "i=0; while true; do i=$((i+1)); echo $i; sleep 0.05; done")
    wait_for(lambda: len(docker("logs", "c2").split()) > 3, "it counts")
    docker("checkpoint", "create", "c2", "one")
    wait_for(lambda: docker("inspect", "-f", "{{.State.Running}}", "c2") == "false\n", "it is gone")
    before = len(docker("logs", "c2").split())
    docker("start", "--checkpoint", "one", "c2")
    wait_for(lambda: len(docker("logs", "c2").split()) > before + 3, "it counts on")
    lines = [int(n) for n in docker("logs", "c2").split()]
    assert lines == list(range(1, len(lines) + 1))
    docker("rm", "-f", "c2")
