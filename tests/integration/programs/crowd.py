# SPDX-License-Identifier: Apache-2.0
"""Processes that pass numbers along by queues and pipes, under locks; the sum tells if one is lost."""
import multiprocessing as mp
import sys
import time

ITEMS, WORKERS = 3000, 4


def worker(tasks, results, lock, total):
    for n in iter(tasks.get, None):
        with lock:
            total.value += n
        results.put((n, n * n))
        time.sleep(0.002)


def ping(pipe):
    for n in iter(pipe.recv, None):
        pipe.send(n + 1)


def main():
    out = open(sys.argv[1], "w", buffering=1, encoding="ascii")
    tasks, results, lock = mp.Queue(100), mp.Queue(), mp.Lock()
    total = mp.Value("q", 0, lock=False)
    ours, theirs = mp.Pipe()
    procs = [mp.Process(target=worker, args=(tasks, results, lock, total)) for _ in range(WORKERS)]
    procs.append(mp.Process(target=ping, args=(theirs,)))
    for p in procs:
        p.start()
    seen, pinged = {}, 0
    out.write("started\n")
    for n in range(ITEMS):
        tasks.put(n)
        while not results.empty():
            key, square = results.get()
            seen[key] = square
        ours.send(pinged)
        pinged = ours.recv()
        if n % 100 == 0:
            out.write(f"{n}\n")
    for _ in range(WORKERS):
        tasks.put(None)
    while len(seen) < ITEMS:
        key, square = results.get()
        seen[key] = square
    ours.send(None)
    for p in procs:
        p.join()
    good = (pinged == ITEMS and total.value == sum(range(ITEMS)) and
            seen == {n: n * n for n in range(ITEMS)} and all(p.exitcode == 0 for p in procs))
    out.write("sound\n" if good else f"wrong: {pinged} {total.value} {len(seen)}\n")


if __name__ == "__main__":
    mp.set_start_method(sys.argv[2])
    main()
