from hypothesis import given
from hypothesis import strategies as st

from drivers.condition import Condition, next_due
from tests.drivers.modbus_world import Reports


def condition():
    reports = Reports()
    return Condition("probe", reports, lambda: 1000, {"bus": "b"}), reports


def test_a_change_of_state_is_said_once():
    probe, reports = condition()
    for _ in range(3):
        probe.failed("timeout", lambda: ["frame"])
    probe.succeeded()
    probe.succeeded()
    assert [kind for kind, _ in reports] == ["device.down", "device.up"]
    assert reports.of("device.down") == [{"device": "probe", "bus": "b", "reason": "timeout", "frames": ["frame"]}]


def test_what_was_up_is_down_at_the_second_failure_or_at_once_where_asked():
    probe, reports = condition()
    probe.succeeded()
    probe.failed("crc")
    assert probe.state == "up"
    probe.failed("crc")
    assert probe.state == "down"
    other, reports = condition()
    other.succeeded()
    other.failed("silent", at_once=True)
    assert [kind for kind, _ in reports] == ["device.down"]


def test_failures_double_the_pause_up_to_a_minute():
    pauses = [next_due(100.0, 10.0, failures) - 100 for failures in range(7)]
    assert pauses == [10, 10, 20, 40, 60, 60, 60]
    assert next_due(0.0, 300.0, 9) == 300.0


def test_beats_never_drift():
    at = 7.31  # a first sample, off the beat
    for beat in range(1, 1000):
        at = next_due(at, 0.1) + 0.003  # a little late each time
        assert abs(at - (7.3 + 0.1 * beat)) < 0.0031


@given(st.floats(0, 1e7), st.floats(0.05, 86400), st.integers(0, 100))
def test_the_next_sample_is_always_ahead_and_within_reach(started, interval, failures):
    due = next_due(started, interval, failures)
    assert 0.499 * interval < due - started <= max(60, interval) + 0.501 * interval
