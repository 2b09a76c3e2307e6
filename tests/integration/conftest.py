# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration tests, and the host's state at the start (test_zz_leaks.py)."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import uuid

import pytest

import host
import tree
from kist import Kist
from real import Server

SESSION = f"kist-test-{uuid.uuid4().hex[:12]}"


def pytest_configure(config):
    config.addinivalue_line("markers", "asan: is also run with the sanitizers")
    config.addinivalue_line("markers", "checkpoint: needs the verbs checkpoint and restore")
    os.environ["KIST_TEST_SESSION"] = SESSION
    config.kist_before = host.snapshot()


def pytest_collection_modifyitems(items):
    # The search for leaks is the last test.
    items.sort(key=lambda item: item.path.name == "test_zz_leaks.py")
    verbs = subprocess.run([build_dir() / "kist", "help"], capture_output=True, text=True,
                           check=True).stdout.split()
    for item in items:
        needed = ["checkpoint", "restore"] if item.get_closest_marker("checkpoint") else []
        missing = [verb for verb in needed if verb not in verbs]
        if missing:
            item.add_marker(pytest.mark.skip(reason=f"kist has no verb '{missing[0]}' yet"))


def build_dir():
    default = pathlib.Path(__file__).resolve().parents[2] / "build"
    return pathlib.Path(os.environ.get("KIST_BUILD", default)).resolve()


@pytest.fixture(scope="session")
def build():
    """The build directory, absolute."""
    return build_dir()


@pytest.fixture(autouse=True)
def no_reaper():
    """Orphans go to init again when a test of trees has ended."""
    yield
    tree.become_reaper(False)


def kist_of_its_own(build):
    state = tempfile.mkdtemp(prefix="kist-state-")
    k = Kist(build / "kist", state)
    yield k
    k.cleanup()
    shutil.rmtree(state, ignore_errors=True)


@pytest.fixture
def kist(build):
    """build/kist with a state directory of its own; at the end everything in it is removed."""
    yield from kist_of_its_own(build)


@pytest.fixture
def other(build):
    """The same with another state directory."""
    yield from kist_of_its_own(build)


@pytest.fixture
def name():
    """A name that no other test uses."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def server(kist, name, images):
    """A container for a real program (real.Server); removed at the end."""
    return Server(kist, name, images)


@pytest.fixture
def images():
    """A directory for checkpoint images: on disk, removed at the end."""
    path = tempfile.mkdtemp(prefix="kist-images-", dir="/var/tmp")
    yield pathlib.Path(path)
    shutil.rmtree(path, ignore_errors=True)
