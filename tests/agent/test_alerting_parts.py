"""The parts of the loop on their own: lines of bearers, performers, the ladder's bounds."""

import asyncio

from agent.alerts.evidence import MOST_JUNK, RECEIPTS, Evidence
from agent.alerts.intake import LARGEST, MOST_BYTES, Intake, Message
from agent.alerts.performer import GRACE, Part, Performer
from drivers.api import Action, Outcome, Verdict
from tests.support.seals import verified
from tests.support.virtual import run


def message(bearer, data=b"x"):
    return Message(bearer, data, False, lambda: None)


def test_bearers_are_served_in_turn():
    intake = Intake()
    for bearer in ("a", "a", "a", "b", "c"):
        assert intake.put(message(bearer)) == ""
    order = []
    while (taken := intake.take()) is not None:
        order.append(taken.bearer)
    assert order == ["a", "b", "c", "a", "a"]


def test_a_line_is_bounded_in_bytes_and_lets_in_again_what_it_let_go():
    intake = Intake()
    large = bytes(LARGEST)
    taken = 0
    while intake.put(message("a", large)) == "":
        taken += 1
    assert taken == MOST_BYTES // LARGEST
    assert intake.put(message("b", large)) == ""
    intake.take()
    assert intake.put(message("a", large)) == ""
    assert intake.put(message("a", large + b"x")) == "too_large"


class Device:
    """An actuator whose misbehaviour is a coroutine."""

    name, kind = "device", "siren"

    def __init__(self, perform):
        self.performing, self.silenced, self._perform = 0, 0, perform

    async def perform(self, _action, _until, started):
        self.performing += 1
        try:
            return await self._perform(started)
        finally:
            self.performing -= 1

    async def silence(self):
        self.silenced += 1
        return Outcome(Verdict.DONE)

    async def probe(self):
        await asyncio.Event().wait()

    def status(self):
        return {}


def performer(perform):
    told = []
    device = Device(perform)
    now = asyncio.get_running_loop().time
    return device, Performer(device, lambda step, _action, outcome: told.append((step, outcome.reason)), now), told


async def hang(_started):
    await asyncio.Event().wait()


def part(seconds, key="a"):
    return Part(Action("siren", key=key), asyncio.get_running_loop().time() + seconds)


def test_a_device_that_hangs_is_given_up_when_its_time_is_over():
    async def main():
        device, one, told = performer(hang)
        one.want(part(10))
        await asyncio.sleep(10 + GRACE + 1)
        assert told == [("failed", "actuator_hangs")]
        assert device.performing == 0
        assert (await one.probe()).reason == "actuator_hangs"

    run(main())


def test_a_hanging_performance_that_was_replaced_does_not_stay_for_ever():
    async def main():
        device, one, _ = performer(hang)
        for number in range(5):
            one.want(part(1000, str(number)))
            await asyncio.sleep(1)
        assert device.performing == 5
        await asyncio.sleep(GRACE + 1)
        assert device.performing == 1
        one.want(None)
        await asyncio.sleep(GRACE + 1)
        assert device.performing == 0
        assert device.silenced == 1

    run(main())


def test_a_driver_that_crashes_is_tried_again_while_its_time_lasts():
    async def main():
        async def crash(_started):
            raise RuntimeError("a bug")

        device, one, told = performer(crash)
        one.want(part(3.5))
        await asyncio.sleep(20)
        assert told == [("failed", "actuator_crashed")] * 4
        assert device.performing == 0

    run(main())


def test_what_is_being_done_already_is_not_begun_again():
    async def main():
        device, one, _ = performer(hang)
        wanted = part(100)
        one.want(wanted)
        await asyncio.sleep(1)
        for earlier in (0, 5, 20):
            one.want(Part(wanted.action, wanted.until - earlier))
        await asyncio.sleep(GRACE + 1)
        assert device.performing == 1
        one.want(None)
        await asyncio.sleep(1)

    run(main())


def test_junk_of_more_kinds_than_there_are_is_counted_as_one():
    said = []
    evidence = Evidence(lambda _kind, fields, _lane: said.append(fields), lambda: 0.0)
    for number in range(10 * MOST_JUNK):
        evidence.junk(f"reason {number}", "mqtt")
    evidence.flush(everything=True)
    assert len(said) <= MOST_JUNK + 1
    assert sum(fields["count"] for fields in said) == 10 * MOST_JUNK


def test_receipts_are_remembered_within_a_bound():
    evidence = Evidence(lambda *_: None, lambda: 0.0)
    alert = verified()
    for number in range(RECEIPTS + 10):
        evidence.decided(f"bearer {number}", alert, "duplicate", {})
    assert len(evidence._receipts) == RECEIPTS
