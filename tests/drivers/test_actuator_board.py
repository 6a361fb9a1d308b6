"""Boards, the arithmetic of re-arming, patterns and limits: all data and pure functions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.actuators.board import SHIPPED, Lease, OneShot, Rearm, find, load
from drivers.actuators.limits import MOST_SPELLS, Allowance
from drivers.actuators.patterns import Pattern, faults, shipped
from protocols.modbus_pdu import Request, encode
from protocols.modbus_rtu import seal


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_board_loads_and_can_hold_three_seconds(path):
    board = load(path)
    assert board.longest() >= 3
    assert board.shot_address(2) - board.shot_address(1) == board.one_shot.stride


def test_the_makers_own_frame_is_what_we_would_send():
    board = load(find("waveshare-8ch"))
    frame = seal(1, encode(Request(5, board.shot_address(1), 1, (7,))))
    assert frame == bytes.fromhex("01 05 02 00 00 07 8D B0")


def test_a_board_cannot_be_named_out_of_its_directory(tmp_path):
    (tmp_path / "own.toml").write_text((SHIPPED / "lc-tech.toml").read_text())
    assert find("own", [tmp_path]) == tmp_path / "own.toml"
    assert find("../own", [tmp_path]) is None
    assert find("nothing") is None


def test_a_board_that_is_armed_by_another_function_is_refused(tmp_path):
    file = tmp_path / "odd.toml"
    file.write_text("title='x'\nchannels=1\ncoils=0\n[one_shot]\nfunction=6\naddress=0\n")
    with pytest.raises(ValueError, match="function is 6"):
        load(file)


def lease(rearm: Rearm) -> Lease:
    return Lease(OneShot(function=5, address=0, rearm=rearm), now=100.0)


@given(steps=st.lists(st.floats(0.05, 2.0), max_size=40))
def test_a_board_that_adds_up_is_never_armed_beyond_one_shot(steps):
    held, now, left = lease(Rearm.EXTENDS), 100.0, 0.0
    for step in steps:
        left += held.arm(now, 3.0) * 0.1
        assert left <= 3.0 + 1e-6
        now += step
        left = max(0.0, left - step)


@given(st.floats(0.15, 10))
def test_a_first_shot_is_never_cut(seconds):
    for rearm in Rearm:
        units = lease(rearm).arm(100.0, seconds)
        assert seconds - 1e-3 <= units * 0.1 <= seconds + 0.1 + 1e-3


def test_only_a_board_that_restarts_is_armed_over_its_running_shot_without_an_off():
    needs = {}
    for rearm in Rearm:
        held = lease(rearm)
        assert not held.needs_off(100.0, fresh=True)  # nothing runs
        held.arm(100.0, 3.0)
        needs[rearm] = (held.needs_off(101.0, fresh=False), held.needs_off(101.0, fresh=True))
        assert not held.needs_off(104.0, fresh=True)
    assert needs == {
        Rearm.RESTARTS: (False, False),
        Rearm.EXTENDS: (False, True),
        Rearm.IGNORES: (True, True),
        Rearm.UNKNOWN: (True, True),
    }


def test_bursts_lie_within_their_time_and_one_tone_is_one_burst():
    assert list(Pattern(1.0, 0.5).bursts(10, 12)) == [(10, 11.0), (11.5, 12)]
    assert list(Pattern(180.0).bursts(10, 400)) == [(10, 400)]
    assert list(Pattern(1.0, 0.5).bursts(10, 10)) == []


def test_no_shipped_pattern_is_an_air_raid_signal():
    assert list(faults(shipped())) == []
    assert list(faults({"raid": Pattern(6, 6), "early": Pattern(36, 24), "buzz": Pattern(0.05, 0.05)})) == [
        ("raid", "air_defence"),
        ("early", "air_defence"),
        ("buzz", "length"),
    ]


def test_resuming_the_same_alert_never_starts_its_count_again():
    allowance = Allowance(180, 600)
    allowance.spent("flood", 0, 170)
    assert allowance.left("flood", 171) == 10
    assert allowance.left("slide", 171) == 180
    allowance.spent("slide", 171, 351)
    allowance.spent("dam", 351, 531)
    assert allowance.left("fire", 531) == 70  # of the hour
    assert allowance.used(531) == 530
    assert allowance.left("fire", 3600 + 172) == 180


def test_more_spells_than_can_be_meant_are_answered_with_silence():
    allowance = Allowance(180, 600)
    for at in range(MOST_SPELLS):
        allowance.spent(str(at), at, at + 0.1)
    assert allowance.left("one more", MOST_SPELLS) == 0
