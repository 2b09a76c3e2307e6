# SPDX-License-Identifier: Apache-2.0
"""What a container did inside its namespaces comes back in a new container made from its image."""
import json
import os
import subprocess
import uuid

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


@pytest.mark.parametrize("options", [[], ["--userns", "300000:300000:65536"]], ids=["root", "userns"])
def test_clone(kist, build, images, tmp_path, options):
    tool = build / "tests" / "helpers" / "nsdump-clone"
    source, copy = (f"t{uuid.uuid4().hex[:8]}" for _ in range(2))
    for d in [tmp_path, *list(tmp_path.parents)[:-2]]:
        d.chmod(0o755)
    script = tmp_path / "change"
    script.write_text(CHANGE)
    look = tmp_path / "look"
    look.write_text(LOOK)
    env = dict(kist.env)
    kist("run", "-d", "-n", source, *options, "--no-seccomp", "--cap-add", "all",
         "-v", f"{script}:/opt/change", "-v", f"{look}:/opt/look", "--", "sh", "-e", "/opt/change")
    try:
        state = json.load(open(f"{kist.state}/containers/{source}/state.json"))
        pid = state["pid"]
        wait_for(lambda: os.path.exists(f"/proc/{pid}/root/tmp/ready"), "the container's changes")
        seen = subprocess.run(["nsenter", "-a", "-t", str(pid), "sh", "/opt/look"],
                              capture_output=True, text=True, check=True).stdout
        r = subprocess.run([tool, source, copy, str(images), "sh", "/opt/look"], env=env,
                           capture_output=True, text=True)
        assert r.returncode == 0, r.stderr + r.stdout
        assert r.stdout.splitlines() == seen.splitlines()
        assert "changed-name" in seen and "/tmp/m" in seen and "mqueue rw" not in seen
    finally:
        kist("rm", "-f", source)
