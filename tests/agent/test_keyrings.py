"""Key-sets from the air and from files: taken when two roots say so and the number grows, kept, and never gone back on."""

import asyncio
import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trust.keyrings import Keyrings, replace
from agent.trust.keyset import KEPT as FILE
from protocols.alert import ClockReading, MsgType, Refusal
from protocols.keyring import Keyring, seal_keyset
from tests.support.alerting import Station
from tests.support.seals import FULL, KEYS, ROOTS, T0, TEXT, key, keyring, private, sealed
from tests.support.virtual import run

DAY = 86_400


def made(number=8, roots="root 1,root 2", keys=KEYS):
    ring = dataclasses.replace(keyring(*keys), number=number)
    return seal_keyset(ring, [private(name) for name in roots.split(",")])


class Box:
    """A state directory and what the buffer remembers; `open` is a start of the station."""

    def __init__(self, folder):
        self.folder, self.number, self.said, self.rings, self.told = folder, 0, [], [], None
        folder.mkdir(exist_ok=True)

    def open(self, *files):
        self.keyrings = Keyrings(
            ROOTS,
            self.folder / FILE,
            record=lambda kind, fields, _lane: self.said.append((kind, dict(fields))),
            changed=self.rings.append,
            seen=self.number,
            remember=lambda number: setattr(self, "number", number),
            saved=self.told,
            save=lambda data: setattr(self, "told", data),
        )
        return self.keyrings.open([self.file(*file) for file in files])

    def file(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def take(self, data):
        async def main():
            found = self.keyrings.take(data, "mqtt")
            await self.keyrings.written()
            return found

        return asyncio.run(main())

    def kinds(self):
        return [kind for kind, _ in self.said]


@pytest.fixture
def box(tmp_path):
    box = Box(tmp_path / "state")
    box.open(("keyset.cbor", made(7)))
    return box


def test_a_newer_key_set_is_in_force_at_once_and_over_restarts(box):
    found = box.take(made(8, keys=KEYS[1:]))
    assert isinstance(found, Keyring)
    assert box.rings[-1].number == 8
    assert box.rings[-1].holder_of(1) is None, "revoked by being left out"
    ((kind, facts),) = box.said
    assert (kind, facts["number"], facts["before"]) == ("keyset.adopted", 8, 7)
    assert box.open(("keyset.cbor", made(7))).number == 8
    assert box.kinds() == ["keyset.adopted"], "the technician's older file is no fault"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (made(6), "keyset-old"),
        (made(9, roots="root 1,root 1"), "keyset-roots"),
        (made(9, roots="root 1,nobody"), "keyset-roots"),
        (made(9)[:-1], "keyset-malformed"),
        (b"", "keyset-unsigned"),
        (sealed("county bureau"), "keyset-malformed"),
        (made(9, keys=(key("county", FULL, public=ROOTS[2]),)), "keyset-root"),
    ],
)
def test_what_is_no_newer_key_set_of_two_roots_changes_nothing(box, data, reason):
    found = box.take(data)
    assert isinstance(found, Refusal)
    assert found.reason == reason
    assert box.keyrings.current.number == 7
    assert box.kinds() == [], "whoever brought it is told; the air counts it as junk"


def test_its_number_never_goes_back_also_where_the_file_is_lost(box):
    box.take(made(9))
    (box.folder / FILE).unlink()
    assert box.open(("keyset.cbor", made(8))).number == 0
    assert box.said[-1][1]["reason"] == "keyset-old"
    assert box.take(made(8)).reason == "keyset-old"
    assert box.take(made(9)).number == 9, "and the one in force before may come again"
    assert box.open(("keyset.cbor", made(8))).number == 9


def test_the_same_again_is_silent_and_another_of_the_same_number_is_not_believed(box):
    assert box.take(made(7)).number == 7
    assert box.take(made(7, keys=KEYS[:1])).reason == "keyset-twice"
    assert box.kinds() == ["keyring.refused"], "two roots contradict themselves: that is worth an event"
    assert len(box.rings) == 1


def test_a_technicians_newer_file_is_taken_at_the_start_and_kept(box):
    assert box.open(("keyset.cbor", made(12))).number == 12
    (box.folder / "keyset.cbor").unlink()
    assert box.open().number == 12


def test_a_spoilt_file_leaves_the_other_in_force_and_is_told(box):
    box.take(made(9))
    (box.folder / FILE).write_bytes(b"\x00" * 100)
    assert box.open(("keyset.cbor", made(9))).number == 9
    assert box.said[-1] == ("keyring.refused", box.said[-1][1])
    assert (box.folder / FILE).read_bytes() == made(9), "and is mended"


def test_with_nothing_to_believe_it_believes_nobody_and_says_so(tmp_path):
    box = Box(tmp_path / "state")
    assert box.open() == Keyring()
    assert box.kinds() == ["keyring.refused"]


def test_a_revocation_holds_also_where_the_disk_is_full(box, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent.trust.keyrings.replace", full)
    box.take(made(8))
    assert box.keyrings.current.number == 8
    assert box.said[-1] == ("keyset.unstored", {"reason": "No space left on device"})


def test_the_file_is_old_or_new_and_never_half(tmp_path, monkeypatch):
    file = tmp_path / FILE
    replace(file, b"old")
    monkeypatch.setattr("agent.trust.keyrings.os.fsync", lambda _fd: (_ for _ in ()).throw(OSError("power")))
    with pytest.raises(OSError, match="power"):
        replace(file, b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert file.stat().st_mode & 0o777 == 0o600


def test_of_two_that_come_at_once_the_newer_ends_up_in_the_file(box):
    async def main():
        for number in (8, 9, 10):
            box.keyrings.take(made(number), "mqtt")
        await box.keyrings.written()

    asyncio.run(main())
    assert (box.folder / FILE).read_bytes() == made(10)


@given(st.integers(0, len(made(8)) - 1), st.integers(1, 255))
@settings(max_examples=200)
def test_no_byte_of_a_key_set_can_be_changed(at, by):
    data = bytearray(made(8))
    data[at] ^= by
    keyrings = Keyrings(ROOTS, Path("nowhere"), record=lambda *_: None)
    assert isinstance(keyrings.take(bytes(data), "mqtt"), Refusal)


# The ends of keys


def when(days, trusted=True):
    return ClockReading(int(T0 + 365 * DAY - days * DAY), T0, trusted)


def test_an_end_is_announced_90_30_and_7_days_ahead_and_when_it_comes_once_each(tmp_path):
    box = Box(tmp_path / "state")
    box.open(("keyset.cbor", made(7, keys=KEYS[:1])))
    for days in (120, 91, 90, 89, 60, 30, 29, 8, 7, 3, 0, -1, -20):
        box.keyrings.tick(when(days))
        if days in (60, 3):
            box.open(("keyset.cbor", made(7, keys=KEYS[:1])))
    told = [(kind, facts["days"]) for kind, facts in box.said]
    assert told == [("key.expiring", 90), ("key.expiring", 30), ("key.expiring", 7), ("key.expired", 0)]
    assert {facts["holder"] for _, facts in box.said} == {"county"}
    assert len(box.said[0][1]["key"].split()) == 8


def test_after_long_without_power_only_the_nearest_is_announced(tmp_path):
    box = Box(tmp_path / "state")
    box.open(("keyset.cbor", made(7, keys=KEYS[:1])))
    box.keyrings.tick(when(5))
    box.keyrings.tick(when(5))
    assert [(kind, facts["days"]) for kind, facts in box.said] == [("key.expiring", 5)]


def test_an_untrusted_clock_announces_nothing(box):
    box.keyrings.tick(when(5, trusted=False))
    assert box.said == []


def test_a_new_key_of_the_same_holder_is_announced_anew(tmp_path):
    box = Box(tmp_path / "state")
    box.open(("keyset.cbor", made(7, keys=KEYS[:1])))
    box.keyrings.tick(when(5))
    box.take(made(8, keys=(key("county", FULL, public=bytes(32), not_after=T0 + 366 * DAY),)))
    box.keyrings.tick(when(5))
    assert [(kind, facts.get("days")) for kind, facts in box.said if kind.startswith("key.")] == [
        ("key.expiring", 5),
        ("key.expiring", 6),
    ]


# Where it counts: at the station


def test_an_expired_key_loses_the_siren_at_once_and_keeps_display_and_cancel():
    async def main():
        ended = keyring(*(key(name, FULL, not_after=T0 - 1) for name in ("county", "bureau")))
        async with Station() as station:
            station.alerting.keyring = ended
            await station.heard(sealed("county bureau", TEXT), wait=2)
            assert station.shown
            assert not station.sounded()
            decided = next(fields for kind, fields, _ in station.records if kind == "warning.decided")
            assert decided["withheld"] == {"voice": "no-authority", "siren": "no-authority"}
            await station.heard(sealed("county", seq=T0 + 60, msg_type=MsgType.CANCEL), wait=2)
            assert station.kinds(reason="cancelled") == ["warning.decided"]

    run(main())


def test_a_revoked_key_is_not_believed_from_the_next_message_on():
    async def main():
        async with Station() as station:
            await station.heard(sealed("county", TEXT))
            station.alerting.keyring = keyring(*KEYS[1:])
            await station.heard(sealed("county", TEXT, seq=T0 + 1))
            assert station.alerting.status()["counts"] == {"started": 1, "unknown-issuer": 1}

    run(main())
