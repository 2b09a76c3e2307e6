# SPDX-License-Identifier: Apache-2.0
"""The last test: nothing on the host is there that was not there before the first."""
import time

import host


def test_nothing_is_left(request):
    before = request.config.kist_before
    deadline = time.monotonic() + 10  # what is being taken down may take a moment
    while True:
        left = host.added(before)
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert not left, "left on the host: " + ", ".join(f"{kind} {name}" for kind, name in left)
