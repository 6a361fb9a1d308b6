"""Things the buffer's tests share: a small buffer, bodies that merge, and the one equation that must always hold."""

import time
from contextlib import contextmanager
from itertools import takewhile

from buffer.model import Lane, Options, RouteSpec
from buffer.store import Buffer

ROUTES = (RouteSpec("main"), RouteSpec("spare", required=False))
QUICK = Options(commit_interval=0.005, settle_interval=0.02, ballast=1 << 16)


def merge(bodies):
    """Bodies are comma-separated words; 'x' will not be merged."""
    fit = list(takewhile(lambda body: body != b"x", bodies))
    for _ in fit:
        yield None
    if fit:
        yield b",".join(fit), len(fit)


def thin(body):
    words = body.split(b",")
    return b",".join(words[::2]) if len(words) > 2 else None


@contextmanager
def opened(path, **kwargs):
    kwargs.setdefault("routes", ROUTES)
    kwargs.setdefault("options", QUICK)
    buffer = Buffer.open(path, **kwargs)
    try:
        yield buffer
    finally:
        assert buffer.close(60)


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.002)
    return found


def put(buffer, lane, *bodies, **kwargs):
    """Appends and waits for the disk; the last number."""
    appended = [buffer.append(lane, body, **kwargs) for body in bodies]
    for one in appended:
        one.committed.result(60)
    return appended[-1].number


def everything(buffer, route, lane, log=None):
    """All pending blocks, as a drain would read them."""
    blocks, after = [], 0
    while found := buffer.read(route, lane, log=log, after=after, max_bytes=4_000, max_blocks=7).result(60):
        blocks += found
        after = found[-1].last
    return blocks


def numbers(blocks):
    return {n for block in blocks for n in range(block.first, block.last + 1)}


def accounted(buffer, route):
    """Issued = pending + settled + shed or unreadable, in every lane of every log."""
    with buffer._ledger.lock:
        for log in buffer._ledger.logs.values():
            for book in log.books.values():
                done, settled = book.done_on(route), book.settled.get(route)
                held = settled.count if settled else 0
                lost = done.difference(settled).count if settled else done.count
                assert book.last == book.pending(route) + held + lost
    return True


class Reports(list):
    def __call__(self, kind, facts):
        self.append((kind, dict(facts)))

    def of(self, kind):
        return [facts for found, facts in self if found == kind]


ALL = tuple(Lane)
