# SPDX-License-Identifier: Apache-2.0
"""`kist image show` and `check`: a sound image is shown, a damaged one refused with a clear error."""
import json
import os
import random
import re
import shutil
import subprocess

import pytest

BUILD = os.environ.get("KIST_BUILD", os.path.join(os.path.dirname(__file__), "../../build"))
KIST = os.path.join(BUILD, "kist")
TOOL = os.path.join(BUILD, "tests", "helpers", "image-tool")
FILES = ["manifest.json", "state.pb", "config.json", "content", "pages-1"]


def image(action, path):
    return subprocess.run([KIST, "image", action, str(path)], capture_output=True, text=True)


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "image"
    path.mkdir()
    subprocess.run([TOOL, str(path)], check=True)
    return path


def refused(path, why):
    r = image("check", path)
    assert r.returncode != 0, why
    assert r.stdout == "", why
    assert r.returncode > 0, f"killed by a signal: {why}"
    text = r.stderr.strip()
    # one sentence that says what is wrong and names the file
    assert re.search(r"image", text), (why, text)
    assert any(name in text for name in FILES) or "format" in text, (why, text)
    return text


def test_sound(sound):
    r = image("check", sound)
    assert r.returncode == 0, r.stderr
    assert "sound" in r.stdout and "web" in r.stdout
    r = image("show", sound)
    assert r.returncode == 0, r.stderr
    shown = json.loads(r.stdout)
    assert shown["format"] == 2
    assert shown["info"]["container"] == "web"
    assert {f["name"] for f in shown["files"]} == set(FILES) - {"manifest.json"}
    contents = [x for x in shown["records"] if x["record"] == "content"]
    assert [x["object"] for x in contents] == list(range(1, 51))


def test_flip_and_cut_at_200_places(sound):
    rng = random.Random(2007)
    sizes = {f: (sound / f).stat().st_size for f in FILES}
    for i in range(200):
        name = FILES[i % len(FILES)]
        path = sound / name
        whole = path.read_bytes()
        at = rng.randrange(sizes[name])
        if (i // len(FILES)) % 2:
            path.write_bytes(whole[:at])
            why = f"{name} cut to {at} bytes"
        else:
            bad = bytearray(whole)
            bad[at] ^= 1 << rng.randrange(8)
            path.write_bytes(bad)
            why = f"{name} flipped at {at}"
        refused(sound, why)
        path.write_bytes(whole)
    assert image("check", sound).returncode == 0


def test_too_new(sound):
    path = sound / "manifest.json"
    path.write_text(path.read_text().replace('"format": 2', '"format": 3'))
    text = refused(sound, "format 3")
    assert "format 3" in text and "reads formats up to 2" in text


def test_missing_and_foreign_files(sound):
    (sound / "note").write_text("mine")
    r = image("check", sound)
    assert r.returncode == 0 and "'note'" in r.stderr
    shutil.copy(sound / "pages-1", sound / "note")
    (sound / "pages-1").unlink()
    assert "lacks its file 'pages-1'" in refused(sound, "missing file")
    (sound / "pages-1").symlink_to("note")
    refused(sound, "symlink")
    (sound / "pages-1").unlink()
    os.mkfifo(sound / "pages-1")
    assert "not a regular file" in refused(sound, "fifo")


def test_no_image(tmp_path):
    r = image("check", tmp_path)
    assert r.returncode > 0 and "no image here" in r.stderr
    r = image("check", tmp_path / "nothing")
    assert r.returncode > 0 and "nothing" in r.stderr
    r = subprocess.run([KIST, "image", "burn", str(tmp_path)], capture_output=True, text=True)
    assert r.returncode > 0 and "'burn'" in r.stderr
