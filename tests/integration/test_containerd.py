# SPDX-License-Identifier: Apache-2.0
"""containerd, its runc v2 shim and ctr on kist-oci, with a daemon of the test's own."""
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from engine import Client, busybox_tar, remove, remove_cgroups
from kist import wait_for

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
              pytest.mark.skipif(not shutil.which("containerd"), reason="containerd is not installed")]

CONF = """version = 2
root = "{0}/root"
state = "{0}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs",
 "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",
 "io.containerd.snapshotter.v1.devmapper"]
[grpc]
address = "{0}/ctd.sock"
[ttrpc]
address = "{0}/ctd.ttrpc"
"""
COUNT = "i=0; while true; do i=$((i+1)); echo $i > /tmp/n; sleep 0.05; done"


def busybox_image(path):
    """An OCI image of one layer as a tar; gives its path."""
    image = path / "image"
    blobs = image / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(data):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": "sha256:" + digest, "size": len(data)}

    oci = "application/vnd.oci.image."
    layer = blob(busybox_tar(path).read_bytes())
    config = blob(json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode())
    manifest = blob(json.dumps({
        "schemaVersion": 2, "mediaType": oci + "manifest.v1+json",
        "config": dict(config, mediaType=oci + "config.v1+json"),
        "layers": [dict(layer, mediaType=oci + "layer.v1.tar")]}).encode())
    (image / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [dict(
        manifest, mediaType=oci + "manifest.v1+json",
        annotations={"io.containerd.image.name": "localhost/bb:1"})]}))
    (image / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    subprocess.run(["tar", "-C", image, "-cf", path / "image.tar", "."], check=True)
    return path / "image.tar"


class Ctr(Client):
    def __init__(self, path, runtime):
        super().__init__(path)
        self.runtime = str(runtime)

    def command(self, *args):
        return ["ctr", "-a", f"{self.path}/ctd.sock", *map(str, args)]

    def run(self, *args, status=0):
        return self("run", "--runc-binary", self.runtime, *args, status=status)

    def status(self, name):
        for line in self("task", "ls").splitlines():
            if line.split()[0] == name:
                return line.split()[2]
        return None

    def exec(self, name, *args, status=0):
        return self("task", "exec", "--exec-id", f"e{time.monotonic_ns()}", name, *args, status=status)

    def remove(self, name):
        if self.status(name) not in (None, "STOPPED"):
            self("task", "kill", "-s", "KILL", name)
            wait_for(lambda: self.status(name) == "STOPPED", "it is stopped")
        if self.status(name):
            subprocess.run(self.command("task", "rm", name), check=False,
                           capture_output=True)  # its status is that of the task
        self("c", "rm", name)


@pytest.fixture(scope="module")
def ctr(build):
    path = pathlib.Path(tempfile.mkdtemp(prefix="kist-ctd-", dir="/var/tmp"))
    (path / "config.toml").write_text(CONF.format(path))
    with open(path / "log", "w", encoding="utf-8") as log:
        p = subprocess.Popen(["containerd", "--config", path / "config.toml"], stdin=subprocess.DEVNULL,
                             stdout=log, stderr=log)
    wait_for(lambda: (path / "ctd.sock").exists(), "containerd listens")
    c = Ctr(path, build / "kist-oci")
    wait_for(lambda: "Server" in c("version"), "it answers")
    c("image", "import", busybox_image(path))
    yield c
    for name in c("c", "ls", "-q").split():
        c.remove(name)
    wait_for(lambda: subprocess.run(["pgrep", "-f", f"{path}/ctd.sock"], check=False,
                                    capture_output=True).stdout.split() == [], "the shims end")
    p.send_signal(signal.SIGTERM)
    p.wait(timeout=20)
    remove(path)
    remove_cgroups("default")


def test_run(ctr, name):
    assert ctr.run("--rm", "localhost/bb:1", name, "echo", "hello") == "hello\n"
    ctr.run("--rm", "localhost/bb:1", name, "sh", "-c", "exit 7", status=7)
    out = ctr.run("--rm", "localhost/bb:1", name, "/nope", status=1)
    assert "no such file or directory" in out


def test_task(ctr, name):
    ctr.run("-d", "--memory-limit", str(64 << 20), "localhost/bb:1", name, "sh", "-c", COUNT)
    assert ctr.status(name) == "RUNNING"
    assert "sh -c i=0" in ctr.exec(name, "ps")
    ctr.exec(name, "sh", "-c", "exit 5", status=5)
    ctr("task", "pause", name)
    assert ctr.status(name) == "PAUSED"
    ctr("task", "resume", name)
    assert ctr.status(name) == "RUNNING"
    assert "PID" in ctr("task", "ps", name)
    # (task metrics are the shim's own reading of the host's hierarchies: runc fails where we do)
    ctr.remove(name)


@pytest.mark.checkpoint
def test_checkpoint_and_restore(ctr, name):
    ctr.run("-d", "localhost/bb:1", name, "sh", "-c", COUNT)
    wait_for(lambda: int(ctr.exec(name, "cat", "/tmp/n") or 0) > 3, "it counts")
    image = f"localhost/{name}:1"
    ctr("containers", "checkpoint", "--rw", "--task", name, image)
    before = int(ctr.exec(name, "cat", "/tmp/n"))
    ctr.remove(name)
    ctr("containers", "restore", "--rw", "--live", name + "r", image)
    assert ctr.status(name + "r") == "RUNNING"
    wait_for(lambda: int(ctr.exec(name + "r", "cat", "/tmp/n") or 0) > before, "it counts on")
    ctr.remove(name + "r")
    ctr("image", "rm", image)
