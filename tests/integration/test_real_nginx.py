# SPDX-License-Identifier: Apache-2.0
"""nginx: a master and workers, a download in flight to a slow client, a keep-alive connection."""
import hashlib
import http.client
import random
import shutil
import tempfile
import pathlib

import pytest

pytestmark = pytest.mark.checkpoint

SIZE = 24 << 20
CONF = """
worker_processes 2;
user www-data;
pid /tmp/nginx.pid;
error_log /tmp/error.log;
daemon off;
events { worker_connections 64; }
http {
	access_log /tmp/access.log;
	client_body_temp_path /tmp/body;
	keepalive_timeout 600s;
	server {
		listen 80;
		root DIR;
		location = /limited { limit_rate 4m; alias DIR/file; }
	}
}
"""


@pytest.fixture
def site():
    path = pathlib.Path(tempfile.mkdtemp(prefix="kist-nginx-", dir="/var/tmp"))
    path.chmod(0o755)
    (path / "nginx.conf").write_text(CONF.replace("DIR", str(path)))
    (path / "file").write_bytes(random.Random(1).randbytes(SIZE))
    (path / "index.html").write_text("hello\n")
    yield path
    shutil.rmtree(path)


def read(response, size):
    data = response.read(size)
    assert data, "the download was cut"
    return data


def test_nginx(server, site):
    server.run("nginx", "-c", site / "nginx.conf", options=("-v", f"{site}:{site}:ro"))
    server.connect(80).close()
    keep = http.client.HTTPConnection(server.address, timeout=30)
    slow = http.client.HTTPConnection(server.address, timeout=30)
    limited = http.client.HTTPConnection(server.address, timeout=30)
    slow.request("GET", "/file")
    limited.request("GET", "/limited")
    download, timed = slow.getresponse(), limited.getresponse()
    sums = hashlib.sha256(), hashlib.sha256()
    for n in range(3):
        # one is held up by its client, one by the server's own timer
        sums[0].update(read(download, 1 << 20))
        sums[1].update(read(timed, 256 << 10))
        server.cycle()
        keep.request("GET", "/")
        answer = keep.getresponse()
        assert answer.status == 200 and answer.read() == b"hello\n", f"round {n}"
        fresh = http.client.HTTPConnection(server.address, timeout=30)
        fresh.request("HEAD", "/file")
        assert int(fresh.getresponse().headers["Content-Length"]) == SIZE
        fresh.close()
    for response, digest in zip((download, timed), sums):
        while data := response.read(1 << 20):
            digest.update(data)
        assert digest.hexdigest() == hashlib.sha256((site / "file").read_bytes()).hexdigest()
    # the master still rules its workers
    before = server.exec("pgrep", "-f", "worker process").split()
    assert len(before) == 2
    server.exec("nginx", "-c", site / "nginx.conf", "-s", "reload")
    keep.close()
    slow.close()
    limited.close()
    fresh = http.client.HTTPConnection(server.address, timeout=30)
    fresh.request("GET", "/")
    assert fresh.getresponse().read() == b"hello\n"
    fresh.close()
