"""Any order of appends, settlements, reads, merges, restarts and trims, against a model of plain sets."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from buffer import retention
from buffer.model import Lane, Options
from buffer.store import Buffer
from tests.buffer.support import ROUTES, accounted, everything, merge, numbers
from tests.support.scale import count

LANES = st.sampled_from([Lane.ALARM, Lane.TELEMETRY])
NAMES = st.sampled_from([route.name for route in ROUTES])
SMALL = Options(commit_interval=0.0, settle_interval=0.0, merge_most=4, ballast=4096)


class Machine(RuleBasedStateMachine):
    logs = Bundle("logs")

    @initialize(target=logs)
    def start(self):
        self.folder = tempfile.TemporaryDirectory()
        self.issued = {}  # (log, lane): how many
        self.settled = {}  # (route, log, lane): set
        self.trimmed = {}  # (log, lane): set
        return self.open()

    @rule(target=logs, clean=st.booleans())
    def restart(self, clean):
        if clean:
            self.buffer.close()
        else:  # as after kill -9: settled ranges of the last moments may be forgotten, so write them first
            self.buffer.flush().result(60)
            self.buffer._worker._work.end = lambda: None
            self.buffer._worker.stop(5)
            self.buffer._engine.lock.release()
        return self.open()

    def open(self):
        self.buffer = Buffer.open(Path(self.folder.name) / "b.db", options=SMALL, routes=ROUTES, merge=merge)
        return self.buffer.log

    @rule(lane=LANES, many=st.integers(1, 9), fit=st.booleans())
    def append(self, lane, many, fit):
        before = self.issued.get((self.buffer.log, lane), 0)
        made = [self.buffer.append(lane, b"%d" % (before + n) if fit else b"x") for n in range(1, many + 1)]
        assert [one.number for one in made] == list(range(before + 1, before + many + 1))
        for one in made:
            one.committed.result(60)
        self.issued[self.buffer.log, lane] = before + many

    @rule(route=NAMES, log=logs, lane=LANES, first=st.integers(1, 20), length=st.integers(0, 8))
    def settle(self, route, log, lane, first, length):
        self.buffer.settle(route, log, lane, first, first + length)
        real = {n for n in range(first, first + length + 1) if n <= self.issued.get((log, lane), 0)}
        self.settled.setdefault((route, log, lane), set()).update(real)

    @rule()
    def merge(self):
        self.run(self.buffer._merger.step)

    @rule()
    def trim(self):
        """One step of deleting what every route has."""
        self.run(lambda: self.buffer._pruner._take(retention.for_history))
        for log, lane in self.issued:
            deleted = self.buffer._ledger.logs[log].book(lane).gone.get("history", ())
            self.trimmed[log, lane] = {n for a, b in deleted for n in range(a, b + 1)}
            assert all(self.trimmed[log, lane] <= self.settled.get((r.name, log, lane), set()) for r in ROUTES)

    def run(self, job):
        self.buffer._worker.ask(job).result(60)

    @rule(route=NAMES, log=logs, lane=LANES)
    def drain(self, route, log, lane):
        issued = set(range(1, self.issued.get((log, lane), 0) + 1))
        pending = issued - self.settled.get((route, log, lane), set())
        blocks = everything(self.buffer, route, lane, log)
        assert pending <= numbers(blocks) <= issued
        assert [b.first for b in blocks] == sorted({b.first for b in blocks})
        assert self.buffer.floor(route, log, lane) == min(pending, default=len(issued) + 1)
        backlog = {(p.log, p.lane): p.numbers for p in self.buffer.backlog(route)}
        assert backlog.get((log, lane), 0) == len(pending)

    @rule(log=logs, lane=LANES)
    def look_back(self, log, lane):
        issued = set(range(1, self.issued.get((log, lane), 0) + 1))
        blocks = self.buffer.history(log, lane, 1, 1000, max_bytes=1 << 20).result(60)
        assert numbers(blocks) == issued - self.trimmed.get((log, lane), set())

    @invariant()
    def adds_up(self):
        if hasattr(self, "buffer"):
            assert all(accounted(self.buffer, route.name) for route in ROUTES)
            assert not self.buffer.stats().fault
            assert set(self.buffer.stats().gone) <= {"history"}

    def teardown(self):
        if hasattr(self, "buffer"):
            self.buffer.close()
            self.folder.cleanup()


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=count(300), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
