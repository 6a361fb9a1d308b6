"""The station's key and counter, and acknowledgements signed on their way: never a number twice, never silent for want of it."""

import asyncio
import json
import multiprocessing
import stat
from base64 import b64encode

import pytest

from agent.alerts.receipts import Receipts
from agent.station_key import BLOCK, COUNTER_FILE, KEY_FILE, Counter, open_key
from agent.subscriber.listen import Tracker
from agent.subscriber.receipt_audit import MOST_RANGES, ReceiptAudit
from buffer.model import Lane
from protocols import event, receipt
from protocols.key import Key
from tests.support.alerting import Station
from tests.support.seals import T0, TEXT, clock, private, sealed
from tests.support.until import until
from tests.support.virtual import run


class Clock:
    def read(self):
        return clock()


def public(folder):
    return open_key(folder / KEY_FILE).public_key().public_bytes_raw()


def events(said):
    """As they come over the wire."""
    for kind, fields, _lane in said:
        body = json.loads(event.encode(kind, bytes(8), 0, fields))
        yield {**body, "station": "s-1"}


# The key


def test_it_is_made_once_for_its_owner_alone(tmp_path):
    first = open_key(tmp_path / KEY_FILE).private_bytes_raw()
    assert open_key(tmp_path / KEY_FILE).private_bytes_raw() == first
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def _opened(file, out):
    out.put(open_key(file).private_bytes_raw())


def test_two_processes_that_ask_at_once_get_the_same(tmp_path):
    spawn = multiprocessing.get_context("fork")
    out = spawn.Queue()
    both = [spawn.Process(target=_opened, args=(tmp_path / KEY_FILE, out)) for _ in range(4)]
    for one in both:
        one.start()
    assert len({out.get(timeout=60) for _ in both}) == 1
    for one in both:
        one.join()


# The counter


def test_no_number_is_given_twice_over_restarts(tmp_path):
    given = []
    for _ in range(3):
        counter = Counter(tmp_path / COUNTER_FILE, T0)
        given += [counter.next() for _ in range(5)]
    assert given == sorted(set(given))
    assert given[5] - given[0] == BLOCK


def test_the_next_block_is_reserved_before_this_one_is_used_up(tmp_path):
    async def main():
        counter = Counter(tmp_path / COUNTER_FILE, T0)
        first = counter.next()
        for n in range(1, 5 * BLOCK):
            await until(lambda: counter._limit > counter._next)
            assert counter.next() == first + n
            assert counter._next <= int((tmp_path / COUNTER_FILE).read_text())

    asyncio.run(main())


def test_a_disk_that_takes_nothing_gives_no_number_rather_than_one_twice(tmp_path, monkeypatch):
    counter = Counter(tmp_path / COUNTER_FILE, T0)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent.station_key.replace", full)
    given = [counter.next() for _ in range(2 * BLOCK)]
    assert None in given
    assert given.index(None) == BLOCK
    assert Counter(tmp_path / "other", T0).next() is None


@pytest.mark.parametrize("spoilt", [b"", b"x", b"-5", b"\xff"])
def test_a_lost_counter_goes_on_ahead_of_what_was_said(tmp_path, spoilt):
    counter = Counter(tmp_path / COUNTER_FILE, T0)
    last = [counter.next() for _ in range(BLOCK - 300)][-1]
    (tmp_path / COUNTER_FILE).write_bytes(spoilt)
    assert Counter(tmp_path / COUNTER_FILE, T0 + 1).next() > last


# Acknowledgements


def test_the_whole_ladder_of_a_warning_is_signed_and_counted(tmp_path):
    async def main():
        async with Station() as station:
            receipts = Receipts("s-1", tmp_path, Clock(), station._record)
            station.alerting._evidence._record = receipts
            await station.heard(sealed("county bureau", TEXT), wait=200)
            station.hear(b"junk")
            await asyncio.sleep(700)
            return station.records

    said = run(main())
    ladder = [one for one in events(said) if one["type"].startswith("warning.") and one["type"] != "warning.junk"]
    assert {one["type"] for one in ladder} >= {
        f"warning.{step}" for step in ("received", "decided", "started", "ended")
    }
    assert all(receipt.verifies(one, public(tmp_path)) for one in ladder)
    counters = [one["counter"] for one in ladder]
    assert counters == list(range(counters[0], counters[0] + len(ladder)))
    junk = [one for one in events(said) if one["type"] == "warning.junk"]
    assert junk
    assert "signature" not in junk[0], "the count of what strangers send is no acknowledgement"


@pytest.mark.parametrize(
    ("kind", "lane", "signed"),
    [
        ("rule.raised", Lane.ALARM, True),
        ("rule.blind", Lane.EVENT, False),
        ("alarm.by_hand", Lane.ALARM, True),
        ("inhibit.on", Lane.ALARM, True),
        ("contact.exhausted", Lane.ALARM, True),
        ("issuer.silent", Lane.ALARM, False),
        ("device.down", Lane.EVENT, False),
    ],
)
def test_what_would_hide_a_warning_is_signed_with_the_same_counter(tmp_path, kind, lane, signed):
    said = []
    receipts = Receipts("s-1", tmp_path, Clock(), lambda *what: said.append(what))
    receipts("warning.decided", {"alert": "00"}, Lane.ALARM)
    receipts(kind, {"alert": "00"}, lane)
    first, second = events(said)
    assert ("signature" in second) is signed
    if signed:
        assert receipt.verifies(second, public(tmp_path))
        assert second["counter"] == first["counter"] + 1
        assert not receipt.verifies({**second, "type": "rule.cleared"}, public(tmp_path))


def test_a_key_that_cannot_be_used_leaves_acknowledgements_unsigned_and_is_told(tmp_path):
    open_key(tmp_path / KEY_FILE)
    (tmp_path / KEY_FILE).chmod(0o644)
    said = []
    receipts = Receipts("s-1", tmp_path, Clock(), lambda *what: said.append(what))
    receipts("warning.ended", {"alert": "00"}, Lane.ALARM)
    assert said[0][0] == "warning.unsigned"
    assert "BEGIN" not in str(said)
    assert said[1] == ("warning.ended", {"alert": "00"}, Lane.ALARM)


def test_what_cannot_be_signed_is_said_all_the_same(tmp_path):
    said = []
    receipts = Receipts("s-1", tmp_path, Clock(), lambda *what: said.append(what))
    receipts("warning.ended", {"alert": "00", "evidence": float("nan")}, Lane.ALARM)
    assert "signature" not in said[0][1]
    assert said[0][0] == "warning.ended"


# At the platform


def wire(number, key=None, counter=None, kind="warning.ended", **fields):
    proof = receipt.sign(
        "s-1", kind, fields, counter=counter or number, said=T0, certain=True, key=key or private("station")
    )
    stored = event.encode(kind, bytes(8), 5, {**fields, **proof})
    where = Key("s-1", "00112233445566ff", "alarm", number, number)
    return event.to_wire(stored, where, lambda _boot, at: (at, True), floor=1, kind="live")


def listened(*messages, key="station"):
    tracker = Tracker()
    if key:
        tracker.audit.see_key("s-1", private(key).public_key().public_bytes_raw().hex())
    items = [item for message in messages for item in tracker.take("fengsui/1/s-1/events", message)]
    return [item.facts.get("proof") for item in items], tracker


def test_a_platform_tells_genuine_from_forged_repeated_and_unsigned():
    bare = json.loads(wire(5))
    del bare["signature"]
    changed = json.loads(wire(6)) | {"reason": "changed"}
    proofs, tracker = listened(
        wire(1),
        wire(1),
        wire(2, key=private("county")),
        wire(3, counter=1),
        *(json.dumps(one).encode() for one in (bare, changed)),
    )
    assert proofs == ["genuine", "forged", "repeated", "unsigned", "forged"]
    assert tracker.summary()["acknowledgements"] == {"genuine": 1, "forged": 2, "repeated": 1, "unsigned": 1}


def test_without_a_key_it_says_that_it_could_not_check():
    assert listened(wire(1), key="")[0] == ["unchecked"]


def test_what_is_signed_and_absurd_is_no_acknowledgement():
    fields = {"counter": "x", "said": T0, "certain": True}
    signed = receipt.covered("s-1", {"type": "warning.ended", **fields})
    body = json.loads(wire(1)) | fields
    body["signature"] = b64encode(private("station").sign(signed)).decode()
    assert listened(json.dumps(body).encode())[0] == ["forged"]


def test_counters_remembered_are_bounded():
    audit = ReceiptAudit()
    for number in range(1, 2 * MOST_RANGES + 9, 2):
        assert audit._is_new("s-1", number)
    assert len(audit._held.get("s-1", ())) <= MOST_RANGES
