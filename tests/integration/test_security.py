# SPDX-License-Identifier: Apache-2.0
"""What a container's command may no longer do. By rootfs-tool, with the host's files as root."""
import copy
import json
import os
import subprocess

import pytest

BUILD = os.environ.get("KIST_BUILD", os.path.join(os.path.dirname(__file__), "../../build"))
TOOL = os.path.abspath(os.path.join(BUILD, "tests/helpers/rootfs-tool"))

pytestmark = [pytest.mark.asan, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

PRELUDE = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(nr, *args):
    r = libc.syscall(nr, *args)
    return errno.errorcode[ctypes.get_errno()] if r < 0 else r
def status(key):
    return [l.split()[1] for l in open("/proc/self/status") if l.startswith(key + ":")][0]
"""


class Box:
    def __init__(self, path):
        self.path = path
        (path / "state").mkdir(mode=0o700)
        self.config = json.loads(subprocess.run([TOOL, "print"], capture_output=True, text=True,
                                                check=True).stdout)
        self.process = self.config["process"]
        self.linux = self.config["linux"]

    def run(self, python):
        config = copy.deepcopy(self.config)
        config["process"]["args"] = ["/usr/bin/python3", "-c", PRELUDE + python]
        (self.path / "config.json").write_text(json.dumps(config))
        return subprocess.run([TOOL, "host", str(self.path / "state"),
                               str(self.path / "config.json")],
                              capture_output=True, text=True, timeout=60)

    def out(self, python):
        p = self.run(python)
        assert p.returncode == 0, p.stderr
        return p.stdout.split()


@pytest.fixture
def box(tmp_path):
    yield Box(tmp_path)
    subprocess.run(["chmod", "-R", "u+rwx", str(tmp_path)], check=False)


def test_default_capabilities_are_podmans(box):
    out = box.out("print(*(status(k) for k in "
                  "('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')))")
    zero, default = "0" * 16, "00000000800405fb"
    assert out == [zero, default, default, default, zero]


def test_another_user_has_none(box):
    box.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 6], "umask": 0o27}
    out = box.out("print(status('CapPrm'), status('CapEff'), status('CapBnd'), *os.getresuid(), "
                  "*os.getresgid(), *os.getgroups(), oct(os.umask(0)))")
    assert out == ["0" * 16, "0" * 16, "00000000800405fb"] + ["1000"] * 3 + ["1001"] * 3 + \
        ["5", "6", "0o27"]


def test_ambient_capabilities_reach_another_user(box):
    box.process["user"] = {"uid": 1000, "gid": 1000}
    for kind in ("inheritable", "permitted", "effective", "ambient"):
        box.process["capabilities"][kind] = ["CAP_NET_BIND_SERVICE"]
    assert box.out("print(status('CapEff'), status('CapAmb'))") == ["0000000000000400"] * 2


def test_no_capabilities(box):
    box.process["capabilities"] = {}
    out = box.out("print(status('CapEff'), status('CapBnd'))\n"
                  "try: os.chown('/etc', 1, 1)\n"
                  "except PermissionError: print('denied')")
    assert out == ["0" * 16, "0" * 16, "denied"]


def test_unknown_capability_is_ignored(box):
    box.process["capabilities"]["bounding"].append("CAP_FLY")
    p = box.run("print(status('CapBnd'))")
    assert p.stdout.split() == ["00000000800405fb"] and "CAP_FLY" in p.stderr


@pytest.mark.parametrize("nnp", (False, True))
def test_seccomp_default(box, nnp):
    box.process["noNewPrivileges"] = nnp
    out = box.out("print(status('Seccomp'), status('NoNewPrivs'), call(246), call(248), "
                  "call(321, 0, 0, 0), call(425, 1, 0), call(999), call(39) > 0)")
    assert out == ["2", str(int(nnp)), "EPERM", "ENOSYS", "EPERM", "EPERM", "ENOSYS", "True"]


def test_seccomp_of_the_config(box):
    box.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["uname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 61},
                     {"names": ["getpriority"], "action": "SCMP_ACT_KILL_PROCESS",
                      "args": [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]}]}
    nice = str(20 - os.nice(0))  # as the raw system call gives it
    assert box.out("print(call(63, 0), call(140, 0, 0))") == ["ENODATA", nice]
    assert box.run("call(140, 2, 0)").returncode == 128 + 31


def test_rlimits(box):
    box.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60},
                              {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    assert box.out("import resource as r; print(*r.getrlimit(r.RLIMIT_NOFILE), "
                   "*r.getrlimit(r.RLIMIT_CORE))") == ["50", "60", "0", "0"]
    box.process["rlimits"] = [{"type": "RLIMIT_FUN", "soft": 0, "hard": 0}]
    p = box.run("")
    assert p.returncode == 99 and "'RLIMIT_FUN'" in p.stderr


def test_sysctls_of_the_container(box):
    before = open("/proc/sys/kernel/shmmax").read()
    box.linux["sysctl"] = {"kernel.shmmax": "123456", "net.ipv4.ip_forward": "1",
                           "net/ipv4/ping_group_range": "0 5", "fs.mqueue.msg_max": "11"}
    out = box.out("print(*(open('/proc/sys/' + f).read().strip() for f in ('kernel/shmmax', "
                  "'net/ipv4/ip_forward', 'net/ipv4/ping_group_range', 'fs/mqueue/msg_max')))")
    assert out == ["123456", "1", "0", "5", "11"]
    assert open("/proc/sys/kernel/shmmax").read() == before


@pytest.mark.parametrize("key", ("kernel.core_pattern", "vm.swappiness",
                                 "net/../kernel/core_pattern", "net.//.kernel.core_pattern"))
def test_sysctls_of_the_host_are_refused(box, key):
    before = open("/proc/sys/kernel/core_pattern").read()
    box.linux["sysctl"] = {key: "|/bin/false"}
    p = box.run("")
    assert p.returncode == 99 and "would change the host" in p.stderr
    assert open("/proc/sys/kernel/core_pattern").read() == before


def test_sysctls_need_the_namespace(box):
    box.linux["namespaces"] = [n for n in box.linux["namespaces"] if n["type"] != "network"]
    box.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    p = box.run("")
    assert p.returncode == 99 and "no network namespace" in p.stderr


def test_sysctls_not_through_a_fake_proc(box, tmp_path):
    """What is mounted over /proc/sys is not what is written."""
    fake = tmp_path / "fake"
    (fake / "kernel").mkdir(parents=True)
    (fake / "kernel/shmmax").write_text("fake")
    box.config["mounts"].append({"destination": "/proc/sys", "type": "bind", "source": str(fake),
                                 "options": ["bind"]})
    box.linux["sysctl"] = {"kernel.shmmax": "123456"}
    assert box.out("print(open('/proc/sys/kernel/shmmax').read())") == ["fake"]
    assert (fake / "kernel/shmmax").read_text() == "fake"


def test_session_keyring_is_new(box):
    out = box.out("b = ctypes.create_string_buffer(200); call(250, 6, -3, b, 200); "
                  "print(b.value.decode())")
    assert out[0].endswith(";_ses.rootfs-tool")


def test_keys_and_kernel_memory_are_masked(box):
    assert box.out("print(len(open('/proc/keys').read()), os.listdir('/sys/firmware'), "
                   "os.path.exists('/proc/kcore') and len(open('/proc/kcore', 'rb').read()))") \
        [:2] == ["0", "[]"]


def test_run_has_all_of_it(kist):
    out = kist("run", "--rm", "--", "sh", "-c", "grep -E '^(Cap|Seccomp:)' /proc/self/status; "
               "swapoff /nothing 2>&1; cat /proc/keys | wc -c; echo 1 > /proc/sys/vm/swappiness"
               " || echo read-only").stdout
    for line in ("CapEff:\t00000000800405fb", "CapBnd:\t00000000800405fb",
                 "CapInh:\t0000000000000000", "Seccomp:\t2"):
        assert line in out
    assert out.endswith("0\nread-only\n")


def test_run_caps_decide_the_filter(kist):
    code = PRELUDE + "print(call(321, 99, 0, 0), call(161, b'/'))"
    out = kist("run", "--rm", "--cap-add", "SYS_ADMIN", "--cap-drop", "SYS_CHROOT", "--",
               "/usr/bin/python3", "-c", code).stdout
    assert out.split() == ["EINVAL", "EPERM"]


def test_run_device_policy(kist):
    """Any node may be made, only the harmless ones used. /dev/kmsg (1:11) stands for the others."""
    script = """
        mknod /dev/kmsg2 c 1 11 && echo made
        head -c 1 /dev/kmsg2 2>&1 | grep -o 'Operation not permitted'
        for n in null zero full random urandom tty; do test -w /dev/$n; done
        head -c 3 /dev/urandom | wc -c; echo x > /dev/null && echo null"""
    out = kist("run", "--rm", "--cap-add", "MKNOD", "--", "sh", "-c", script).stdout
    assert out.splitlines() == ["made", "Operation not permitted", "3", "null"]
    tty = kist("run", "--rm", "-t", "--", "sh", "-c", "echo on > $(tty); echo con > /dev/console; "
               "python3 -c 'import pty; pty.openpty(); print(1)'").stdout
    assert tty.split() == ["on", "con", "1"]
