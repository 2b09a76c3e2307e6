# SPDX-License-Identifier: Apache-2.0
"""tree-list.py DIR: all that can be seen of the files below DIR and of the mounts there, sorted."""
import hashlib
import os
import stat
import sys


def content(path, st):
    if stat.S_ISLNK(st.st_mode):
        return os.readlink(path)
    if stat.S_ISREG(st.st_mode):
        fd = os.open(path, os.O_RDONLY | os.O_NOATIME)
        with os.fdopen(fd, "rb") as f:
            return hashlib.sha1(f.read()).hexdigest() + f" {st.st_blocks}"
    if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
        return str(st.st_rdev)
    return ""


def line(path, base, inodes):
    st = os.lstat(path)
    name = ascii(os.path.relpath(path, base)).strip("'")
    attrs = {a: os.getxattr(path, a, follow_symlinks=False)
             for a in sorted(os.listxattr(path, follow_symlinks=False))}
    # files with several names: which of them are the same
    same = inodes.setdefault((st.st_dev, st.st_ino), name)
    size = st.st_size if stat.S_ISREG(st.st_mode) else 0
    nlink = 0 if stat.S_ISDIR(st.st_mode) else st.st_nlink
    # looking changes the access time of directories and links
    quiet = not (stat.S_ISDIR(st.st_mode) or stat.S_ISLNK(st.st_mode))
    print(name, oct(st.st_mode), st.st_uid, st.st_gid, size, nlink,
          st.st_mtime_ns, st.st_atime_ns if quiet else "", content(path, st), attrs, same)


base = sys.argv[1]
listed = []
for top, dirs, files in os.walk(base):
    if "proc" in dirs:
        dirs.remove("proc")
    listed += [os.path.join(top, n) for n in dirs + files]
seen = {}
line(base, base, seen)
for p in sorted(listed):
    line(p, base, seen)
groups = {}
for text in open("/proc/self/mountinfo"):
    f = text.split()
    if f[4].startswith(base):
        sep = f.index("-")
        shared = [groups.setdefault(x, f"shared:{len(groups)}") for x in f[6:sep]]
        root = f[3].replace(base, "BASE")
        print("mount", f[4], root, f[5], shared, f[sep + 1], f[sep + 2], f[sep + 3])
