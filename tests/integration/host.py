# SPDX-License-Identifier: Apache-2.0
"""What a test run could leave on the host: taken as sets of names, to compare two moments."""
import glob
import os
import re
import subprocess


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as f:
        return {line.split()[4] for line in f}


def cgroups():
    """Directories below any directory named after kist, in every hierarchy."""
    found = set()
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as f:
        tops = {line.split()[4] for line in f if re.search(r" - cgroup2? ", line)}
    for top in tops:
        for where, dirs, _ in os.walk(top):
            if "kist" in where[len(top):]:
                found.add(where)
            if where[len(top):].count("/") > 6:
                dirs.clear()
    return found


def links():
    return set(os.listdir("/sys/class/net"))


def nft_tables():
    try:
        r = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return set()
    return set(r.stdout.splitlines())


def run_files():
    """But for the bridge's lease books with their locks, and what was learnt of the kernel."""
    found = {os.path.join(where, name) for where, dirs, files in os.walk("/run/kist")
             for name in dirs + files}
    stays = "/run/kist/(net(/[0-9]+(/net-leases.lock)?)?|kernel-waits)"
    return {f for f in found if not re.fullmatch(stays, f)}


def scratch_files():
    return {path for top in ("/tmp", "/var/tmp", "/dev/shm")
            for path in glob.glob(f"{top}/kist*") + glob.glob(f"{top}/.kist*")}


def sysv_ipc():
    found = set()
    for kind in ("shm", "sem", "msg"):
        with open(f"/proc/sysvipc/{kind}", encoding="ascii") as f:
            found |= {f"{kind} id {line.split()[1]}" for line in f.readlines()[1:]}
    return found


def loop_devices():
    return {d for d in glob.glob("/sys/block/loop*") if os.path.exists(f"{d}/loop/backing_file")}


def processes():
    """Processes of this test session: they carry its name in their environment, or run kist."""
    build = os.environ.get("KIST_BUILD", "")
    mark = f"KIST_TEST_SESSION={os.environ.get('KIST_TEST_SESSION', '')}".encode()
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        try:
            exe = os.readlink(f"/proc/{pid}/exe")
            with open(f"/proc/{pid}/environ", "rb") as f:
                ours = mark in f.read().split(b"\0")
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as f:
                comm = f.read().strip()
        except OSError:
            continue  # gone, a zombie, or a kernel thread
        if ours or (build and exe.startswith(build)):
            found.add(f"{pid} ({comm})")
    return found


KINDS = {
    "mount": mounts,
    "cgroup": cgroups,
    "network link": links,
    "nft table": nft_tables,
    "file in /run/kist": run_files,
    "scratch file": scratch_files,
    "SysV IPC object": sysv_ipc,
    "loop device": loop_devices,
    "process": processes,
}


def snapshot():
    return {kind: read() for kind, read in KINDS.items()}


def added(before):
    """(kind, name) of all that is there now and was not in the snapshot."""
    return [(kind, name) for kind, read in KINDS.items() for name in sorted(read() - before[kind])]
