# SPDX-License-Identifier: Apache-2.0
"""Containers under checkpoint and restore: life cycle, limits, address, files, what is refused."""
import json
import os
import time

from kist import wait_for

TICK = "n=0; while :; do n=$((n+1)); echo $n >/tmp/n; echo tick $n; sleep 0.05; done"


def count(kist, name):
    return int(kist("exec", name, "--", "cat", "/tmp/n").stdout or 0)


def start(kist, name, *options, command=TICK):
    kist("run", "-d", "-n", name, *options, "--", "/bin/sh", "-c", command)
    wait_for(lambda: count(kist, name) > 2, "it counts")


def status(kist, name):
    return kist.inspect(name)["status"]


def goes_on(kist, name):
    seen = count(kist, name)
    wait_for(lambda: count(kist, name) > seen, "it goes on")


def test_three_rounds(kist, name, images):
    start(kist, name, "-s", "memory.max=64M", "-s", "pids.max=50")
    kist("exec", name, "--", "sh", "-c", "echo kept >/root/kept; echo shm >/dev/shm/kept")
    for i in range(3):
        seen = count(kist, name)
        pid = kist.inspect(name)["pid"]
        kist("checkpoint", name, "-o", images / str(i))
        assert status(kist, name) == "stopped"
        assert not os.path.exists(f"/proc/{pid}")
        kist("restore", images / str(i))
        assert status(kist, name) == "running"
        assert count(kist, name) >= seen
        goes_on(kist, name)
        assert kist("get", name, "memory.max", "pids.max").stdout.split()[-1] == "50"
        out = kist("exec", name, "--", "cat", "/root/kept", "/dev/shm/kept").stdout
        assert out == "kept\nshm\n"
        wait_for(lambda: "tick" in kist("logs", name).stdout, "its output goes to the log")


def test_other_name_and_removed(kist, name, images):
    start(kist, name)
    kist("checkpoint", name, "-o", images / "i")
    kist("rm", name)
    other = name + "x"
    kist("restore", "-n", other, images / "i")
    assert kist.names() == [other]
    goes_on(kist, other)
    kist("stop", "-t", "1", other)
    kist("restore", images / "i")  # the image is not used up
    goes_on(kist, name)


def test_leave_running(kist, name, images):
    start(kist, name)
    for i in range(3):
        kist("checkpoint", name, "--leave-running", "-o", images / str(i))
        assert status(kist, name) == "running"
        goes_on(kist, name)


def test_frozen(kist, name, images):
    start(kist, name)
    kist("freeze", name)
    kist("checkpoint", name, "--leave-running", "-o", images / "a")
    assert status(kist, name) == "frozen"
    kist("checkpoint", name, "-o", images / "b")
    kist("restore", images / "b")
    assert status(kist, name) == "frozen"
    kist("thaw", name)
    goes_on(kist, name)


def test_name_is_taken(kist, name, images):
    start(kist, name)
    kist("checkpoint", name, "--leave-running", "-o", images / "i")
    r = kist("restore", images / "i", check=False)
    assert r.returncode == 1 and "running" in r.stderr and "-n NAME" in r.stderr
    goes_on(kist, name)


def test_not_running(kist, name, images):
    start(kist, name)
    kist("stop", "-t", "0", name)
    r = kist("checkpoint", name, "-o", images / "i", check=False)
    assert r.returncode == 1 and "stopped" in r.stderr
    assert not (images / "i").exists()
    r = kist("checkpoint", name + "nobody", "-o", images / "i", check=False)
    assert r.returncode == 1 and name + "nobody" in r.stderr


def test_bad_image(kist, name, images):
    start(kist, name)
    kist("checkpoint", name, "-o", images / "i")
    pages = next(p for p in (images / "i").iterdir() if p.name.startswith("pages-")
                 and p.stat().st_size > 0)
    data = bytearray(pages.read_bytes())
    data[len(data) // 2] ^= 1
    pages.write_bytes(data)
    r = kist("restore", images / "i", check=False)
    assert r.returncode == 1 and pages.name in r.stderr
    assert status(kist, name) == "stopped"  # what was there has not been touched
    data[len(data) // 2] ^= 1
    pages.write_bytes(data)
    kist("restore", images / "i")
    goes_on(kist, name)


def test_hostile_description(kist, name, images):
    """container.json is checked like everything else, whatever its hash says."""
    start(kist, name)
    kist("checkpoint", name, "-o", images / "i")
    manifest = json.loads((images / "i" / "manifest.json").read_text())
    assert any("container.json" in json.dumps(f) for f in manifest["files"])
    (images / "i" / "container.json").write_text("{}")
    r = kist("restore", images / "i", check=False)
    assert r.returncode == 1 and "container.json" in r.stderr


def test_clock_does_not_jump(kist, name, images):
    script = ("import time\nwhile 1:\n open('/tmp/n','w').write('%d' % (time.monotonic()*1000))\n"
              " time.sleep(0.02)")
    kist("run", "-d", "-n", name, "--time-offset", "100000", "--", "/usr/bin/python3", "-c", script)
    wait_for(lambda: kist("exec", name, "--", "cat", "/tmp/n", check=False).stdout.isdigit(),
             "it writes")
    t0, v0 = time.monotonic(), count(kist, name)
    kist("checkpoint", name, "-o", images / "i")
    time.sleep(2)
    kist("restore", images / "i")
    goes_on(kist, name)
    v1, t1 = count(kist, name), time.monotonic()
    # The two seconds in the image are no time that passed.
    assert 0 < (v1 - v0) / 1000 < t1 - t0 - 1.8


def test_files_lie_on_disk(kist, name, images, tmp_path):
    """With a data directory of its own, a container's files are there; they go with it."""
    data = tmp_path / "data"
    kist.env["KIST_DATA"] = str(data)
    (data / name).mkdir(parents=True)
    (data / name / "left").write_text("by a container that a reboot has ended")
    start(kist, name)
    kist("exec", name, "--", "sh", "-c", "echo kept >/root/kept")
    assert (data / name / "upper").is_dir() and not (data / name / "left").exists()
    kist("checkpoint", name, "-o", images / "i")
    kist("restore", images / "i")
    assert kist("exec", name, "--", "cat", "/root/kept").stdout == "kept\n"
    goes_on(kist, name)
    kist("rm", "-f", name)
    assert not (data / name).exists()
