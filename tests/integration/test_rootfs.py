# SPDX-License-Identifier: Apache-2.0
"""Roots of all kinds, their mounts, and what a hostile rootfs can't do. By rootfs-tool."""
import copy
import json
import os
import shutil
import subprocess
import threading
import uuid

import pytest

BUILD = os.environ.get("KIST_BUILD", os.path.join(os.path.dirname(__file__), "../../build"))
TOOL = os.path.abspath(os.path.join(BUILD, "tests/helpers/rootfs-tool"))
BUSYBOX = shutil.which("busybox")

pytestmark = [pytest.mark.asan,
              pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
              pytest.mark.skipif(not BUSYBOX, reason="needs busybox-static")]

KINDS = ("bind", "overlay", "host")


class Bundle:
    """A config.json with a busybox rootfs and a state directory beside it."""

    def __init__(self, path):
        self.path = path
        self.rootfs = path / "rootfs"
        (self.rootfs / "bin").mkdir(parents=True)
        shutil.copy(BUSYBOX, self.rootfs / "bin/busybox")
        for name in subprocess.run([BUSYBOX, "--list"], capture_output=True,
                                   text=True).stdout.split():
            if name != "busybox":
                os.link(self.rootfs / "bin/busybox", self.rootfs / "bin" / name)
        self.state = path / "state"
        self.state.mkdir(mode=0o700)
        self.config = json.loads(subprocess.run([TOOL, "print"], capture_output=True, text=True,
                                                check=True).stdout)
        self.config["root"] = {"path": "rootfs"}

    def userns(self, host=100000):
        maps = [{"containerID": 0, "hostID": host, "size": 65536}]
        self.config["linux"]["namespaces"].append({"type": "user"})
        self.config["linux"]["uidMappings"] = maps
        self.config["linux"]["gidMappings"] = maps

    def mount(self, destination, source=None, type="bind", options=("bind",), **more):
        m = {"destination": destination, "type": type, "options": list(options), **more}
        if source is not None:
            m["source"] = str(source)
        self.config["mounts"].append(m)

    def unmount(self, destination):
        self.config["mounts"] = [m for m in self.config["mounts"]
                                 if m["destination"] != destination]

    def all_caps(self):
        caps = {n: ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_MKNOD", "CAP_CHOWN"]
                for n in ("bounding", "effective", "permitted")}
        self.config["process"]["capabilities"] = caps

    def run(self, kind, script, shift=False, prepare=None):
        """@prepare is a shell script that runs before, in the same private mount namespace."""
        config = copy.deepcopy(self.config)
        if kind == "host":
            config.pop("root", None)
        config["process"]["args"] = ["sh", "-c", script]
        (self.path / "config.json").write_text(json.dumps(config))
        cmd = [TOOL, kind, str(self.state), str(self.path / "config.json")]
        if shift:
            cmd.append("shift")
        if prepare:
            cmd = ["unshare", "--mount", "sh", "-ec", prepare + '\nexec "$@"', "sh", *cmd]
        return subprocess.run(cmd, capture_output=True, text=True, timeout=60)

    def out(self, kind, script, **kw):
        p = self.run(kind, script, **kw)
        if kind == "host" and "shift the owners of a mount" in p.stderr:
            pytest.skip("the host's root file system has no idmapped mounts")
        assert p.returncode == 0, p.stderr + p.stdout
        return p.stdout


@pytest.fixture
def bundle(tmp_path):
    yield Bundle(tmp_path)
    # the kernel leaves overlay's work directories with mode 0
    subprocess.run(["chmod", "-R", "u+rwx", str(tmp_path)], check=False)


@pytest.fixture
def outside(tmp_path):
    """A directory of the host's that no container may touch."""
    path = tmp_path / "outside"
    path.mkdir()
    (path / "file").write_text("host")
    yield path
    assert sorted(os.listdir(path)) == ["file"]
    assert (path / "file").read_text() == "host"


# ---- what every root has ----

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("userns", (False, True))
def test_dev(bundle, kind, userns):
    if userns:
        bundle.userns()
    out = bundle.out(kind, """set -e
        for n in null zero full random urandom tty; do test -c /dev/$n; done
        echo x > /dev/null
        head -c 4 /dev/zero | wc -c
        (echo x > /dev/full) 2>/dev/null && exit 1
        for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done
        test -c /dev/pts/ptmx
        touch /dev/shm/x
        """, shift=userns)
    assert out.split() == ["4", "/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1",
                           "/proc/self/fd/2", "pts/ptmx"]


@pytest.mark.parametrize("kind", KINDS)
def test_only_own_mounts(bundle, kind):
    """Nothing of the host's tree stays behind, and /proc is the container's."""
    out = bundle.out(kind, "cat /proc/self/mountinfo; ls /proc | grep -c '^[0-9]'")
    lines = out.splitlines()
    host = str(bundle.path)
    assert int(lines[-1]) <= 4
    for line in lines[:-1]:
        fields = line.split()
        assert host not in fields[4], line
        assert not any(w.startswith(("shared:", "master:")) for w in fields[6:8]), line
    points = [line.split()[4] for line in lines[:-1]]
    for point in ("/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys",
                  "/sys/fs/cgroup"):
        assert points.count(point) == 1, point


@pytest.mark.parametrize("kind", KINDS)
def test_cgroups_are_read_only(bundle, kind):
    bundle.all_caps()
    out = bundle.out(kind, """
        grep -c ' /sys/fs/cgroup' /proc/self/mountinfo
        grep ' /sys/fs/cgroup' /proc/self/mountinfo | grep -vc ' ro,'
        find /sys/fs/cgroup -name cgroup.procs -maxdepth 2 | while read f; do
            (echo 0 > $f) 2>/dev/null && echo "writable $f"; done; true""")
    lines = out.splitlines()
    assert int(lines[0]) >= 1 and lines[1] == "0"
    assert len(lines) == 2, out


def test_bind_writes_through(bundle):
    bundle.out("bind", "echo new > /file")
    assert (bundle.rootfs / "file").read_text() == "new\n"


def test_overlay_keeps_changes_to_itself(bundle):
    (bundle.rootfs / "file").write_text("old\n")
    bundle.out("overlay", "echo new > /file; rm /bin/awk; echo x > /added")
    assert (bundle.rootfs / "file").read_text() == "old\n"
    assert (bundle.rootfs / "bin/awk").exists()
    assert not (bundle.rootfs / "added").exists()
    # a second start goes on with them
    assert bundle.out("overlay", "cat /file /added; ls /bin/awk 2>&1 | wc -l; ls -d /bin/awk "
                      "2>/dev/null; true").split() == ["new", "x", "1"]
    assert (bundle.state / "upper/root/added").read_text() == "x\n"


def test_overlay_root_looks_like_the_rootfs(bundle):
    os.chmod(bundle.rootfs, 0o751)
    os.chown(bundle.rootfs, 5, 6)
    assert bundle.out("overlay", "stat -c '%a %u %g' /") == "751 5 6\n"


# ---- the host's own files as a root ----

def test_host_files_are_seen_and_not_changed(bundle):
    mark = f"/etc/kist-test-{uuid.uuid4().hex}"
    before = open("/etc/hostname").read(), os.stat("/etc").st_mtime_ns
    bundle.all_caps()
    out = bundle.out("host", f"""set -e
        cat /etc/hostname
        echo changed > /etc/hostname
        touch {mark}
        rm /etc/passwd
        chmod 777 /etc
        chown 7 /usr
        cat /etc/hostname""")
    assert out.splitlines()[-1] == "changed" and out.startswith(before[0])
    assert (open("/etc/hostname").read(), os.stat("/etc").st_mtime_ns) == before
    assert not os.path.exists(mark) and os.path.exists("/etc/passwd")
    assert os.stat("/usr").st_uid == 0


def test_host_tmp_and_run_are_own(bundle):
    assert bundle.out("host", "ls -A /tmp /run; stat -c %a /tmp") == "/run:\n\n/tmp:\n1777\n"


def test_host_other_file_systems(bundle):
    """A tmpfs below /mnt is seen and changed only inside; one hidden below another is not seen."""
    prepare = """
        mount -t tmpfs a /mnt; mkdir /mnt/sub; mount -t tmpfs b /mnt/sub; echo hidden > /mnt/sub/f
        mount -t tmpfs c /mnt; mkdir /mnt/sub /mnt/two; echo c > /mnt/f
        mount -t tmpfs -o ro,nosuid d /mnt/two"""
    bundle.all_caps()
    script = """set -e
        cat /mnt/f; ls /mnt/sub; echo new > /mnt/f; touch /mnt/two/x; ls /mnt/two
        grep ' /mnt' /proc/self/mountinfo | cut -d' ' -f 5,6"""
    out = bundle.out("host", script, prepare=prepare)
    assert out.splitlines() == ["c", "x", "/mnt rw,nodev,relatime",
                                "/mnt/two rw,nosuid,nodev,relatime"]
    names = sorted(os.listdir(bundle.state / "upper"))
    assert "-mnt" in names and "-mnt-two" in names


def test_host_what_no_overlay_takes_is_read_only(bundle):
    """A bind-mounted file of the host's."""
    prepare = f"echo host > {bundle.path}/f; touch {bundle.path}/f; " \
              f"mount -t tmpfs a /mnt; touch /mnt/f; mount --bind {bundle.path}/f /mnt/f"
    bundle.all_caps()
    out = bundle.out("host", "cat /mnt/f; (echo x > /mnt/f) 2>&1 | grep -c Read-only; "
                     "echo y > /mnt/g && cat /mnt/g", prepare=prepare)
    assert out.split() == ["host", "1", "y"]
    assert (bundle.path / "f").read_text() == "host\n"


def test_host_device_nodes_do_not_work(bundle):
    prepare = "mount -t tmpfs a /mnt; mknod /mnt/null c 1 3"
    assert bundle.run("host", "echo x > /mnt/null", prepare=prepare).returncode != 0


def test_host_read_only_root(bundle):
    bundle.config["root"] = {"readonly": True}
    config = bundle.config

    def run(script):
        config["process"]["args"] = ["sh", "-c", script]
        (bundle.path / "config.json").write_text(json.dumps(config))
        return subprocess.run(["unshare", "-m", "sh", "-ec", 'mount -t tmpfs a /mnt; exec "$@"',
                               "sh", TOOL, "host", str(bundle.state),
                               str(bundle.path / "config.json")], capture_output=True, text=True)

    p = run("touch /etc/x; touch /mnt/x; touch /tmp/x && echo tmp")
    assert p.stdout == "tmp\n" and p.stderr.count("Read-only file system") == 2


@pytest.mark.parametrize("userns", ((), ("--userns", "100000:100000:65536")))
def test_run_without_rootfs(kist, userns):
    """The same by `kist run`, which starts where a user does."""
    mark = f"/etc/kist-test-{uuid.uuid4().hex}"
    if userns and kist("run", "--rm", *userns, "--", "true", check=False).returncode:
        pytest.skip("the host's root file system has no idmapped mounts")
    out = kist("run", "--rm", *userns, "--", "sh", "-ec", f"""
        stat -c %u /etc; echo x > {mark}; cat {mark}; stat -c %u {mark}; rm -r /usr/share/doc
        mkdir /new; ls -A /tmp /run | wc -l; test -c /dev/null; awk '$5 == "/"' /proc/self/mountinfo
        """).stdout.split()
    assert out[:5] == ["0", "x", "0", "3", out[4]] and "overlay" in out
    assert not os.path.exists(mark) and os.path.isdir("/usr/share/doc")
    assert not os.path.exists("/new")


def test_run_with_rootfs_and_volumes(kist, bundle):
    src = bundle.path / "src"
    src.mkdir()
    (bundle.rootfs / "marker").write_text("rootfs\n")
    out = kist("run", "--rm", "--rootfs", bundle.rootfs, "-v", f"{src}:/data", "-v",
               f"{src}:/ro:ro", "--", "sh", "-c", "cat /marker; echo v > /data/v; cat /ro/v; "
               "touch /ro/x 2>/dev/null || echo read-only; touch /gone").stdout
    assert out == "rootfs\nv\nread-only\n"
    assert (src / "v").exists() and not (bundle.rootfs / "gone").exists()
    kist("run", "--rm", "--rootfs", bundle.rootfs, "--rw", "--", "touch", "/stays")
    assert (bundle.rootfs / "stays").exists()


# ---- user namespaces ----

@pytest.mark.parametrize("kind", KINDS)
def test_userns_root_owns_the_rootfs(bundle, kind):
    bundle.userns()
    out = bundle.out(kind, """set -e
        stat -c '%u %g' /bin/sh / /bin
        touch /bin/new; stat -c '%u %g' /bin/new; rm /bin/new; mkdir -p /a/b; rm /bin/sh
        """, shift=True)
    assert out.splitlines() == ["0 0"] * 4
    made = bundle.state / "upper/root/a/b" if kind != "bind" else bundle.rootfs / "a/b"
    assert (made.stat().st_uid, made.stat().st_gid) == (0, 0)


def test_userns_without_shift_shows_owners_as_they_are(bundle):
    os.chown(bundle.rootfs, 100000, 100000)
    os.chown(bundle.rootfs / "bin", 100005, 100006)
    bundle.userns()
    assert bundle.out("bind", "stat -c '%u %g' / /bin /bin/sh").splitlines() == ["0 0", "5 6", "65534 65534"]


def test_userns_bind_source_that_only_root_reaches(bundle, tmp_path):
    deep = tmp_path / "deep"
    (deep / "er").mkdir(parents=True)
    os.chmod(deep, 0o700)
    (deep / "er/f").write_text("reached")
    bundle.userns()
    bundle.mount("/data", deep / "er")
    assert bundle.out("overlay", "cat /data/f", shift=True) == "reached"


def test_userns_errors_arrive(bundle):
    bundle.userns()
    bundle.mount("/data", "/no/such/dir")
    p = bundle.run("overlay", "true", shift=True)
    assert p.returncode == 99 and "cannot bind '/no/such/dir' at '/data'" in p.stderr


# ---- the spec's mounts ----

def test_bind_ro_is_of_one_mount_rro_of_the_tree(bundle):
    src = bundle.path / "src"
    (src / "sub").mkdir(parents=True)
    prepare = f"mount -t tmpfs a {src}; mkdir {src}/sub; mount -t tmpfs b {src}/sub"
    script = "touch /d/x 2>/dev/null && echo top; touch /d/sub/x 2>/dev/null && echo sub; true"
    for options, want in ((["rbind"], "top\nsub\n"), (["rbind", "ro"], "sub\n"),
                          (["rbind", "rro"], ""), (["bind"], "top\nsub\n"),
                          (["rbind", "ro", "rrw"], "top\nsub\n")):
        bundle.unmount("/d")
        bundle.mount("/d", src, options=options)
        assert bundle.out("bind", script, prepare=prepare) == want, options


def test_bind_is_not_recursive(bundle):
    src = bundle.path / "src"
    src.mkdir()
    prepare = f"mount -t tmpfs a {src}; mkdir {src}/sub; mount -t tmpfs b {src}/sub; " \
              f"touch {src}/sub/f"
    bundle.mount("/d", src)
    assert bundle.out("bind", "ls /d/sub", prepare=prepare) == ""
    bundle.unmount("/d")
    bundle.mount("/d", src, options=["rbind"])
    assert bundle.out("bind", "ls /d/sub", prepare=prepare) == "f\n"


def test_bind_flags_and_files(bundle):
    f = bundle.path / "f"
    f.write_text("#!/bin/sh\necho ran\n")
    f.chmod(0o755)
    bundle.mount("/x/y/f", f, options=["bind", "noexec", "nosuid", "nodev", "noatime"])
    out = bundle.out("overlay", "/x/y/f || cat /x/y/f | tail -1; "
                     "grep ' /x/y/f ' /proc/self/mountinfo | cut -d' ' -f6")
    assert out.splitlines() == ["echo ran", "rw,nosuid,nodev,noexec,noatime"]


def test_relative_source_and_destination(bundle):
    (bundle.path / "rel").mkdir()
    bundle.mount("data", "rel")
    bundle.out("bind", "touch /data/x")
    assert (bundle.path / "rel/x").exists()


@pytest.mark.parametrize("option,want", (("rprivate", set()), ("rshared", {"shared"}),
                                         ("rslave", {"master"}), (None, set())))
def test_propagation(bundle, option, want):
    src = bundle.path / "src"
    src.mkdir()
    prepare = f"mount -t tmpfs a {src}; mount --make-shared {src}"
    bundle.mount("/d", src, options=["rbind"] + ([option] if option else []))
    out = bundle.out("bind", "grep ' /d ' /proc/self/mountinfo", prepare=prepare)
    words = out.split(" - ")[0].split()[6:]
    assert {w.split(":")[0] for w in words} == want


def test_rootfs_propagation(bundle):
    bundle.config["linux"]["rootfsPropagation"] = "shared"
    assert " shared:" in bundle.out("bind", "awk '$5 == \"/\"' /proc/self/mountinfo")


def test_tmpfs(bundle):
    d = bundle.rootfs / "data"
    (d / "sub").mkdir(parents=True)
    d.chmod(0o750)
    (d / "sub/f").write_text("content")
    (d / "sub/f").chmod(0o4755)
    os.chown(d / "sub", 3, 4)
    os.symlink("/etc/passwd", d / "link")
    bundle.mount("/data", type="tmpfs", options=["tmpcopyup", "ro", "size=1m"])
    bundle.mount("/two", type="tmpfs", options=["size=64k", "mode=700"])
    out = bundle.out("bind", """stat -c '%a %u %g' /data /data/sub /data/sub/f
        cat /data/sub/f; readlink /data/link; touch /data/x 2>/dev/null && echo written
        head -c 100000 /dev/zero > /two/f 2>/dev/null || echo full; stat -c %a /two""")
    assert out.split("\n") == ["750 0 0", "755 3 4", "4755 0 0", "content/etc/passwd", "full",
                               "700", ""]
    assert sorted(os.listdir(d)) == ["link", "sub"]


def test_idmapped_volume(bundle):
    src = bundle.path / "src"
    src.mkdir()
    os.chown(src, 1000, 1001)
    bundle.mount("/d", src, uidMappings=[{"containerID": 1000, "hostID": 7, "size": 1}],
                 gidMappings=[{"containerID": 1001, "hostID": 8, "size": 1}])
    assert bundle.out("bind", "stat -c '%u %g' /d") == "7 8\n"


def test_idmapped_volume_of_the_containers_maps(bundle):
    src = bundle.path / "src"
    src.mkdir()
    bundle.userns()
    bundle.mount("/d", src, options=["bind", "idmap"])
    bundle.mount("/e", src, options=["bind"])
    out = bundle.out("bind", "stat -c '%u %g' /d /e; touch /d/x", shift=True)
    assert out.splitlines() == ["0 0", "65534 65534"]
    assert (src / "x").stat().st_uid == 0


def test_mount_errors_say_what(bundle):
    for mount, words in (
            (dict(destination="/d", source="/no/such"), "cannot bind '/no/such' at '/d'"),
            (dict(destination="/d", type="nofs", options=[]), "no file system 'nofs'"),
            (dict(destination="/d", type="tmpfs", options=["size=lots"]), "size"),
            (dict(destination="/", source="/mnt"), "over the container's '/'"),
            (dict(destination="/d", source="/mnt", options=["bind", "funny"]), "'funny'"),
            (dict(destination="/d", source="/mnt", options=["bind", "idmap"]), "user namespace"),
            (dict(destination="/bin/sh/x", source="/mnt"), "/bin/sh/x"),
            (dict(destination="/bin/sh", source="/mnt"), "mount point '/bin/sh'")):
        bundle.mount(**mount)
        p = bundle.run("bind", "true")
        assert p.returncode == 99 and words in p.stderr, (mount, p.stderr)
        bundle.config["mounts"].pop()


# ---- masks ----

def test_masked_and_read_only_paths(bundle):
    (bundle.rootfs / "secret").write_text("secret")
    (bundle.rootfs / "dir").mkdir()
    (bundle.rootfs / "dir/f").write_text("secret")
    (bundle.rootfs / "ro").mkdir()
    linux = bundle.config["linux"]
    linux["maskedPaths"] += ["/secret", "/dir", "/no/such", "/secret/below"]
    linux["readonlyPaths"] += ["/ro", "/no/such"]
    out = bundle.out("bind", """cat /secret; ls -A /dir; touch /dir/x 2>/dev/null && echo bad
        touch /ro/x 2>/dev/null && echo bad
        echo 1 > /proc/sys/kernel/printk && echo bad
        cat /proc/keys | wc -c; ls /sys/firmware | wc -l""")
    assert out.split() == ["0", "0"]
    assert (bundle.rootfs / "secret").read_text() == "secret"


def test_read_only_root(bundle):
    bundle.config["root"]["readonly"] = True
    for kind in ("bind", "overlay"):
        p = bundle.run(kind, "touch /x; touch /dev/shm/x && echo shm")
        assert p.stdout == "shm\n" and "Read-only" in p.stderr


def test_devices_of_the_spec(bundle):
    bundle.config["linux"]["devices"] = [
        {"path": "/dev/deep/null2", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640,
         "uid": 3, "gid": 4},
        {"path": "/dev/fifo", "type": "p"},
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3}]
    out = bundle.out("overlay", "stat -c '%a %u %g %t %T' /dev/deep/null2; test -p /dev/fifo && "
                     "echo fifo; echo x > /dev/deep/null2")
    assert out.splitlines() == ["640 3 4 1 3", "fifo"]


# ---- a hostile rootfs ----

@pytest.mark.parametrize("name", ("proc", "sys"))
@pytest.mark.parametrize("target", ("/outside", "tmp", "/tmp/../tmp"))
def test_linked_proc_is_refused(bundle, name, target):
    (bundle.rootfs / "tmp").mkdir()
    os.symlink(target, bundle.rootfs / name)
    p = bundle.run("bind", "true")
    assert p.returncode == 99 and f"'/{name}' in the rootfs is reached through a symbolic link" \
        in p.stderr


def test_linked_dev_stays_inside(bundle, outside):
    os.symlink(str(outside), bundle.rootfs / "dev")
    out = bundle.out("bind", "test -c /dev/null && readlink /dev && ls -d /dev/pts")
    assert out.splitlines() == [str(outside), "/dev/pts"]
    assert os.path.isdir(str(bundle.rootfs) + str(outside))


@pytest.mark.parametrize("target", ("{outside}", "../../../../../../../../{outside}"))
@pytest.mark.parametrize("kind", ("bind", "overlay"))
def test_mount_points_are_made_inside(bundle, outside, tmp_path, kind, target):
    src = tmp_path / "src"
    src.mkdir()
    (src / "f").write_text("mounted")
    os.symlink(target.format(outside=outside), bundle.rootfs / "link")
    os.symlink("gone/deeper", bundle.rootfs / "dangling")
    os.symlink("loop", bundle.rootfs / "loop")
    bundle.mount("/link/a/b", src)
    bundle.mount("/dangling/c", src)
    bundle.mount("/link/file", src / "f")
    out = bundle.out(kind, f"cat /link/a/b/f {outside}/a/b/f /gone/deeper/c/f {outside}/file")
    assert out == "mounted" * 4
    bundle.mount("/loop/x", src)
    assert bundle.run(kind, "true").returncode == 99


def test_null_is_verified_before_it_masks(bundle, outside):
    """Without a /dev of its own, the rootfs' /dev/null would be the source of masks."""
    bundle.unmount("/dev")
    for m in ("/dev/pts", "/dev/shm", "/dev/mqueue"):
        bundle.unmount(m)
    (bundle.rootfs / "dev").mkdir()
    (bundle.rootfs / "secret").write_text("x")
    bundle.config["linux"]["maskedPaths"] = ["/secret"]
    os.symlink(str(outside / "file"), bundle.rootfs / "dev/null")
    p = bundle.run("bind", "true")
    assert p.returncode == 99 and "/dev/null" in p.stderr
    (bundle.rootfs / "dev/null").unlink()
    (bundle.rootfs / "dev/null").write_text("file")
    p = bundle.run("bind", "true")
    assert p.returncode == 99 and "something else than the device 1:3" in p.stderr


def test_null_swapped_by_a_mount(bundle, outside):
    bundle.mount("/dev/null", outside / "file", options=["bind", "ro"])
    p = bundle.run("bind", "true")
    assert p.returncode == 99 and "/dev/null" in p.stderr


def test_target_swapped_while_mounting(bundle, outside):
    """CVE-2021-30465: someone else with the same rootfs swaps a directory for a link."""
    src = bundle.path / "src"
    src.mkdir()
    (src / "f").write_text("mounted")
    (bundle.rootfs / "d").mkdir()
    other = bundle.rootfs / "other"
    os.symlink(str(outside), other)
    for i in range(8):
        bundle.mount(f"/d/{i}", src)
    stop = threading.Event()

    def swap():
        d, spare = bundle.rootfs / "d", bundle.rootfs / "spare"
        while not stop.is_set():
            for a, b in ((d, spare), (other, d), (d, other), (spare, d)):
                try:
                    os.rename(a, b)
                except OSError:
                    pass

    t = threading.Thread(target=swap)
    t.start()
    try:
        codes = [bundle.run("bind", "true").returncode for _ in range(15)]
    finally:
        stop.set()
        t.join()
    assert set(codes) <= {0, 99}
    # (the fixture looks that nothing was made outside)


def test_cwd_and_root_are_inside(bundle):
    out = bundle.out("bind", "readlink /proc/self/cwd; readlink /proc/self/root; ls -d /..; "
                     "ls /../../../bin | grep -c '^sh$'")
    assert out.split() == ["/", "/", "/..", "1"]
