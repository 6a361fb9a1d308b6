"""A station that only knows warnings: a siren on a simulated board, a display, a journal in memory, in virtual time."""

import asyncio
import contextlib
from concurrent.futures import Future
from pathlib import Path

from agent.alerts import plan_file
from agent.alerts.alerting import Alerting
from agent.alerts.journal import Journal
from agent.alerts.policy import Place, Policy
from drivers.actuators import relay, sim
from drivers.actuators.relay_config import RelayConfig
from drivers.actuators.sim import SimConfig
from drivers.api import Context
from protocols import event
from protocols.alert import ClockReading
from tests.support.relay import DirectBus, Restarting, spells
from tests.support.seals import T0, VILLAGE, keyring


class MemoryJournal:
    """`broken`: "" | "fails" | "hangs". What was written while it hung is lost with a restart (`restarted`)."""

    def __init__(self, journal=None):
        self.journal = self.kept = journal or Journal()
        self.broken, self.writes = "", 0

    def write(self, entries):
        self.writes += 1
        self.journal = self.journal.fold(entries)
        done = Future()
        if self.broken == "fails":
            done.set_exception(OSError("no space left"))
        elif not self.broken:
            self.kept = self.journal
            done.set_result(None)
        return done

    def restarted(self):
        return MemoryJournal(self.kept)


class FakeClock:
    def __init__(self, now, trusted=True):
        self.boot, self.trusted, self._now = b"\1" * 8, trusted, now

    def read(self):
        return ClockReading(int(T0 + self._now()), T0 - 86_400, self.trusted)


class Station:
    """`async with Station() as station`. `records` are the acknowledgements, `acks` the bearer's, in order."""

    def __init__(self, policy=None, journal=None, board=None, others=(), areas=None, **faults):
        self.now = asyncio.get_running_loop().time
        self.board = board or Restarting(now=self.now)
        self.bus = DirectBus(self.board)
        context = Context(Path(), lambda *_: None, {"relays": self.bus})
        config = RelayConfig(name="siren", bus="relays", board="waveshare-8ch")
        self.siren = relay.create(config, context, self.now)
        self.display = sim.create(SimConfig(name="display", kind="display", **faults), context)
        self.display._now = self.now
        self.journal, self.clock = journal or MemoryJournal(), FakeClock(self.now)
        self.records, self.acks = [], []
        found, problems = plan_file.load()
        assert not problems
        self.alerting = Alerting(
            keyring=keyring(),
            journal=self.journal,
            clock=self.clock,
            place=Place((VILLAGE,)),
            policy=policy or Policy(),
            plans=found,
            actuators=[self.display, self.siren, *others],
            areas=areas,
            record=self._record,
            now=self.now,
        )

    async def __aenter__(self):
        self._task = asyncio.create_task(self.alerting.run())
        await asyncio.sleep(5)  # past what an earlier life could have armed
        return self

    async def __aexit__(self, *_):
        await self.stop()

    async def stop(self):
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def _record(self, kind, fields, lane):
        event.encode(kind, self.clock.boot, 0, fields)  # raises where a field could not leave the station
        self.records.append((kind, dict(fields), lane))

    def die(self):
        """As kill -9: nothing reaches a device any more."""
        self.bus.dead = True
        self._task.cancel()

    def hear(self, data, bearer="mqtt", retained=False):
        number = len(self.acks)
        self.acks.append(None)

        def done():
            assert self.acks[number] is None, "acknowledged twice"
            self.acks[number] = sum(ack is not None for ack in self.acks)

        self.alerting.submit(bearer, data, retained, done)

    async def heard(self, data, bearer="mqtt", wait=0.2):
        self.hear(data, bearer)
        await asyncio.sleep(wait)

    def kinds(self, **fields):
        return [kind for kind, said, _ in self.records if fields.items() <= said.items()]

    def sounded(self):
        return spells(self.board)

    @property
    def shown(self):
        """What the display shows, or nothing."""
        newest = self.display.log[-1] if self.display.log else None
        return newest["text"] if newest and newest["on"] else ""
