"""kill -9 at random moments of append, settle, merge, checkpoint and trim: whatever was acknowledged is there after."""

import random
import subprocess
import sys

from buffer.model import Lane, Options, RouteSpec
from buffer.pruning import LOGS_KEPT
from buffer.store import Buffer
from tests.support.scale import count

ROUTES = (RouteSpec("main"),)
WORK = Options(
    max_bytes=1 << 20, commit_interval=0.001, settle_interval=0.01, merge_most=7, ballast=1 << 12, memory_bytes=1 << 20
)
CHILD = """
import os, random, sys
from buffer import upkeep
upkeep.CHECKPOINT_FRAMES, upkeep.CHECKPOINT_PAUSE = 30, 0.0
from buffer.model import Lane
from buffer.store import Buffer
from tests.faults.test_kill_buffer import ROUTES, WORK, body_of, merge, thin
rng = random.Random(int(sys.argv[2]))
buffer = Buffer.open(sys.argv[1], options=WORK, routes=ROUTES, merge=merge, thin=thin)
def done(lane, number):
    os.write(1, f"{buffer.log} {lane.value} {number}\\n".encode())
while True:
    lane = rng.choice((Lane.ALARM, Lane.EVENT, Lane.TELEMETRY, Lane.TELEMETRY, Lane.TELEMETRY))
    for _ in range(rng.randrange(1, 12)):
        one = buffer.append(lane, body_of(buffer.log, lane, buffer.next(lane)))
        one.committed.add_done_callback(lambda f, n=one.number, lane=lane: f.exception() or done(lane, n))
    one.committed.result(30)
    for where in buffer.backlog("main")[:3]:
        if rng.random() < 0.6:
            buffer.settle("main", where.log, where.lane, where.first, where.first + rng.randrange(30))
"""


def body_of(log, lane, number):
    return f"{log}/{lane.name}/{number}".encode() + b" " * 60


def merge(bodies):
    yield b",".join(bodies), len(bodies)


def thin(body):
    return None


def killed(path, seed):
    """What one child said was safe before it died: {(log, lane): highest number}."""
    rng = random.Random(seed)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, path, str(seed)], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    safe = {}
    try:
        for _ in range(rng.randrange(1, 400)):
            log, lane, number = child.stdout.readline().split()
            safe[log, Lane(int(lane))] = int(number)
    finally:
        child.kill()
    for line in child.stdout.read().splitlines():
        if line.count(" ") == 2:
            log, lane, number = line.split()
            safe[log, Lane(int(lane))] = int(number)
    child.wait()
    return safe


def check(path, safe):
    """Every acknowledged number is stored with its own body, or accounted for; the current log is a new one."""
    buffer = Buffer.open(path, options=WORK, routes=ROUTES)
    try:
        assert buffer.log not in {log for log, _ in safe}
        assert set(buffer.stats().gone) <= {"history", "space"}
        for (log, lane), last in safe.items():
            if log not in buffer._ledger.logs:  # all settled, all deleted, and a thousand starts ago
                assert len(buffer._ledger.logs) >= LOGS_KEPT
                continue
            book = buffer._ledger.logs[log].book(lane)
            assert book.last >= last
            stored = set()
            for block in buffer.history(log, lane, 1, 10**6, max_bytes=1 << 24).result(30):
                bodies = block.body.split(b",")
                assert bodies == [body_of(log, lane, n) for n in range(block.first, block.last + 1)]
                assert stored.isdisjoint(range(block.first, block.last + 1))
                stored.update(range(block.first, block.last + 1))
            assert stored | {n for a, b in book.absent for n in range(a, b + 1)} >= set(range(1, last + 1))
    finally:
        assert buffer.close(30)


def test_nothing_acknowledged_is_lost_and_no_number_is_used_twice(tmp_path):
    path, safe = tmp_path / "b.db", {}
    rounds = count(500)
    for seed in range(rounds):
        new = killed(path, seed)
        assert not set(new) & set(safe), "a log id came twice"
        safe.update(new)
        check(path, new if seed % 10 else safe)
    check(path, safe)
    assert len({log for log, _ in safe}) == rounds
