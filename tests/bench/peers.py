# SPDX-License-Identifier: Apache-2.0
"""The peers of the benchmark: runc and crun with a bundle, CRIU in a root of its own."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

CACHE = pathlib.Path("/var/cache/kist-bench")
CRIU_ROOT = CACHE / "trixie"  # Debian 12 has only a CRIU that does not run on today's kernels


def criu_root():
    """Makes the root when it is missing."""
    if not (CRIU_ROOT / "usr/sbin/criu").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = CACHE / "trixie.new"
        shutil.rmtree(fresh, ignore_errors=True)
        print("making a Debian trixie root for CRIU …", flush=True)
        subprocess.run(["mmdebstrap", "--quiet", "--variant=apt", "--include=criu", "trixie",
                        str(fresh)], check=True, stdin=subprocess.DEVNULL)
        fresh.rename(CRIU_ROOT)
    r = subprocess.run(["chroot", CRIU_ROOT, "criu", "--version"], capture_output=True, text=True,
                       check=True)
    return r.stdout.split()[1]


def may_raise_limits():
    with open("/proc/self/status", encoding="ascii") as f:
        caps = next(int(line.split()[1], 16) for line in f if line.startswith("CapEff"))
    return bool(caps >> 24 & 1)  # CAP_SYS_RESOURCE


def bundle(path, devices=True):
    """An OCI bundle with busybox's `true`, as `runc spec` describes it."""
    root = path / "rootfs" / "bin"
    root.mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "busybox")
    os.link(root / "busybox", root / "true")
    subprocess.run(["runc", "spec"], cwd=path, check=True)
    config = json.loads((path / "config.json").read_text())
    config["process"]["terminal"] = False
    config["process"]["args"] = ["/bin/true"]
    # these can't be raised where CAP_SYS_RESOURCE is missing
    config["process"].pop("rlimits", None)
    if not devices:
        config["linux"]["resources"].pop("devices", None)
    (path / "config.json").write_text(json.dumps(config))


def wait_file(path, timeout=120):
    deadline = time.monotonic() + timeout
    while not path.exists():
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: {path} does not come")
        time.sleep(0.01)


def reap():
    """What a finished engine left to us, the subreaper of all: pids must be free for a restore."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def wait_pid_free(pid):
    deadline = time.monotonic() + 30
    while pathlib.Path(f"/proc/{pid}").exists():
        reap()
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: process {pid} does not end")
        time.sleep(0.005)


class Load:
    """The memory program in its directory; `root`: below another root directory."""

    def __init__(self, program, where, mib, root=None):
        self.dir = where
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir(parents=True)
        shutil.copy(program, where / "memory")
        command = [str(where / "memory"), str(where), str(mib)]
        if root:  # what it has open must be of that root's mounts
            command = ["chroot", str(root), "sh", "-c", 'exec "$@" </dev/null >/dev/null 2>&1',
                       "sh"] + command
        self.pid = os.posix_spawn(
            shutil.which(command[0]) or command[0], command, os.environ,
            setsid=True, file_actions=[(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0),
                                       (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)])
        wait_file(where / "ready")

    def check(self):
        """The restored one finds all of its memory."""
        (self.dir / "check").touch()
        wait_file(self.dir / "sound")
        wait_pid_free(self.pid)

    def close(self):
        try:
            with open(f"/proc/{self.pid}/cmdline", "rb") as f:
                if str(self.dir).encode() in f.read():
                    os.kill(self.pid, signal.SIGKILL)
        except OSError:
            pass  # it has ended
        reap()
        shutil.rmtree(self.dir, ignore_errors=True)
