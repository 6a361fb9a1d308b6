"""Accounts: what is signed, what a subscriber makes of it, and that both sides come to the same sum."""

import asyncio
import contextlib
import json
import stat
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agent.clock import Clock
from agent.links import account
from agent.links.account import Account, Gone, account_of, decode, opened
from agent.links.account_signer import CannotSign, sign
from agent.links.accounting import Accounting, known_key
from agent.record import Recorder
from agent.subscriber.holdings import Lane as Held
from agent.subscriber.listen import Tracker
from buffer.model import Lane, RouteSpec
from buffer.ranges import Ranges
from buffer.store import Buffer
from protocols import cose, event
from protocols.errors import RemoteError
from protocols.key import LANES, MAX_NUMBER, Key

LOG, OTHER = "00112233445566ff", "8899aabbccddeeff"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()

NUMBERS = st.integers(1, MAX_NUMBER)
RANGES = st.lists(st.tuples(NUMBERS, NUMBERS).map(lambda pair: (min(pair), max(pair))), max_size=20).map(Ranges)
ACCOUNTS = st.builds(
    Account,
    station=st.text("abz0-._", min_size=1, max_size=32),
    log=st.binary(min_size=8, max_size=8).map(bytes.hex),
    closed=st.booleans(),
    at=st.integers(0, 1 << 40),
    issued=st.dictionaries(st.sampled_from(LANES), NUMBERS),
    gone=st.lists(st.builds(Gone, st.sampled_from(LANES), st.text(max_size=20), NUMBERS, RANGES), max_size=5).map(
        tuple
    ),
)


def seal(of, key=KEY):
    return cose.encode(of.encode(), [key])


def wire(kind, fields, *, number=1, station="s1", log=OTHER):
    stored = event.encode(kind, b"bootboot", 5, fields)
    key = Key(station, log, "event", number, number)
    return event.to_wire(stored, key, lambda _boot, at: (1_800_000_000_000 + at, True), floor=1, kind="live")


def told(tracker, of, signer=KEY, number=1, **changed):
    public = signer.public_key().public_bytes_raw().hex()
    return tracker.take(
        "fengsui/1/s1/events", wire("account", of.facts(seal(of, signer), public) | changed, number=number)
    )


@given(ACCOUNTS)
def test_what_is_sealed_comes_out_as_it_went_in(of):
    facts = of.facts(seal(of), PUBLIC.hex())
    assert opened(json.loads(json.dumps(facts)), PUBLIC) == of
    assert len(json.dumps(facts)) < event.MAX_BODY // 2


def test_the_vector_of_the_contract():
    of = Account("demo-1", LOG, True, 1_795_369_775, {"event": 5}, (Gone("event", "space", 2, Ranges([(1, 2)])),))
    assert of.encode().hex() == (
        "87016664656d6f2d314800112233445566ff011a6b032b2f8182656576656e74058184656576656e746573706163650243312d32"
    )


@given(st.binary(max_size=200))
def test_whatever_comes_is_an_account_or_refused(payload):
    with contextlib.suppress(RemoteError):
        assert isinstance(decode(payload), Account)


@pytest.mark.parametrize(
    "payload",
    [
        [2, "s1", bytes(8), 0, 1, [], []],
        [1, "s1", bytes(7), 0, 1, [], []],
        [1, "s1", bytes(8), 2, 1, [], []],
        [1, "s1", bytes(8), 0, 1, [["moon", 1]], []],
        [1, "s1", bytes(8), 0, 1, [["event", 0]], []],
        [1, "s1", bytes(8), 0, 1, [], [["event", "space", 1, b"9-1"]]],
        [1, "s1", bytes(8), 0, 1, [], [["event", "space", 1]]],
    ],
)
def test_what_is_no_account(payload):
    from protocols import canonical

    with pytest.raises(RemoteError):
        decode(canonical.encode(payload))


def test_an_account_with_a_million_ranges_fits_and_still_counts_them():
    ranges = Ranges((n, n) for n in range(1, 200_000, 2))
    of = Account("s1", LOG, True, 1, {"telemetry": 200_000}, (Gone("telemetry", "space", ranges.count, ranges),))
    facts = of.facts(seal(of), PUBLIC.hex())
    assert len(json.dumps(facts)) < event.MAX_BODY // 2
    assert opened(facts, PUBLIC).gone[0].numbers == 100_000
    assert len(opened(facts, PUBLIC).gone[0].ranges) == account.MOST_RANGES


# The subscriber's side


def closed(issued, gone=()):
    return Account("s1", LOG, True, 1, issued, tuple(gone))


def holding(whole=True, numbers=((1, 90),)):
    tracker = Tracker(whole=whole)
    tracker.holdings.at(Held("s1", LOG, "telemetry"), 91, fresh=True).numbers.update(numbers)
    return tracker


def test_what_was_issued_at_the_end_of_a_log_and_never_came_is_missed():
    tracker = holding()
    assert tracker.complete()
    told(tracker, closed({"telemetry": 100}, [Gone("telemetry", "space", 4, Ranges([(95, 98)]))]))
    assert not tracker.complete()
    assert [(lane.lane, list(short)) for lane, short in tracker.missing()] == [("telemetry", [(91, 94), (99, 100)])]
    [(topic, payload)] = tracker.requests()
    assert topic == "fengsui/1/s1/command/resend"
    assert json.loads(payload)["ranges"] == [f"{LOG}/telemetry/91-94", f"{LOG}/telemetry/99-100"]


def test_held_and_gone_together_are_what_was_issued():
    tracker = holding(numbers=((1, 94), (99, 100)))
    told(tracker, closed({"telemetry": 100}, [Gone("telemetry", "space", 4, Ranges([(95, 98)]))]))
    assert tracker.complete()
    assert tracker.summary()["audit"] == {
        "accounts": 1, "unsigned": 0, "issued": 100, "held": 96, "gone": 4, "missing": []
    }  # fmt: skip


def test_a_lane_of_which_nothing_came_at_all_is_missed_by_who_was_there():
    tracker = holding()
    told(tracker, closed({"telemetry": 90, "alarm": 2}))
    assert [(lane.lane, list(short)) for lane, short in tracker.missing()] == [("alarm", [(1, 2)])]
    assert Tracker().take(
        "fengsui/1/s1/events", wire("account", closed({"alarm": 2}).facts(seal(closed({"alarm": 2})), PUBLIC.hex()))
    )


def test_an_open_log_is_still_on_its_way():
    tracker = holding()
    told(tracker, Account("s1", LOG, False, 1, {"telemetry": 500}, ()))
    assert tracker.complete()


FORGED = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"sealed": b64encode(seal(closed({"telemetry": 95}), FORGED)).decode()}, "account.forged"),
        ({"sealed": "%%%"}, "account.sealed"),
        ({"sealed": b64encode(b"\xd2\x80").decode()}, "malformed"),
        ({"key": FORGED.public_key().public_bytes_raw().hex()}, "account.key"),
        ({"sealed": b64encode(seal(Account("s2", LOG, True, 1, {}, ()))).decode()}, "account.station"),
    ],
)
def test_what_is_not_the_station_s_is_a_problem_and_changes_nothing(changed, reason):
    tracker = holding()
    tracker.take("fengsui/1/s1/events", wire("station.key", {"key": PUBLIC.hex()}, number=1))
    [problem] = told(tracker, closed({"telemetry": 100}), number=2, **changed)
    assert (problem.kind, problem.facts["reason"]) == ("problem", reason)
    assert tracker.complete()


def test_a_key_once_seen_outlives_the_subscriber():
    tracker = holding()
    told(tracker, closed({"telemetry": 90}))
    again = Tracker()
    again.load(tracker.save())
    [problem] = told(again, closed({"telemetry": 100}), FORGED, number=2)
    assert problem.facts["reason"] == "account.key"


def test_an_unsigned_account_is_counted_and_not_believed():
    tracker = holding()
    told(tracker, closed({"telemetry": 100}), sealed="", key="")
    assert tracker.complete()
    assert tracker.summary()["audit"]["unsigned"] == 1


def test_what_a_resend_will_never_bring_is_no_hole_any_more():
    tracker = holding(numbers=((1, 10), (21, 30), (41, 90)))
    answer = [
        {"range": f"{LOG}/telemetry/11-20", "reason": "deleted"},
        {"range": f"{LOG}/telemetry/31-40", "reason": "later"},
    ]
    tracker.take("fengsui/1/s1/events", wire("command.done", {"verb": "resend", "correlation": "", "missing": answer}))
    assert [list(short) for _, short in tracker.missing()] == [[(31, 40)]]


# The station's side


class Told:
    def __init__(self, buffer):
        self.buffer, self.seen = buffer, 0

    def events(self):
        found = self.buffer.history(self.buffer.log, Lane.EVENT, 1, MAX_NUMBER, max_bytes=1 << 20).result(20)
        return [event.decode(block.body) for block in found]


def accounting(directory, buffer):
    clock = Clock("system")
    return Accounting("s1", directory, buffer=buffer, clock=clock, recorder=Recorder(buffer, clock))


def opened_buffer(directory):
    return Buffer.open(directory / "buffer.db", routes=[RouteSpec("p")])


def test_a_log_is_accounted_for_once_when_it_closes_and_again_only_when_it_changed(tmp_path):
    def life(*losses, current=False):
        buffer = opened_buffer(tmp_path)
        try:
            for log, first, last in losses:
                buffer._ledger.lose(log, Lane.TELEMETRY, "space", first, last)
            for _ in range(10):
                buffer.append(Lane.TELEMETRY, b"x")
            buffer.flush().result(20)
            asyncio.run(accounting(tmp_path, buffer).publish(current=current))
            buffer.flush().result(20)
            return buffer.log, [each for each in Told(buffer).events() if each["type"] == "account"]
        finally:
            buffer.close()

    first, said = life()
    assert said == [], "nothing was closed, and the present log has a day's time"
    second, said = life()
    assert [(each["log"], each["closed"], each["issued"]["telemetry"]) for each in said] == [(first, True, 10)]
    third, said = life((first, 3, 5), current=True)
    assert [(each["log"], each["closed"]) for each in said] == [(first, True), (second, True), (third, False)]
    assert said[0]["gone"] == [{"lane": "telemetry", "reason": "space", "numbers": 3, "ranges": "3-5"}]
    assert len({each["key"] for each in said}) == 1
    assert opened(said[0], bytes.fromhex(known_key(tmp_path))).gone[0].ranges == Ranges([(3, 5)])
    _, said = life()
    assert [each["log"] for each in said] == [third], "older ones have not changed"


def test_the_key_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    first = asyncio.run(sign(tmp_path / "station.key", [b"a"]))
    again = asyncio.run(sign(tmp_path / "station.key", [b"a", b"b"]))
    assert first.public == again.public
    assert first.seals[0] == again.seals[0]
    assert stat.S_IMODE((tmp_path / "station.key").stat().st_mode) == 0o600
    envelope = cose.decode(again.seals[1], 100)
    assert envelope.payload == b"b"
    assert envelope.is_by(bytes.fromhex(first.public), envelope.signatures[0])


def test_a_key_others_can_read_signs_nothing_and_the_account_is_said_all_the_same(tmp_path):
    asyncio.run(sign(tmp_path / "station.key", []))
    (tmp_path / "station.key").chmod(0o644)
    with pytest.raises(CannotSign, match="chmod 600"):
        asyncio.run(sign(tmp_path / "station.key", [b"a"]))
    buffer = opened_buffer(tmp_path)
    try:
        buffer.append(Lane.TELEMETRY, b"x")
        buffer.flush().result(20)
        asyncio.run(accounting(tmp_path, buffer).publish(current=True))
        buffer.flush().result(20)
        kinds = {each["type"]: each for each in Told(buffer).events()}
    finally:
        buffer.close()
    assert "chmod 600" in kinds["account.unsigned"]["why"]
    assert kinds["account"]["sealed"] == ""
    assert kinds["account"]["issued"] == {"telemetry": 1}


def test_history_deleted_after_everybody_had_it_is_not_gone(tmp_path):
    buffer = opened_buffer(tmp_path)
    try:
        for _ in range(10):
            buffer.append(Lane.TELEMETRY, b"x")
        buffer.flush().result(20)
        buffer._ledger.lose(buffer.log, Lane.TELEMETRY, "history", 1, 4)
        [info] = buffer.logs()
        assert account_of("s1", info, 1) == Account("s1", buffer.log, False, 1, {"telemetry": 10}, ())
    finally:
        buffer.close()
