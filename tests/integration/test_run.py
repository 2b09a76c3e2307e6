# SPDX-License-Identifier: Apache-2.0
"""`kist run`: what a command sees in a new container, and what comes back from it."""
import os
import re
import signal
import subprocess
import time

import pytest

from kist import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

HOST_NS = {n: os.readlink(f"/proc/self/ns/{n}")
           for n in ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")}


def out(kist, *args, **kw):
    return kist("run", "--rm", *args, **kw).stdout


def namespaces(text):
    return dict(re.findall(r"^(\w+) (.*)$", text, re.M))


NS_SCRIPT = "for n in cgroup ipc mnt net pid time user uts; do echo $n $(readlink /proc/self/ns/$n); done"


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_exit_status(kist, status):
    r = kist("run", "--rm", "--", "sh", "-c", f"exit {status}", check=False)
    assert r.returncode == status
    assert r.stderr == ""


@pytest.mark.parametrize("init", [[], ["--no-init"]])
def test_killed_by_signal(kist, init):
    # Without init the shell is pid 1, which no signal of its own namespace kills.
    script = "sh -c 'kill -SEGV $$'; exit $?" if init else "kill -SEGV $$"
    r = kist("run", "--rm", *init, "--", "sh", "-c", script, check=False)
    assert r.returncode == 128 + signal.SIGSEGV


def test_not_found(kist):
    r = kist("run", "-n", "nf", "--", "no-such-command", check=False)
    assert r.returncode == 127
    assert "'no-such-command': executable file not found in $PATH" in r.stderr
    assert kist.names() == []


def test_not_executable(kist):
    r = kist("run", "--", "/etc/passwd", check=False)
    assert r.returncode == 126
    assert "/etc/passwd" in r.stderr
    assert kist.names() == []


def test_failed_exec_is_told_by_init(kist, tmp_path):
    # It is executable, but its interpreter is not there: only execve(2) itself finds that.
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    for init in ([], ["--no-init"]):
        r = kist("run", *init, "-v", f"{tmp_path}:/mnt", "--", "/mnt/script", check=False)
        assert r.returncode == 127
        assert "cannot execute '/mnt/script'" in r.stderr
    assert kist.names() == []


def test_new_namespaces(kist):
    inside = namespaces(out(kist, "--", "sh", "-c", NS_SCRIPT))
    for n in ("cgroup", "ipc", "mnt", "net", "pid", "uts"):
        assert inside[n] != HOST_NS[n], n
    for n in ("time", "user"):
        assert inside[n] == HOST_NS[n], n


def test_init_reaps_and_is_small(kist):
    text = out(kist, "--", "sh", "-c", "(sleep 0.01 &) ; sleep 0.3; ps -eo pid,stat,comm;"
               " grep VmRSS /proc/1/status; ls /proc/1/fd | wc -l; readlink /proc/1/exe")
    assert re.search(r"^\s*1 S\S*\s+kist-init$", text, re.M)
    assert not re.search(r"^\s*\d+ Z", text, re.M), text
    assert int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) < 100
    assert text.splitlines()[-2] == "0"
    assert text.splitlines()[-1].startswith("/memfd:kist-init")


def test_no_init(kist):
    assert out(kist, "--no-init", "--", "sh", "-c", "echo $$").strip() == "1"


def test_init_forwards_signals(kist, name):
    p = kist.popen("run", "--rm", "-n", name, "--", "sh", "-c",
                   "trap 'echo got; exit 9' USR1; echo ready; while :; do sleep 0.02; done",
                   stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "ready\n"
    p.send_signal(signal.SIGUSR1)
    assert p.communicate(timeout=20)[0] == "got\n"
    assert p.returncode == 9


def test_stdin(kist):
    assert kist("run", "--rm", "-i", "--", "cat", stdin=None, input="some text\n").stdout == "some text\n"
    assert kist("run", "--rm", "--", "cat", stdin=None, input="some text\n").stdout == ""


def test_environment_user_directory(kist):
    text = out(kist, "-e", "A=1", "-e", "FROM_CALLER", "-e", "NOT_THERE", "-w", "/usr/lib",
               "-u", "1234:2345", "--", "sh", "-c", "env; pwd; id -u; id -g; id -G",
               env={"FROM_CALLER": "x y", "SECRET": "s"})
    lines = text.splitlines()
    assert "A=1" in lines and "FROM_CALLER=x y" in lines
    assert not any(line.startswith(("SECRET=", "NOT_THERE=")) for line in lines)
    assert lines[-4:] == ["/usr/lib", "1234", "2345", "2345"]


def test_hostname(kist, name):
    assert out(kist, "--hostname", "some-host", "--", "hostname").strip() == "some-host"
    assert out(kist, "-n", name, "--", "hostname").strip() == name


def test_host_files_stay(kist):
    probe = f"/usr/kist-probe-{os.getpid()}"
    r = kist("run", "--rm", "--", "sh", "-c", f"echo x > {probe} && cat {probe} && rm /etc/passwd")
    assert r.stdout == "x\n"
    assert not os.path.exists(probe)
    assert os.path.exists("/etc/passwd")


def test_volumes(kist, tmp_path):
    (tmp_path / "f").write_text("data")
    text = out(kist, "-v", f"{tmp_path}:/mnt/v", "--", "sh", "-c", "cat /mnt/v/f; echo w > /mnt/v/g")
    assert text == "data"
    assert (tmp_path / "g").read_text() == "w\n"
    r = kist("run", "--rm", "-v", f"{tmp_path}:/mnt/v:ro", "--", "sh", "-c", "echo w > /mnt/v/h",
             check=False)
    assert r.returncode != 0
    assert not (tmp_path / "h").exists()
    r = kist("run", "-v", "/no/such/dir:/mnt", "--", "true", check=False)
    assert "/no/such/dir" in r.stderr and kist.names() == []


def test_security_defaults(kist):
    status = out(kist, "--", "cat", "/proc/self/status")
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    assert re.search(r"^Seccomp:\s+2$", status, re.M)
    assert re.search(r"^CapEff:\s+00000000800405fb$", status, re.M)
    assert re.search(r"^CapInh:\s+0+$", status, re.M)
    status = out(kist, "--cap-drop", "all", "--cap-add", "net_raw", "--no-seccomp", "--", "cat",
                 "/proc/self/status")
    assert re.search(r"^CapBnd:\s+0000000000002000$", status, re.M)
    assert re.search(r"^Seccomp:\s+0$", status, re.M)


def test_no_fd_of_the_host_comes_in(kist):
    fd = os.open("/", os.O_RDONLY)
    try:
        os.set_inheritable(fd, True)
        text = out(kist, "--", "sh", "-c", "ls -l /proc/self/fd", close_fds=False)
    finally:
        os.close(fd)
    fds = re.findall(r" (\d+) -> ", text)
    assert fds == ["0", "1", "2", "3"], text  # 3 is the directory that ls reads


def test_the_runtime_cannot_be_overwritten(kist, build):
    """CVE-2019-5736: what is behind /proc/PID/exe of kist's processes is no file of the host."""
    before = (build / "kist").stat()
    text = out(kist, "--cap-add", "all", "--no-seccomp", "--", "sh", "-c",
               "printf '#!/proc/self/exe\\n' > /tmp/x; chmod +x /tmp/x; "
               "(echo evil > /proc/1/exe) 2>/dev/null && echo written; readlink /proc/1/exe; true")
    assert "written" not in text
    assert text.startswith("/memfd:kist-init")
    after = (build / "kist").stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)


@pytest.mark.parametrize("ids", ["auto", "300000:400000:65536"])
def test_userns(kist, ids):
    text = out(kist, "--userns", ids, "--", "sh", "-c",
               "cat /proc/self/uid_map /proc/self/gid_map; id -u; stat -c %u /etc/passwd /tmp;"
               "touch /tmp/f; stat -c %u /tmp/f; " + NS_SCRIPT)
    lines = text.splitlines()
    maps = [line.split() for line in lines[:2]]
    if ids != "auto":
        assert maps == [["0", "300000", "65536"], ["0", "400000", "65536"]]
    else:
        assert maps[0] == maps[1] and maps[0][2] == "65536"
    assert lines[2:6] == ["0", "0", "0", "0"]
    assert namespaces(text)["user"] != HOST_NS["user"]


def test_userns_auto_ranges_are_apart(kist):
    kist("run", "-d", "-n", "one", "--userns", "auto", "--", "sleep", "60")
    kist("run", "-d", "-n", "two", "--userns", "auto", "--", "sleep", "60")
    starts = [kist.inspect(n)["params"]["spec"]["linux"]["uidMappings"][0]["hostID"]
              for n in ("one", "two")]
    assert abs(starts[0] - starts[1]) >= 65536


def test_time_offset(kist):
    text = out(kist, "--time-offset", "monotonic=5000,boottime=90000", "--", "python3", "-c",
               "import time; print(time.clock_gettime(time.CLOCK_MONOTONIC),"
               " time.clock_gettime(time.CLOCK_BOOTTIME))")
    monotonic, boottime = map(float, text.split())
    assert 0 <= time.clock_gettime(time.CLOCK_MONOTONIC) + 5000 - monotonic < 60
    assert 0 <= time.clock_gettime(time.CLOCK_BOOTTIME) + 90000 - boottime < 60
    r = kist("run", "--time-offset", "-99999999", "--", "true", check=False)
    assert "time offset is out of range" in r.stderr and kist.names() == []


def test_net_none_and_host(kist):
    devices = "sed 1,2d /proc/net/dev | cut -d: -f1"
    assert out(kist, "--", "sh", "-c", devices).split() == ["lo"]
    assert "UP" in out(kist, "--", "ip", "link", "show", "lo")
    host = namespaces(out(kist, "--net", "host", "--", "sh", "-c", NS_SCRIPT))
    assert host["net"] == HOST_NS["net"]


def test_limits(kist, name):
    text = out(kist, "-n", name, "-s", "memory.max=64M", "-s", "pids.max=7", "--", "sh", "-c",
               "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max"
               " /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true")
    assert text.split() == [str(64 << 20), "7"]


@pytest.mark.parametrize("args, text", [
    (["-s", "no.such.key=1"], "no.such.key"),
    (["-s", "memory.max"], "KEY=VALUE"),
    (["-p", "80:80"], "--net bridge"),
    (["-p", "0:80", "--net", "bridge"], "0:80"),
    (["-n", "../x"], "no name for a container"),
    (["--rw"], "--rootfs"),
    (["--rootfs", "/no/such/dir"], "/no/such/dir"),
    (["-u", "root"], "UID[:GID]"),
    (["--net", "moon"], "moon"),
    (["--cap-add", "CAP_FLY"], "CAP_FLY"),
    (["-w", "relative"], "absolute"),
    (["-w", "/no/such/dir"], "/no/such/dir"),
    (["--userns", "1:2"], "1:2"),
])
def test_refusals(kist, args, text):
    r = kist("run", *args, "--", "true", check=False)
    assert r.returncode == 1
    assert text in r.stderr
    assert kist.names() == []


def test_name_taken(kist, name):
    kist("run", "-n", name, "--", "true")
    r = kist("run", "-n", name, "--", "true", check=False)
    assert r.returncode == 1 and "exists already" in r.stderr
    assert kist.names() == [name]


def test_rootfs(kist, tmp_path):
    root = tmp_path / "root"
    for d in ("bin", "proc", "dev", "sys", "tmp"):
        (root / d).mkdir(parents=True)
    busybox = "/bin/busybox"
    if not os.path.exists(busybox):
        pytest.skip("needs busybox-static")
    subprocess.run(["cp", busybox, root / "bin/sh"], check=True)
    script = "echo hello > /made; read line < /made; echo $line"
    assert out(kist, "--rootfs", root, "--", "/bin/sh", "-c", script) == "hello\n"
    assert not (root / "made").exists()
    kist("run", "--rm", "--rootfs", root, "--rw", "--", "/bin/sh", "-c", "echo hello > /made")
    assert (root / "made").read_text() == "hello\n"


def test_rm_removes_all(kist, name):
    kist("run", "--rm", "-n", name, "--", "true")
    assert kist.names() == []
    assert os.listdir(os.path.join(kist.state, "containers")) == []


def test_interrupted_foreground_run(kist, name):
    p = kist.popen("run", "--rm", "-n", name, "--", "sleep", "60")
    wait_for(lambda: kist("list", check=False).stdout.count("running"), "the container runs")
    p.send_signal(signal.SIGINT)
    assert p.wait(20) == 128 + signal.SIGINT
    assert kist.names() == []


def test_working_directory_is_inside(kist, name):
    """CVE-2024-21626: /proc/self/fd/N of a directory of the host is no way out of the root."""
    kist("run", "-d", "-n", name, "--", "sleep", "600")
    for fd in range(3, 64):
        r = kist("exec", "-w", f"/proc/self/fd/{fd}", name, "--", "pwd", check=False)
        assert r.returncode == 1 and "working directory" in r.stderr, (fd, r)
    for fd in range(3, 64, 3):
        r = kist("run", "--rm", "-w", f"/proc/self/fd/{fd}", "--", "sh", "-c",
                 "test . -ef / && echo inside", check=False)
        # One of them is the container's own root, by which it was entered.
        assert r.stdout == "inside\n" or (
            r.returncode == 1 and "working directory" in r.stderr), (fd, r)


def test_no_stdio(kist):
    for closed in (0, 1, 2):
        p = subprocess.run(["sh", "-c", f'exec "$@" {closed}>&-', "sh", kist.binary, "run", "--rm",
                            "--", "sh", "-c", "ls -l /proc/self/fd >/tmp/x; grep -c null /tmp/x;"
                            "exit 3"], env=kist.env, capture_output=True, text=True, check=False)
        assert p.returncode == 3
        if closed != 1:
            assert p.stdout.strip() == ("1" if closed == 0 else "2"), p.stdout
