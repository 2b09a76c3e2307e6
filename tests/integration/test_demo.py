# SPDX-License-Identifier: Apache-2.0
"""`make demo` as it is: works, fits a screen, takes no two minutes, and removes its container."""
import pathlib
import subprocess

import pytest

DEMO = pathlib.Path(__file__).resolve().parents[1] / "demo" / "demo"


@pytest.mark.checkpoint
def test_demo():
    r = subprocess.run([DEMO], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                       timeout=120, check=False)
    assert r.returncode == 0, r.stdout + r.stderr
    lines = r.stdout.splitlines()
    assert len(lines) <= 24 and all(len(line) <= 120 for line in lines), r.stdout
    assert "counter goes on with 1001, 1002" in r.stdout
    assert lines[-1].endswith("the container is removed")
