# SPDX-License-Identifier: Apache-2.0
"""What the tests of container engines have in common: a client, a root directory for images."""
import os
import shutil
import subprocess


class Client:
    """A command line of an engine whose files lie below one directory."""

    def __init__(self, path, **env):
        self.path = path
        self.env = dict(os.environ, **env)

    def command(self, *args):
        raise NotImplementedError

    def __call__(self, *args, status=0):
        """Output as text. What a detached container inherits is a file."""
        with open(self.path / "out", "w+", encoding="utf-8") as f:
            r = subprocess.run(self.command(*args), env=self.env, stdin=subprocess.DEVNULL, stdout=f,
                               stderr=f, timeout=120, check=False)
            f.seek(0)
            out = f.read()
        assert r.returncode == status, (args, r.returncode, out)
        return out


def busybox_root(root):
    """Fills the directory with what a small container needs: busybox under all of its names."""
    for d in ("bin", "etc", "proc", "sys", "dev", "tmp"):
        (root / d).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin")
    names = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True)
    for name in names.stdout.split():
        if name != "busybox":
            os.link(root / "bin/busybox", root / "bin" / name)
    (root / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")


def busybox_tar(path):
    """The same as a tar below @path."""
    busybox_root(path / "bb")
    subprocess.run(["tar", "-C", path / "bb", "-cf", path / "bb.tar", "."], check=True)
    return path / "bb.tar"


def remove(path):
    """An engine's directory, with what it left mounted there."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        mounts = [line.split()[4] for line in f if f" {path}/" in line]
    for mount in sorted(mounts, reverse=True):
        subprocess.run(["umount", "-l", mount], check=False)
    shutil.rmtree(path)


def remove_cgroups(name):
    """Directories that the engine makes above its containers' cgroups, and leaves."""
    subprocess.run(f"rmdir /sys/fs/cgroup/*/{name} /sys/fs/cgroup/{name} 2>/dev/null", shell=True,
                   check=False)
