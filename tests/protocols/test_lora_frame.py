import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.checksums import crc16
from protocols.errors import LocalError, RemoteError
from protocols.framing import Send
from protocols.lora_frame import GAP, LONGEST, OVERHEAD, Frames, Noise, Received, decode_frame, frame, split

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "lora-modules.json").read_text())["frames"]
datagrams = st.binary(min_size=1, max_size=LONGEST)


def fed(pieces, *, rssi=False, settle=True):
    machine = Frames(rssi=rssi)
    found = [event for piece in pieces for event in machine.receive(piece, 0.0)]
    while settle and machine.deadline is not None:
        found += machine.tick(machine.deadline)
    return found


def received(events):
    return [event.data for event in events if isinstance(event, Received)]


@pytest.mark.parametrize(("datagram", "start"), VECTORS)
def test_frames_by_hand(datagram, start):
    start = bytes.fromhex(start)
    whole = start + crc16(start[2:]).to_bytes(2, "little")
    assert frame(bytes.fromhex(datagram)) == whole
    assert decode_frame(whole) == (bytes.fromhex(datagram), len(whole))


def test_whole_and_split_at_every_byte_and_behind_garbage():
    stream = b"\x00FF" + frame(b"FS\xf0FS") + frame(b"x" * LONGEST) + b"F" + frame(b"F")
    expected = [b"FS\xf0FS", b"x" * LONGEST, b"F"]
    for cut in range(len(stream)):
        assert received(fed([stream[:cut], stream[cut:]])) == expected
    assert received(fed([bytes([byte]) for byte in stream])) == expected


@pytest.mark.parametrize("strength", [0, 0x46, 0x53, 0xC8, 0xFF])
def test_the_byte_of_strength_is_stripped(strength):
    stream = (frame(b"one") + bytes([strength])) * 3
    expected = [Received(b"one", strength)] * 3
    assert fed([stream], rssi=True) == expected
    assert fed([bytes([byte]) for byte in stream], rssi=True) == expected


def test_a_lost_byte_of_strength_costs_no_frame():
    assert fed([frame(b"one") + frame(b"two") + b"\x80"], rssi=True) == [Received(b"one"), Received(b"two", 0x80)]
    assert fed([frame(b"one")], rssi=True) == [Received(b"one")]


def test_a_false_start_that_promises_much_hides_nothing():
    stream = b"FS\xfa" + frame(b"first") + frame(b"second")
    assert received(fed([stream])) == [b"first", b"second"]


def test_a_frame_cut_short_is_given_up_after_a_while():
    machine = Frames()
    assert machine.receive(frame(b"never whole")[:-1], 10.0) == []
    assert machine.deadline == 10.0 + GAP
    assert machine.tick(11.0) == []
    assert isinstance(machine.tick(10.0 + GAP)[0], Noise)
    assert received(machine.receive(frame(b"next"), 20.0)) == [b"next"]


@given(st.lists(datagrams, max_size=5), st.randoms(use_true_random=False), st.booleans())
def test_frames_survive_any_cut_and_noise_between(bodies, chance, rssi):
    """Noise that begins no frame: with one, a frame may be hidden until the gap."""
    noise = bytes(byte for byte in chance.randbytes(20) if byte != 0x46)
    strength = b"\x80" if rssi else b""
    stream = noise + b"".join(frame(body) + strength + noise for body in bodies)
    cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(6))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert received(fed(pieces, rssi=rssi)) == bodies


@given(st.lists(st.binary(max_size=300), max_size=20), st.booleans())
def test_noise_is_bounded_and_ends(pieces, rssi):
    machine = Frames(rssi=rssi)
    for piece in pieces:
        machine.receive(piece, 0.0)
        assert len(machine._heard) < LONGEST + OVERHEAD + 2
    turns = 0
    while machine.deadline is not None:
        machine.tick(machine.deadline)
        turns += 1
    assert turns <= LONGEST + OVERHEAD + 2


def test_a_flood_of_noise_is_dropped_as_it_comes():
    chance = random.Random(1)
    machine = Frames()
    for _ in range(200):
        machine.receive(chance.randbytes(1000), 0.0)
    assert len(machine._heard) < 300


@pytest.mark.parametrize("datagram", [b"", b"x" * (LONGEST + 1)])
def test_a_datagram_that_fits_no_frame(datagram):
    with pytest.raises(LocalError):
        frame(datagram)


@pytest.mark.parametrize(
    ("data", "reason", "offset"),
    [
        (b"xx", "lora.sync", 0),
        (b"FS", "lora.truncated", 2),
        (b"FS\x05abc", "lora.truncated", 6),
        (b"FS\x01a\0\0", "lora.checksum", 4),
    ],
)
def test_errors_say_where(data, reason, offset):
    with pytest.raises(RemoteError) as wrong:
        decode_frame(data)
    assert (wrong.value.reason, wrong.value.offset) == (reason, offset)


def test_sending_is_a_frame_and_opening_forgets():
    machine = Frames()
    assert machine.send(b"x") == [Send(frame(b"x"))]
    machine.receive(frame(b"old")[:4], 0.0)
    assert machine.start(1.0) == []
    assert received(machine.receive(frame(b"new"), 2.0)) == [b"new"]


@pytest.mark.parametrize(("length", "packet", "parts"), [(0, 32, []), (32, 32, [32]), (70, 32, [32, 32, 6])])
def test_how_a_module_splits(length, packet, parts):
    assert split(length, packet) == parts
