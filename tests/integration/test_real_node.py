# SPDX-License-Identifier: Apache-2.0
"""node: timers, promises and worker threads; a keep-alive client and a streamed answer in between."""
import http.client
import json
import time

import pytest

pytestmark = pytest.mark.checkpoint

PROGRAM = r"""
const http = require('http');
const { Worker } = require('worker_threads');
let ticks = 0, served = 0, timeout = 'waits', rounds = 0;
const kept = new Map();
for (let i = 0; i < 20000; i++) kept.set('k' + i, { i, s: 'x'.repeat(i % 50) });
setInterval(() => { ticks++; }, 20);
const worker = new Worker(`
	const { parentPort } = require('worker_threads');
	let n = 0;
	parentPort.on('message', m => { n++; parentPort.postMessage([m * 2, n]); });
`, { eval: true });
const answers = [];
worker.on('message', m => answers.shift()(m));
http.createServer(async (req, res) => {
	served++;
	if (req.url === '/arm') {
		timeout = 'armed';
		setTimeout(() => { timeout = 'fired'; rounds++; }, 1500);
		res.end('ok');
	} else if (req.url === '/stream') {
		let n = 0;
		const t = setInterval(() => {
			res.write('chunk ' + n + '\n');
			if (++n === 20) { clearInterval(t); res.end(); }
		}, 50);
	} else {
		const both = await new Promise(done => { answers.push(done); worker.postMessage(served); });
		const sum = [...kept.values()].reduce((a, v) => a + v.i, 0);
		res.end(JSON.stringify({ ticks, served, timeout, rounds, both, sum }));
	}
}).listen(8000, '0.0.0.0');
"""


class Client:
    def __init__(self, server):
        self.http = http.client.HTTPConnection(server.address, 8000, timeout=30)

    def start(self, path):
        self.http.request("GET", path)
        return self.http.getresponse()

    def state(self):
        return json.loads(self.start("/state").read())


def test_node(server):
    server.run("node", "-e", PROGRAM)
    server.connect(8000).close()
    keep, streaming = Client(server), Client(server)
    before = keep.state()
    for n in range(1, 4):
        assert keep.start("/arm").read() == b"ok"
        stream = streaming.start("/stream")
        assert stream.readline() == b"chunk 0\n"
        server.cycle()
        after = keep.state()
        assert after["served"] == before["served"] + 3
        assert after["both"] == [after["served"] * 2, before["both"][1] + 1]
        assert after["sum"] == 19999 * 20000 // 2
        rest = stream.read().decode()
        assert rest == "".join(f"chunk {i}\n" for i in range(1, 20)), "the stream goes on"
        time.sleep(1.7)
        before = keep.state()
        assert before["ticks"] > after["ticks"] + 20, "the interval timer ticks"
        assert before["timeout"] == "fired" and before["rounds"] == n, "a timeout fires, once"
    server.kist("stop", server.name)
