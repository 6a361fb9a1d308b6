"""What goes next: a table of situations."""

from agent.links.choose import Kind, Stream, choose, joined, look_again, streams
from buffer.model import Block, Lane, Pending

OLD, NOW_LOG = "a" * 16, "b" * 16


def test_streams_at_connect_live_from_the_next_number_newest_and_backlog_behind():
    backlog = [
        Pending(OLD, Lane.EVENT, 7, 2),
        Pending(OLD, Lane.TELEMETRY, 100, 900),
        Pending(NOW_LOG, Lane.TELEMETRY, 3, 38),
    ]
    found = streams(backlog, NOW_LOG, {Lane.TELEMETRY: 41, Lane.BULK: 1})
    assert [(s.lane, s.kind, s.log, s.after) for s in found] == [
        (Lane.TELEMETRY, Kind.LIVE, NOW_LOG, 40),
        (Lane.TELEMETRY, Kind.NEWEST, NOW_LOG, 39),
        (Lane.TELEMETRY, Kind.BACKLOG, OLD, 99),
        (Lane.TELEMETRY, Kind.BACKLOG, NOW_LOG, 2),
        (Lane.BULK, Kind.LIVE, NOW_LOG, 0),
    ]
    assert [s.waiting for s in found] == [False, True, True, True, False]


def stream(kind, lane, age=0, after=0, until=10, ready=0.0):
    return Stream(kind, lane, NOW_LOG, age, after, until, ready)


def test_the_order_is_lane_then_live_then_newest_then_older_logs():
    wanted = [
        stream(Kind.LIVE, Lane.ALARM),
        stream(Kind.BACKLOG, Lane.ALARM),
        stream(Kind.LIVE, Lane.EVENT),
        stream(Kind.BACKLOG, Lane.EVENT, age=0),
        stream(Kind.BACKLOG, Lane.EVENT, age=1),
        stream(Kind.LIVE, Lane.TELEMETRY),
        stream(Kind.NEWEST, Lane.TELEMETRY),
        stream(Kind.BACKLOG, Lane.TELEMETRY),
        stream(Kind.LIVE, Lane.BULK),
    ]
    left, order = list(reversed(wanted)), []
    while (chosen := choose(left, 1.0)) is not None:
        order.append(chosen)
        chosen.after = chosen.until
    assert order == wanted


def test_what_lingers_lets_others_go_first_and_says_when_to_look_again():
    live = stream(Kind.LIVE, Lane.TELEMETRY, ready=5.0)
    backlog = stream(Kind.BACKLOG, Lane.TELEMETRY)
    assert choose([live, backlog], 1.0) is backlog
    assert choose([live], 1.0) is None
    assert look_again([live, backlog], 1.0) == 5.0
    assert choose([live, backlog], 5.0) is live
    assert look_again([backlog], 1.0) is None


def test_a_stream_that_is_read_to_its_end_waits_no_more():
    done = stream(Kind.LIVE, Lane.ALARM, after=10)
    assert choose([done], 1.0) is None
    done.ahead = [block(10, 10)]
    assert choose([done], 1.0) is done


def block(first, last, size=100):
    return Block(NOW_LOG, Lane.TELEMETRY, first, last, bytes(size))


def test_neighbours_are_joined_up_to_the_size_and_never_over_a_gap():
    row = [block(1, 5), block(6, 6), block(8, 9)]
    assert joined(row, 1000, one_by_one=False) == 2
    assert joined(row, 150, one_by_one=False) == 1
    assert joined(row, 0, one_by_one=False) == 1
    assert joined(row, 1000, one_by_one=True) == 1
