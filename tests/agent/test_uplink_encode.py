"""Blocks of one number go as one body where the route is packed, and say the same; what is not ours goes as it is."""

import pytest

from agent.links.uplink_encode import SPARSE, encoder
from buffer.model import Block, Lane
from protocols import columns, record
from protocols.sheet import instants
from tests.support.surfrad import BOOT, minutes

LOG = "00000000000000aa"


def wall(_boot, at):
    return 1_700_000_000_000 + at, True


def singles(count):
    bodies = [columns.pack(BOOT, row) for row in minutes()[:count]]
    return [Block(LOG, Lane.TELEMETRY, number, number, body) for number, body in enumerate(bodies, 1)]


def told(form, blocks):
    payload, _ = encoder("s1", form, wall)(Lane.TELEMETRY, blocks, 1, "live")
    return payload, record.decode(payload)


@pytest.mark.parametrize("count", [1, 2, 10])
def test_joined_or_not_the_same_is_said(count):
    blocks = singles(count)
    packed, said = told("packed", blocks)
    _, plain = told("json", blocks)
    assert [(m.number, m.name, m.value, m.unit) for m in said.measurements] == [
        (m.number, m.name, m.value, m.unit) for m in plain.measurements
    ]
    assert len(packed) < 240 + 60 * count


def test_a_body_of_a_future_version_goes_untouched():
    strange = Block(LOG, Lane.TELEMETRY, 4, 4, b"\x02what will be")
    payload, _ = encoder("s1", "packed", wall)(Lane.TELEMETRY, [*singles(3), strange], 1, "live")
    assert strange.body in payload


def test_what_the_buffer_has_merged_is_not_merged_again(monkeypatch):
    bodies = [block.body for block in singles(60)]
    whole = columns.merge(bodies)
    blocks = [Block(LOG, Lane.TELEMETRY, 1, 60, whole), Block(LOG, Lane.TELEMETRY, 61, 120, whole)]
    monkeypatch.setattr("agent.links.uplink_encode.columns.merge", lambda _bodies: pytest.fail("merged"))
    told("packed", blocks)
    assert SPARSE < instants(whole) == 60
    assert instants(b"") == instants(b"\x02" + whole[1:]) == instants(whole[:5]) == 0
