# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: shared memory, background processes, a transaction that is open over the checkpoint."""
import glob
import pwd
import subprocess

import pytest

from kist import wait_for

pytestmark = pytest.mark.checkpoint

START = """
set -e
PATH={bin}:$PATH
initdb -D /var/tmp/pg -A trust --no-sync -U postgres >/tmp/initdb.log
echo 'host all all all trust' >>/var/tmp/pg/pg_hba.conf
exec postgres -D /var/tmp/pg -c listen_addresses='*' -c unix_socket_directories=/tmp \
	-c shared_buffers=32MB -c max_connections=20
"""


class Psql:
    """An interactive psql on the host, over TCP."""

    def __init__(self, server, tool):
        self.proc = subprocess.Popen(
            [tool, "-h", server.address, "-U", "postgres", "-qtAX", "-v", "ON_ERROR_STOP=1"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def send(self, sql):
        self.proc.stdin.write(f"{sql};\n\\echo done\n".encode())
        self.proc.stdin.flush()

    def answer(self):
        rows = []
        while (row := self.proc.stdout.readline().decode().rstrip("\n")) != "done":
            assert self.proc.poll() is None or row, f"psql ended: {rows}"
            rows.append(row)
        return "\n".join(rows)

    def __call__(self, sql):
        self.send(sql)
        return self.answer()

    def close(self):
        self.proc.stdin.close()
        self.proc.stdout.close()
        self.proc.wait(timeout=20)


def test_postgres(server):
    tools = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    user = pwd.getpwnam("postgres")
    server.run("bash", "-c", START.format(bin=tools),
               options=("-u", f"{user.pw_uid}:{user.pw_gid}", "-s", "memory.max=512M"))
    wait_for(lambda: "ready to accept connections" in server.log(), "the server", timeout=60)
    first, second = Psql(server, f"{tools}/psql"), Psql(server, f"{tools}/psql")
    try:
        first("CREATE TABLE t (n int PRIMARY KEY, s text)")
        first("INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 20000) i")
        want = first("SELECT md5(string_agg(s, '' ORDER BY n)) FROM t")
        for n in range(1, 4):
            first("BEGIN")
            first(f"INSERT INTO t VALUES ({-n}, 'open')")
            assert second(f"SELECT count(*) FROM t WHERE n = {-n}") == "0"
            second.send(f"INSERT INTO t VALUES ({-n}, 'waits') ON CONFLICT DO NOTHING")
            server.cycle()  # one transaction is open, another waits for its row
            assert first(f"SELECT s FROM t WHERE n = {-n}") == "open"
            first("COMMIT")
            assert second.answer() == ""
            assert second(f"SELECT s FROM t WHERE n = {-n}") == "open"
            assert second("SELECT md5(string_agg(s, '' ORDER BY n)) FROM t WHERE n > 0") == want
            fresh = Psql(server, f"{tools}/psql")  # the postmaster forks on
            assert fresh("SELECT count(*) FROM t") == str(20000 + n)
            fresh.close()
        first("CHECKPOINT")
        assert first("SELECT pg_reload_conf()") == "t"
    finally:
        first.close()
        second.close()
    server.kist("stop", server.name)
    assert "shut down" in server.log()
