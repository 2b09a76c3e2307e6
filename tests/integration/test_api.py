# SPDX-License-Identifier: Apache-2.0
"""libkist.so, as a program that is not kist uses it."""
import ctypes
import os
import pathlib
import re
import subprocess

import pytest

from test_checkpoint import goes_on, start

HEADER = pathlib.Path(__file__).resolve().parents[2] / "include" / "kist" / "kist.h"


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("text", ctypes.c_char * 1024),
                ("hint", ctypes.c_char * 512)]


class Result(ctypes.Structure):
    _fields_ = [("tasks", ctypes.c_size_t), ("threads", ctypes.c_size_t),
                ("time_us", ctypes.c_uint64), ("pid", ctypes.c_int)]


@pytest.fixture
def lib(build, kist, monkeypatch):
    monkeypatch.setenv("KIST_ROOT", kist.state)
    library = ctypes.CDLL(str(build / "src" / "libkist.so"))
    library.kist_version.restype = ctypes.c_char_p
    return library


def test_symbols(build):
    """What is visible is what the header says, and nothing else."""
    out = subprocess.run(["nm", "-D", "--defined-only", build / "src" / "libkist.so"], check=True,
                         capture_output=True, text=True).stdout
    visible = {line.split()[-1].split("@")[0] for line in out.splitlines()}
    declared = set(re.findall(r"KIST_API [^;]*?\b(kist_\w+)\(", HEADER.read_text()))
    assert visible == declared


def test_life(lib, kist, name, images):
    err, res = Error(), Result()
    n = name.encode()
    assert lib.kist_version().decode() in kist("version").stdout
    start(kist, name)
    status, pid = ctypes.c_char_p(), ctypes.c_int()
    assert lib.kist_status(n, ctypes.byref(status), ctypes.byref(pid), None,
                           ctypes.byref(err)) == 0, err.text
    assert status.value == b"running" and pid.value == kist.inspect(name)["pid"]
    assert lib.kist_set(n, b"pids.max", b"77", ctypes.byref(err)) == 0, err.text
    value = ctypes.c_char_p()
    assert lib.kist_get(n, b"pids.max", ctypes.byref(value), ctypes.byref(err)) == 0, err.text
    assert value.value.strip() == b"77"
    os.mkdir(images / "i")
    fd = os.open(images / "i", os.O_RDONLY)
    assert lib.kist_checkpoint(n, fd, 0, 0, ctypes.byref(res), ctypes.byref(err)) == 0, err.text
    assert res.tasks >= 2 and res.time_us > 0
    assert lib.kist_image_check(fd, ctypes.byref(err)) == 0, err.text
    assert lib.kist_restore(fd, None, ctypes.byref(res), ctypes.byref(err)) == 0, err.text
    os.close(fd)
    goes_on(kist, name)
    assert lib.kist_stop(n, 0, ctypes.byref(err)) == 0, err.text
    assert lib.kist_remove(n, 0, ctypes.byref(err)) == 0, err.text
    assert kist.names() == []


def test_errors(lib, images):
    err = Error()
    status = ctypes.c_char_p()
    assert lib.kist_status(b"nobody", ctypes.byref(status), None, None, ctypes.byref(err)) < 0
    assert b"nobody" in err.text and err.code < 0
    fd = os.open(images, os.O_RDONLY)
    assert lib.kist_image_check(fd, ctypes.byref(err)) < 0
    assert err.text
    assert lib.kist_image_check(fd, None) < 0
    os.close(fd)
