import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import ebyte_e22 as e22
from protocols.errors import LocalError, RemoteError
from protocols.framing import Send

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "lora-modules.json").read_text())["e22"]
EXCHANGES = [(bytes.fromhex(sent), bytes.fromhex(answered)) for sent, answered, _ in VECTORS["exchanges"]]

settings = st.builds(
    e22.Settings,
    st.integers(0, 0xFFFF),
    st.integers(0, 255),
    st.sampled_from(e22.BAUDS),
    st.sampled_from("NOE"),
    st.sampled_from(e22.RATES),
    st.sampled_from(e22.PACKETS),
    st.booleans(),
    st.booleans(),
    st.integers(0, 3),
    st.integers(0, 83),
    *[st.booleans()] * 4,
    st.integers(0, 15),
)


@pytest.mark.parametrize("row", VECTORS["registers"], ids=lambda row: row["hex"])
def test_registers_in_words(row):
    found = e22.decode_settings(bytes.fromhex(row["hex"]))
    said = {name: value for name, value in row.items() if name != "hex"}
    assert {name: getattr(found, name) for name in said} == said
    assert e22.encode(found).hex().upper() == row["hex"]


@given(settings)
def test_registers_both_ways(one):
    assert e22.decode_settings(e22.encode(one)) == one


@given(st.binary(min_size=7, max_size=7))
def test_any_registers_have_a_meaning(registers):
    again = e22.encode(e22.decode_settings(registers))
    kept = bytes((0xFF, 0xFF, 0xFF, 0xFF, 0xE7, 0xFF, 0xFF))
    parity = registers[3] & 0x18 == 0x18  # 11 is another word for 00
    assert all(a & k == b & k for a, b, k in zip(again, registers, kept, strict=True)) or parity


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": 65_536},
        {"baud": 9_601},
        {"power": 4},
        {"channel": 256},
        {"rate": "3k"},
        {"packet": 58},
        {"wake": 16},
    ],
)
def test_what_no_register_can_hold(wrong):
    with pytest.raises(LocalError):
        e22.encode(e22.Settings(**wrong))


def test_too_few_registers():
    with pytest.raises(RemoteError):
        e22.decode_settings(b"\0" * 6)


@pytest.mark.parametrize(("sent", "answered"), EXCHANGES)
def test_frames(sent, answered):
    asks = sent[0] == e22.READ
    frame, end = e22.decode_frame(sent, asks=asks)
    assert end == len(sent)
    assert frame.over_air == sent.startswith(e22.OVER_AIR)
    built = (
        e22.read(frame.start, frame.length)
        if asks
        else e22.write(frame.start, frame.data, volatile=frame.command == e22.SET_VOLATILE)
    )
    assert sent.endswith(built)
    reply, end = e22.decode_frame(answered)
    assert (reply.command, reply.start, end) == (e22.READ, frame.start, len(answered))
    assert reply.data == (frame.data or answered[3:])


def test_commands_of_the_transparent_mode():
    assert bytes.fromhex(VECTORS["ambient"]) == e22.AMBIENT
    assert bytes.fromhex(VECTORS["soft_mode_2"]) == e22.soft_mode(2)


@pytest.mark.parametrize(
    ("data", "reason", "offset"),
    [
        (b"", "e22.truncated", 0),
        (b"\xc1\x00", "e22.truncated", 2),
        (b"\xc1\x00\x04\x12", "e22.truncated", 4),
        (b"\xff\xff\xff", "e22.command", 0),
        (b"\xc1\x00\x0a", "e22.length", 0),
        (b"\xc1\x08\x02\x00\x00", "e22.length", 0),
        (b"\xc1\x00\x00", "e22.length", 0),
    ],
)
def test_frames_that_are_none(data, reason, offset):
    with pytest.raises(RemoteError) as wrong:
        e22.decode_frame(data)
    assert (wrong.value.reason, wrong.value.offset) == (reason, offset)


@given(st.binary(max_size=20), st.booleans())
def test_anything_is_a_frame_or_an_error(data, asks):
    try:
        _, end = e22.decode_frame(data, asks=asks)
    except RemoteError:
        return
    assert 0 < end <= len(data)


@pytest.mark.parametrize(("byte", "newer", "older"), [(0xC8, -56, -100), (0, -256, 0), (255, -1, -127.5)])
def test_signal_strength_by_either_manual(byte, newer, older):
    assert e22.dbm(byte) == newer
    assert e22.dbm(byte, older=True) == older


# The machine that asks

ASK, REPLY = e22.read(0, 7), bytes.fromhex("C10007") + e22.encode(e22.Settings())


def fed(pieces, request=ASK):
    machine = e22.Registers()
    assert machine.ask(request, 0.0) == [Send(request)]
    return [event for piece in pieces for event in machine.receive(piece, 0.1)]


@pytest.mark.parametrize("cut", range(len(REPLY)))
def test_an_answer_split_anywhere(cut):
    assert fed([REPLY[:cut], REPLY[cut:]]) == [e22.Answer(REPLY[3:])]


@pytest.mark.parametrize("garbage", [b"\x00", b"\xff\xff", b"\xc1", b"\xc1\x00", b"\xc1\xc1\x00\x06", b"hello" * 30])
def test_an_answer_behind_garbage(garbage):
    assert fed([garbage + REPLY]) == [e22.Answer(REPLY[3:])]


def test_an_answer_of_ff_is_one():
    reply = b"\xc1\x00\x07" + b"\xff" * 7
    assert fed([reply[:6], reply[6:]]) == [e22.Answer(b"\xff" * 7)]


def test_refused_and_silent_are_told_apart():
    machine = e22.Registers()
    machine.ask(ASK, 0.0)
    assert machine.receive(e22.WRONG, 0.1) == [Send(ASK)]
    assert machine.receive(e22.WRONG, 0.2) == [Send(ASK)]
    assert machine.receive(e22.WRONG, 0.3) == [e22.NoAnswer("refused")]
    assert machine.deadline is None
    machine.ask(ASK, 1.0)
    said = []
    while machine.deadline is not None:
        said += machine.tick(machine.deadline)
    assert said == [Send(ASK), Send(ASK), e22.NoAnswer("silent")]
    assert machine.receive(REPLY, 9.0) == []


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_noise_neither_fills_memory_nor_breaks(pieces):
    machine = e22.Registers()
    machine.ask(ASK, 0.0)
    for piece in pieces:
        machine.receive(piece, 0.0)
    assert len(machine._heard) <= 64
