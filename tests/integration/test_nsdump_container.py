# SPDX-License-Identifier: Apache-2.0
"""What a container did inside its namespaces comes back in a new container made from its image."""
import os
import subprocess
import time

import pytest

from kist import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

CHANGE = """
echo changed > /etc/kist-changed; rm /etc/fstab; mkdir -p /opt/x; echo y > /opt/x/y
echo t > /tmp/t; mkdir /tmp/m; mount -t tmpfs -o size=1m mine /tmp/m; echo in > /tmp/m/in
mkdir /tmp/b; mount --bind /opt/x /tmp/b; umount /dev/mqueue
echo s > /dev/shm/s; umount /dev/full || true; rm /dev/full; ln -s null /dev/mine; touch -d 2001-02-03 /run/dated
hostname changed-name; ipcmk -M 10000 -p 0640 > /dev/null; ipcmk -S 3 > /dev/null
echo ready > /tmp/ready; exec sleep 600
"""
LOOK = """
cat /etc/kist-changed /opt/x/y /tmp/t /tmp/m/in /tmp/b/y /dev/shm/s; ls /etc/fstab 2>&1
ls -1 /dev /run; stat -c '%n %y %U %a' /run/dated /tmp /dev/shm; uname -n
ipcs -m -c; ipcs -s -c; grep -c . /proc/self/mountinfo
awk '{print $5, $6, $9, $4}' /proc/self/mountinfo | sort
"""


MODES = pytest.mark.parametrize(
    "options", [[], ["--userns", "300000:300000:65536"]], ids=["root", "userns"])


@pytest.fixture
def start(kist, tmp_path, name):
    """Starts the container that changes its namespaces; gives a way to look at them."""
    for d in [tmp_path, *list(tmp_path.parents)[:-2]]:
        d.chmod(0o755)
    script = tmp_path / "change"
    script.write_text(CHANGE)
    look = tmp_path / "look"
    look.write_text(LOOK)

    def make(options):
        kist("run", "-d", "-n", name, *options, "--no-seccomp", "--cap-add", "all",
             "-v", f"{script}:/opt/change", "-v", f"{look}:/opt/look",
             "--", "sh", "-e", "/opt/change")
        wait_for(lambda: kist("exec", name, "--", "test", "-e", "/tmp/ready",
                              check=False).returncode == 0, "the container's changes")
        return lambda: kist("exec", name, "--", "sh", "/opt/look").stdout

    return make


@MODES
def test_clone(kist, build, images, name, start, options):
    """The namespaces alone, seen by another first process."""
    tool = build / "tests" / "helpers" / "nsdump-clone"
    look = start(options)
    seen = look()
    r = subprocess.run([tool, name, name + "x", str(images), "sh", "/opt/look"], env=kist.env,
                       capture_output=True, text=True)
    assert r.returncode == 0, r.stderr + r.stdout
    assert r.stdout.splitlines() == seen.splitlines()
    assert "changed-name" in seen and "/tmp/m" in seen and "mqueue rw" not in seen


@MODES
@pytest.mark.checkpoint
def test_three_rounds(kist, images, name, start, options):
    look = start(options)
    seen = look()
    clock = float(kist("exec", name, "--", "cat", "/proc/uptime").stdout.split()[0])
    began = time.monotonic()
    for i in range(3):
        kist("checkpoint", name, "-o", images / str(i))
        time.sleep(0.5)
        kist("restore", images / str(i))
        assert look().splitlines() == seen.splitlines(), f"round {i}"
    passed = float(kist("exec", name, "--", "cat", "/proc/uptime").stdout.split()[0]) - clock
    assert 0 <= passed < time.monotonic() - began - 3 * 0.5 + 0.1, "the clock jumped"


@pytest.mark.checkpoint
def test_failed_dump_goes_on(kist, images, name, start):
    """A mount that cannot be made again is refused by name; the container runs, no image stays."""
    look = start([])
    kist("exec", name, "--", "sh", "-c", "touch /tmp/ns; mount --bind /proc/self/ns/uts /tmp/ns")
    seen = look()
    r = kist("checkpoint", name, "-o", images / "i", check=False)
    assert r.returncode != 0 and "'/tmp/ns'" in r.stderr and "hint" in r.stderr
    assert not (images / "i" / "manifest.json").exists()
    assert kist.inspect(name)["status"] == "running"
    assert look().splitlines() == seen.splitlines()
    kist("exec", name, "--", "umount", "/tmp/ns")
    kist("checkpoint", name, "-o", images / "i")


@pytest.mark.checkpoint
def test_damaged_image_makes_nothing(kist, images, name, start):
    start([])
    kist("checkpoint", name, "-o", images / "i")
    kist("rm", name)
    content = images / "i" / "content"
    whole = content.read_bytes()
    content.write_bytes(whole[:-1])
    r = kist("restore", images / "i", check=False)
    assert r.returncode != 0 and "'content'" in r.stderr
    assert kist.names() == []
    content.write_bytes(whole)
    kist("restore", images / "i")
    assert kist.names() == [name]
