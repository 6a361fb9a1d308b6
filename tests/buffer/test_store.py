import shutil
import threading

import pytest

from buffer.merging import Merger
from buffer.model import Lane, Locked, Options, RouteSpec
from buffer.store import Buffer
from tests.buffer.support import QUICK, Reports, accounted, everything, merge, numbers, opened, put, until

T, A, E = Lane.TELEMETRY, Lane.ALARM, Lane.EVENT


def test_what_was_appended_can_be_read_settled_and_read_no_more(tmp_path):
    with opened(tmp_path / "b.db") as buffer:
        assert put(buffer, T, b"1", b"2", b"3") == 3
        blocks = buffer.read("main", T).result(60)
        assert [(b.first, b.last, b.body, b.log) for b in blocks][1] == (2, 2, b"2", buffer.log)
        buffer.settle("main", buffer.log, T, 1, 2)
        assert buffer.floor("main", buffer.log, T) == 3
        assert [b.first for b in buffer.read("main", T).result(60)] == [3]
        assert [b.first for b in buffer.read("spare", T).result(60)] == [1, 2, 3]
        buffer.settle("main", buffer.log, T, 3, 3)
        assert buffer.floor("main", buffer.log, T) == buffer.next(T) == 4
        assert buffer.backlog("main") == []
        assert numbers(buffer.history(buffer.log, T, 1, 9).result(60)) == {1, 2, 3}


def test_each_lane_numbers_on_its_own_and_the_backlog_lists_the_urgent_first(tmp_path):
    with opened(tmp_path / "b.db") as buffer:
        put(buffer, T, b"t")
        put(buffer, E, b"e")
        put(buffer, A, b"a")
        assert [p.lane for p in buffer.backlog("main")] == [A, E, T]
        assert {p.first for p in buffer.backlog("main")} == {1}


def test_a_new_start_is_a_new_log_and_the_older_one_is_served_first(tmp_path):
    with opened(tmp_path / "b.db") as buffer:
        put(buffer, T, b"1", b"2")
        buffer.settle("main", buffer.log, T, 1, 1)
        old = buffer.log
        buffer.set_meta("anchor", b"x").result(60)
    with opened(tmp_path / "b.db") as buffer:
        assert buffer.log != old
        assert put(buffer, T, b"new") == 1
        assert [(p.log, p.first, p.numbers) for p in buffer.backlog("main")] == [(old, 2, 1), (buffer.log, 1, 1)]
        assert [b.body for b in everything(buffer, "main", T, old)] == [b"2"]
        assert buffer.meta("anchor") == b"x"
        assert [info.closed for info in buffer.logs()] == [True, False]


def test_telemetry_waits_for_its_group_but_the_first_and_the_urgent_do_not(tmp_path):
    with opened(tmp_path / "b.db", options=Options(commit_interval=60.0)) as buffer:
        buffer.append(T, b"first").committed.result(60)
        late = buffer.append(T, b"later")
        assert not late.committed.done()
        buffer.append(A, b"alarm").committed.result(60)
        late.committed.result(60)
        waiting = buffer.append(T, b"now", now=True)
        waiting.committed.result(60)
        last = buffer.append(T, b"flushed")
        buffer.flush().result(60)
        assert last.committed.done()


def test_close_writes_what_waits(tmp_path):
    with opened(tmp_path / "b.db", options=Options(commit_interval=60.0)) as buffer:
        put(buffer, T, b"1")
        last = buffer.append(T, b"2")
    assert last.committed.done()
    assert last.committed.exception() is None
    with pytest.raises(RuntimeError, match="closed"):
        buffer.append(T, b"3").committed.result(1)
    with pytest.raises(RuntimeError, match="closed"):
        buffer.read("main", T).result(1)


def test_a_second_agent_is_refused_with_the_owner_named(tmp_path):
    with opened(tmp_path / "b.db"), pytest.raises(Locked, match=r"held by process [0-9]+"):
        Buffer.open(tmp_path / "b.db")
    with opened(tmp_path / "b.db"):
        pass


def test_a_cloned_card_never_uses_a_number_twice(tmp_path):
    with opened(tmp_path / "one" / "b.db") as buffer:
        put(buffer, T, b"shared")
        old = buffer.log
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    with opened(tmp_path / "one" / "b.db") as one, opened(tmp_path / "two" / "b.db") as two:
        put(one, T, b"1")
        put(two, T, b"2")
        assert one.log != two.log
        assert (
            [b.body for b in everything(one, "main", T, old)]
            == [b"shared"]
            == [b.body for b in everything(two, "main", T, old)]
        )


def test_subscribers_hear_of_commits_and_every_thread_may_append(tmp_path):
    heard, lock = {}, threading.Lock()

    def listen(lane, last):
        with lock:
            heard[lane] = last

    with opened(tmp_path / "b.db") as buffer:
        buffer.subscribe(listen)
        threads = [threading.Thread(target=put, args=(buffer, T, *[b"%d" % n for n in range(50)])) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert until(lambda: heard.get(T) == 200)
        assert buffer.committed(T) == 200
        assert numbers(everything(buffer, "main", T)) == set(range(1, 201))


def test_neighbours_merge_and_reads_are_the_same(tmp_path):
    with opened(tmp_path / "b.db", merge=merge, options=Options(commit_interval=0.001, merge_most=5)) as buffer:
        put(buffer, T, *[b"%d" % n for n in range(1, 10)], b"x", *[b"%d" % n for n in range(11, 31)])
        buffer.settle("main", buffer.log, T, 1, 3)
        until(lambda: buffer.stats().merged >= 15)
        blocks = everything(buffer, "spare", T)
        assert [n for b in blocks for n in range(b.first, b.last + 1)] == list(range(1, 31))
        assert b",".join(b.body for b in blocks).split(b",")[:4] == [b"1", b"2", b"3", b"4"]
        assert len(blocks) < 30
        assert any(b.body == b"x" for b in blocks)
        assert numbers(everything(buffer, "main", T)) == set(range(4, 31))
        assert accounted(buffer, "main")
        assert accounted(buffer, "spare")


@pytest.mark.parametrize("meanwhile", ["settled in part", "deleted", "nothing"])
def test_what_changes_while_a_merge_is_at_work_stays_as_it_is(tmp_path, meanwhile):
    with opened(tmp_path / "b.db") as buffer:
        merger = Merger(buffer._engine, merge)
        put(buffer, Lane.TELEMETRY, *(b"%d" % number for number in range(120)))

        def work():
            assert merger.step()
            if meanwhile == "settled in part":
                buffer.settle("main", buffer.log, Lane.TELEMETRY, 5, 9)
            elif meanwhile == "deleted":
                with buffer._engine.transaction(states=False) as db:
                    db.execute("DELETE FROM block WHERE key = (SELECT min(key) FROM block)")
            while merger._round is not None:
                merger.step()
            return merger.merged

        merged = buffer._worker.ask(work).result(60)
        assert merged == (60 if meanwhile == "nothing" else 0)


def test_a_log_that_is_forgotten_while_a_merge_is_at_work_ends_nothing(tmp_path):
    with opened(tmp_path / "b.db") as buffer:
        put(buffer, T, *(b"%d" % number for number in range(120)))
        old = buffer.log
    with opened(tmp_path / "b.db") as buffer:
        merger = Merger(buffer._engine, merge)

        def work():
            assert merger.step()
            buffer._engine.ledger.forget(old)
            while merger._round is not None:
                merger.step()
            return merger.merged

        assert buffer._worker.ask(work).result(60) == 0


def test_a_route_takes_only_its_lanes(tmp_path):
    with opened(tmp_path / "b.db", routes=[RouteSpec("alarms", lanes=(A,))]) as buffer:
        put(buffer, T, b"1")
        put(buffer, A, b"1")
        assert [p.lane for p in buffer.backlog("alarms")] == [A]
        assert buffer.read("alarms", T).result(60) == []
        assert buffer.floor("alarms", buffer.log, T) == 2


def test_a_new_route_inherits_what_every_older_one_has(tmp_path):
    with opened(tmp_path / "b.db", routes=[RouteSpec("old"), RouteSpec("slow")]) as buffer:
        put(buffer, T, b"1", b"2", b"3", b"4")
        buffer.settle("old", buffer.log, T, 1, 4)
        buffer.settle("slow", buffer.log, T, 1, 2)
        log = buffer.log
    with opened(tmp_path / "b.db", routes=[RouteSpec("renamed")]) as buffer:
        assert buffer.floor("renamed", log, T) == 3
    with opened(tmp_path / "first" / "b.db", routes=[]) as buffer:
        put(buffer, T, b"recorded before any platform was known")
        log = buffer.log
    with opened(tmp_path / "first" / "b.db", routes=[RouteSpec("platform")]) as buffer:
        assert [p.numbers for p in buffer.backlog("platform")] == [1]


def test_settling_what_was_never_issued_does_nothing(tmp_path):
    with opened(tmp_path / "b.db") as buffer:
        put(buffer, T, b"1")
        for first, last in ((-5, 0), (2, 2**63), (5, 1)):
            buffer.settle("main", buffer.log, T, first, last)
        buffer.settle("main", "ffffffffffffffff", T, 1, 1)
        buffer.settle("nobody", buffer.log, T, 1, 1)
        assert buffer.floor("main", buffer.log, T) == 1
        assert buffer.history(buffer.log, T, -(2**70), 2**70).result(60)[0].first == 1
        assert buffer.history("ffffffffffffffff", T, 1, 5).result(60) == []
        assert buffer.read("main", T, after=2**62).result(60) == []


def test_too_large_a_body_is_the_callers_mistake(tmp_path):
    with opened(tmp_path / "b.db") as buffer:
        with pytest.raises(ValueError, match="bytes"):
            buffer.append(T, bytes((1 << 20) + 1))
        put(buffer, Lane.BULK, bytes(1 << 20))
        assert len(buffer.read("main", Lane.BULK, max_bytes=10).result(60)[0].body) == 1 << 20


def test_reports_wait_for_the_owner_and_survive_its_mistakes(tmp_path):
    (tmp_path / "b.db").write_bytes(b"no database" * 1000)
    reports = Reports()
    with opened(tmp_path / "b.db", report=reports) as buffer:
        assert not reports
        put(buffer, T, b"1")
        until(lambda: reports.of("buffer.damaged"))

    def broken(kind, facts):
        raise RuntimeError("the owner's bug")

    (tmp_path / "c.db").write_bytes(b"no database" * 1000)
    with opened(tmp_path / "c.db", report=broken) as buffer:
        put(buffer, T, b"1")
        until(lambda: not buffer._notices._waiting)
        put(buffer, T, b"2")


def test_stats_say_what_is_there(tmp_path):
    with opened(tmp_path / "b.db", options=QUICK) as buffer:
        put(buffer, T, b"12", b"34")
        buffer.settle("main", buffer.log, T, 1, 1)
        stats = buffer.stats()
        assert (stats.issued[T], stats.lane_bytes[T], stats.pending["main"], stats.settled["main"]) == (2, 4, 1, 1)
        assert stats.commits >= 1
        assert not stats.degraded
        assert stats.fault is None


def test_a_bug_in_the_worker_is_seen_by_all_who_wait(tmp_path):
    buffer = Buffer.open(tmp_path / "b.db", options=Options(commit_interval=60.0))
    put(buffer, T, b"1")

    def bug(lane, last):
        raise ZeroDivisionError

    buffer.subscribe(bug)
    buffer.append(T, b"2", now=True)
    until(lambda: buffer.stats().fault)
    with pytest.raises(RuntimeError, match="ZeroDivision"):
        buffer.append(T, b"3").committed.result(60)
    with pytest.raises(RuntimeError):
        buffer.read("main", T).result(60)
    buffer._engine.shut()
    buffer._engine.lock.release()
