import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import vaisala
from protocols.errors import LocalError, RemoteError
from protocols.vaisala import FIELDS, Field, Message, parse, query, value, write

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/vaisala.json").read_text())
MESSAGES = VECTORS["messages"]


@pytest.mark.parametrize("row", MESSAGES, ids=lambda row: row["message"])
def test_vector(row):
    message = parse(row["message"].encode())
    assert [list(one) if isinstance(one, Field) else [one] for one in message.fields] == row["decoded"]
    assert message.checked == row["has_crc"]
    if message.checked:
        again = write(message)
        assert parse(again) == message
        damaged = row["message"][:-1] + ("~" if row["message"][-1] != "~" else "@")
        with pytest.raises(RemoteError, match="crc"):
            parse(damaged.encode())


def test_queries_of_the_manual():
    for line in ("0r1Goe", "0r2Gje", "0r3Kid", "0r5Kcd", "0rBVT", "0r0Kld"):
        kind = line[1:-3].upper()
        assert query("0", kind, checked=True) == line.encode() + b"\r\n"
    assert query("0") == b"0R0\r\n"
    for wrong in ("X", ""):
        with pytest.raises(LocalError):
            query("0", wrong)
    with pytest.raises(LocalError):
        query("00")


def test_every_unit_letter_ends_in_one_unit():
    assert value(Field("Ta", 74.6, "F")) == pytest.approx(23.6667)
    assert value(Field("Sm", 36.0, "K")) == pytest.approx(10.0)
    assert value(Field("Sm", 10.0, "N")) == pytest.approx(5.1444)
    assert value(Field("Pa", 1.0132, "B")) == pytest.approx(1013.2)
    assert value(Field("Pa", 29.92, "I")) == pytest.approx(1013.2073)
    assert value(Field("Rc", 1.0, "I")) == 25.4
    assert value(Field("Vh", 11.5, "N")) == 11.5
    with pytest.raises(RemoteError, match="missing"):
        value(Field("Vh", None, "#"))
    with pytest.raises(RemoteError, match="unit"):
        value(Field("Ta", 1.0, "H"))


FIELD = st.builds(
    Field,
    st.sampled_from(sorted(FIELDS)),
    st.none() | st.integers(-9999, 9999).map(lambda n: n / 10),
    st.sampled_from("DMCFPHVsKSNI"),
).map(lambda one: Field(one.name, one.value, "#" if one.value is None else one.unit))


@given(st.sampled_from("0aZ9"), st.sampled_from(["R0", "R1", "R5"]), st.lists(FIELD, max_size=8), st.booleans())
def test_messages_there_and_back(address, kind, fields, checked):
    message = Message(address, kind, tuple(fields), checked)
    assert parse(write(message)) == message


@given(st.binary(max_size=80))
def test_no_line_makes_the_parser_fall(line):
    try:
        message = parse(line)
    except RemoteError:
        return
    assert message.address.isalnum()


def test_a_line_too_long_is_none():
    with pytest.raises(RemoteError, match="format"):
        parse(b"0R1," + b"x" * vaisala.LONGEST)
