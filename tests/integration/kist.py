# SPDX-License-Identifier: Apache-2.0
"""What the tests know of the command line: runs a verb, waits for a condition, cleans up."""
import json
import os
import subprocess
import time


def wait_for(check, what, timeout=20.0, step=0.01):
    """Calls check() until it returns something true, which is returned."""
    deadline = time.monotonic() + timeout
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(step)


class Kist:
    """A kist binary with a state directory."""

    def __init__(self, binary, state):
        self.binary = str(binary)
        self.state = state
        self.env = dict(os.environ, KIST_ROOT=state)

    def __call__(self, *args, check=True, timeout=120, **kw):
        """Runs `kist ARGS`; the finished process, with text output. Fails with kist's own words.

        Output goes through files: a detached container keeps its standard error open.
        """
        kw.setdefault("stdin", subprocess.DEVNULL)
        env = dict(self.env, **kw.pop("env", {}))
        r = subprocess.run([self.binary, *map(str, args)], capture_output=True, text=True,
                           env=env, timeout=timeout, check=False, **kw)
        if check and r.returncode != 0:
            raise AssertionError(f"kist {' '.join(map(str, args))}: exit status {r.returncode}\n"
                                 f"{r.stdout}{r.stderr}")
        return r

    def popen(self, *args, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        env = dict(self.env, **kw.pop("env", {}))
        return subprocess.Popen([self.binary, *map(str, args)], env=env, **kw)

    def inspect(self, name):
        return json.loads(self("inspect", name).stdout)

    def names(self):
        return self("list", "-q").stdout.split()

    def cleanup(self):
        """Removes every container of the state directory."""
        for n in self("list", "-q", check=False).stdout.split():
            self("rm", "-f", n, check=False)
