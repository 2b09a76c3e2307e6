# SPDX-License-Identifier: Apache-2.0
"""Mounts made inside a mount namespace, the files of its tmpfs, and the overlay's upper layer."""
import os
import shutil
import subprocess
import sys

import pytest

from test_nsdump import TOOL, Object, save, saved, start  # noqa: F401 (a fixture)

LIST = os.path.abspath(os.path.join(os.path.dirname(__file__), "../helpers/tree-list.py"))

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

FILL = """
mkdir -p $T/dir/deep/er $T/empty; chmod 1777 $T; chmod 700 $T/dir; chown 33:34 $T/dir
echo hello > $T/dir/file; chmod 4755 $T/dir/file; chown 5:6 $T/dir/deep
truncate -s 10M $T/sparse; echo end >> $T/sparse
ln $T/dir/file $T/dir/deep/er/again; ln -s ../nowhere $T/dir/link; touch -h -d 2001-01-01 $T/dir/link
mkfifo -m 620 $T/fifo; mknod $T/null c 1 3; ln $T/fifo $T/fifo2; mknod $T/disk b 7 250
python3 -c "import os,socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]+'/sock')
os.setxattr(sys.argv[1]+'/dir/file', 'trusted.kist', b'v\\0w'); os.setxattr(sys.argv[1]+'/dir', 'security.x', b'y')
open(os.fsencode(sys.argv[1])+b'/odd\\xff\\n name', 'w').write('x')" $T
touch -d '1999-12-31 23:59:59.123456789' $T/dir/deep $T/dir/file $T/fifo
"""


def inside(tmp_path, script, command=("unshare", "--mount"), env=None):
    """A shell that notes its first mounts, does `script`, with $B a directory to work in."""
    base = tmp_path / "base"
    base.mkdir()
    before = tmp_path / "before"
    before.touch()
    before.chmod(0o666)
    return base, before, Object(command, f"B={base}; cat /proc/self/mountinfo > {before}\n"
                                f"set -e\n{script}\necho ready; exec sleep 600", env)


def lister(base):
    return f"{sys.executable} {LIST} {base}"


def listing(obj, base):
    return obj.sh(lister(base))


def restore(path, cmd, upper="-", env=None):
    return subprocess.run([TOOL, "restore", str(path), str(upper), "sh", "-c", cmd],
                          capture_output=True, text=True, env={**os.environ, **(env or {})})


def same_after(obj, base, image, env=None):
    seen = listing(obj, base)
    r = restore(image, lister(base), env=env)
    assert r.returncode == 0, r.stderr
    assert r.stdout.splitlines() == seen.splitlines()
    return seen


def test_tmpfs_files(tmp_path):
    base, before, o = inside(tmp_path, "mount -t tmpfs -o size=40m,nosuid,mode=750 mine $B\nT=$B\n"
                             + FILL)
    try:
        seen = listing(o, base)
        image = saved(o, tmp_path / "i", str(before))
        assert listing(o, base) == seen, "saving left traces"
        same_after(o, base, image)
        assert "size=40960k" in seen and "nosuid" in seen and "trusted.kist" in seen
        assert "odd" in seen and "/proc" not in seen
    finally:
        o.close()


def test_tmpfs_that_create_makes(tmp_path):
    """A tmpfs of create: its files are replaced, and what was not there is removed."""
    base, before, o = inside(tmp_path, "mount -t tmpfs -o mode=700 tmpfs $B\n"
                             "cat /proc/self/mountinfo > $B/../before\nT=$B\n" + FILL +
                             "\necho new > $B/kept\nmkdir $B/foreigner")
    try:
        image = saved(o, tmp_path / "i", str(before))
        seen = same_after(o, base, image, env={"NSDUMP_TMPFS": str(base)})
        assert "foreign " not in seen and "kept" in seen
    finally:
        o.close()


def test_mounts_made_inside(tmp_path):
    base, before, o = inside(tmp_path, """
        mount -t tmpfs one $B
        mkdir $B/a $B/b $B/c $B/proc $B/s; echo a > $B/a/file; echo f > $B/f; touch $B/g
        mount -t tmpfs -o size=1m,noexec two $B/a; mkdir $B/a/sub; echo in > $B/a/sub/two
        mount --bind $B/a/sub $B/b; mount -o remount,bind,ro $B/b
        mount --bind $B/f $B/g
        mount -t proc -o hidepid=2 proc $B/proc
        mount -t tmpfs hidden $B/c; echo hidden > $B/c/hidden
        mount -t tmpfs -o noatime,nodev over $B/c; echo over > $B/c/over
        mount -t tmpfs shared $B/s; mount --make-shared $B/s; mkdir $B/s/x
    """)
    try:
        image = saved(o, tmp_path / "i", str(before))
        seen = listing(o, base).splitlines()
        r = restore(image, lister(base) + f"; umount {base}/c; cat {base}/c/hidden")
        assert r.returncode == 0, r.stderr
        lines = r.stdout.splitlines()
        assert lines[-1] == "hidden"
        assert lines[:-1] == seen
        assert any(" ro," in x and "/b " in x for x in seen), seen
    finally:
        o.close()


def test_unmounted_inside(tmp_path):
    base, before, o = inside(tmp_path, "mount -t tmpfs tmpfs $B\n"
                             "cat /proc/self/mountinfo > $B/../before\numount $B")
    try:
        image = saved(o, tmp_path / "i", str(before))
        r = restore(image, f"grep -c {base} /proc/self/mountinfo; ls {base}",
                    env={"NSDUMP_TMPFS": str(base)})
        assert r.stdout == "0\n"
    finally:
        o.close()


def test_refused_by_name(tmp_path):
    base, before, o = inside(tmp_path, "touch $B/ns; mount --bind /proc/self/ns/uts $B/ns")
    try:
        r = save(o, tmp_path / "i", str(before))
        assert r.returncode == 1
        assert f"'{base}/ns'" in r.stderr and "namespace" in r.stderr and "unmount it" in r.stderr
        assert os.listdir(tmp_path / "i") == []
    finally:
        o.close()
    subprocess.run(["truncate", "-s", "20M", str(tmp_path / "disk")], check=True)
    subprocess.run(["mkfs.ext4", "-q", str(tmp_path / "disk")], check=True)
    (tmp_path / "two").mkdir()
    base, before, o = inside(tmp_path / "two", f"mount -o loop {tmp_path}/disk $B")
    try:
        r = save(o, tmp_path / "j", str(before))
        assert r.returncode == 1 and "type ext4" in r.stderr and str(base) in r.stderr
    finally:
        o.close()


def test_upper_layer(tmp_path):
    """Whiteouts and opaque directories of a real overlay come back, onto an empty directory."""
    for d in ("lower", "state", "again"):
        (tmp_path / d).mkdir()
    for d in ("upper", "work", "merged"):
        (tmp_path / "state" / d).mkdir()
    sh = f"""cd {tmp_path}; mkdir -p lower/gone lower/opaque lower/changed; echo l > lower/gone/f
        echo l > lower/opaque/f; echo l > lower/changed/f; echo l > lower/dead"""
    subprocess.run(["sh", "-ec", sh], check=True)
    opts = "lowerdir={0}/lower,upperdir={0}/{1},workdir={0}/state/work"
    mount = "mount -t overlay o -o " + opts.format(tmp_path, "state/upper") + " $M"
    base, before, o = inside(tmp_path, f"""M={tmp_path}/state/merged; {mount}
        rm -r $M/gone $M/opaque $M/dead; mkdir $M/opaque; echo u > $M/opaque/u
        echo u >> $M/changed/f; T=$M/t; mkdir $T
    """ + FILL.replace("security.x", "user.x"))
    merged = f"{tmp_path}/state/merged"
    try:
        seen = o.sh(lister(merged))
        image = saved(o, tmp_path / "i", "-", str(tmp_path / "state" / "upper"))
        cmd = mount.replace("state/upper", "again").replace("$M", merged)
        r = restore(image, f"{cmd} && {lister(merged)}", upper=tmp_path / "again")
        assert r.returncode == 0, r.stderr
        new = r.stdout.replace(f"{tmp_path}/again", f"{tmp_path}/state/upper")
        assert new.splitlines() == seen.splitlines()
        assert not any(x.startswith(("gone", "dead", "opaque/f ")) for x in seen.splitlines())
    finally:
        o.close()


def test_user_namespace(tmp_path):
    """Owners are those that the container sees; the new one has other ids on the host."""
    for d in [tmp_path, *list(tmp_path.parents)[:-2]]:
        d.chmod(0o755)
    fill = FILL.replace("mknod $T/null c 1 3; ", "").replace("mknod $T/disk b 7 250", "true")
    fill = fill.replace("trusted.kist", "user.kist").replace("security.x", "user.x")
    base, before, o = inside(tmp_path, f"""mount -t tmpfs -o size=9m,uid=7,gid=8 mine $B; T=$B
        {fill}
        mkdir $B/sub; mount -t tmpfs -o nosuid sub $B/sub; echo x > $B/sub/x; chown 44:45 $B/sub/x
        ipcmk -M 5000 -p 0604 > /dev/null; ipcmk -S 2 > /dev/null; hostname inside
    """, [TOOL, "run"], {"NSDUMP_IDS": "200000"})
    # root of the namespace is nobody to whom the sources must be readable
    script = shutil.copy(LIST, tmp_path / "list.py")
    look = f"set -e; {sys.executable} {script} {base}; ipcs -m -c; ipcs -s -c; uname -n"
    try:
        seen = subprocess.run(["nsenter", "-t", str(o.pid), "--user", "--uts", "--ipc", "--mount",
                               "-S", "0", "-G", "0", "sh", "-c", look], check=True,
                              capture_output=True, text=True).stdout
        image = saved(o, tmp_path / "i", str(before))
        r = restore(image, look, env={"NSDUMP_IDS": "300000"})
        assert r.returncode == 0, r.stderr
        for a, b in ((r.stdout, "300"), (seen, "200")):
            assert f"uid={b}007,gid={b}008" in a
        assert r.stdout.replace("=300", "=200").splitlines() == seen.splitlines()
    finally:
        o.close()
