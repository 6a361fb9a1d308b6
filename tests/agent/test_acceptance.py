"""The acceptance: its rows one by one on a stand-in, its report and seal, and the whole of it on a station that runs."""

import asyncio
import json
import re
import time
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agent.demo.authority import Authority
from agent.site.acceptance import act, listen
from agent.site.acceptance.report import Report, render, seal, verify
from agent.site.acceptance.rows import Result, Row, Trace, absent, passed
from agent.site.acceptance.run import STATE_FILE, Progress, accepted, go_on, heard, load, machine, save
from protocols import beacon, envelope
from protocols.alert import Status
from protocols.errors import LocalError
from protocols.seal import verify as verify_alert
from tests.support.broker import Broker
from tests.support.sentences import sentences
from tests.support.station import command, station

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


class StandIn:
    """Answers from a table; time passes when it is slept away."""

    def __init__(self, config=None, **answers):
        self.config, self.answers, self.time, self.patience = config, answers, 0.0, 5.0
        self.rounds = []

    def ask(self, do, **facts):
        answer = self.answers.get(do)
        return answer(facts) if callable(answer) else answer

    def read(self):
        return self.rounds.pop(0)

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds

    def tell(self, code, **_facts):
        assert code in sentences("en")


def config(**facts):
    usual = {"sensors": [], "routes": [], "bearers": [], "actuators": [], "warnings": None}
    return SimpleNamespace(**usual | facts)


def results(rows):
    return [(row.name, row.result.value, row.code) for row in rows]


def test_a_sensor_must_be_good_in_every_round():
    bench = StandIn(config(sensors=[SimpleNamespace(name="a"), SimpleNamespace(name="b"), SimpleNamespace(name="c")]))
    good = {"sensor": "a", "readings": [{"series": "a.x", "value": 1.0, "unit": "m", "quality": "good"}]}
    poor = {"sensor": "b", "readings": [{"series": "b.x", "value": 9.0, "unit": "m", "quality": "suspect(range)"}]}
    bench.rounds = [[good, poor, {"sensor": "c", "error": "no answer"}]] * listen.ROUNDS
    rows = list(listen.sensors(bench))
    assert [row.result for row in rows] == [Result.PASS, Result.FAIL, Result.FAIL]
    assert [at for at, _ in rows[0].traces[0].points] == [0, 1, 2, 3, 4]
    assert "suspect(range)" in rows[1].facts["why"]


def test_what_is_not_fitted_is_a_row_of_its_own():
    bench = StandIn(config())
    for step in (listen.sensors, listen.bearers, listen.beacons, listen.drill, listen.forgery, act.probes):
        assert [row.result for row in step(bench)] == [Result.NOT_FITTED]


def test_without_an_agent_what_it_must_do_fails():
    bench = StandIn(config(routes=[SimpleNamespace(name="p")], warnings=1, station=SimpleNamespace(areas=["33"])))
    for step in (listen.bearers, listen.beacons, listen.drill, listen.forgery):
        assert [row.code for row in step(bench)] == ["accept.no_agent"]


def test_a_bearer_is_waited_for():
    bench = StandIn(config(routes=[SimpleNamespace(name="p")]))
    bench.answers["status"] = lambda _facts: {"bearers": {"p": {"state": "up" if bench.time >= 3 else "unknown"}}}
    assert results(listen.bearers(bench)) == [("p", "pass", "accept.bearer.good")]
    bench.answers["status"] = {"bearers": {"p": {"state": "down"}}}
    assert results(listen.bearers(bench)) == [("p", "fail", "accept.bearer.bad")]
    bench.answers["status"] = {"bearers": {"p": {"urgent": {"up": True}}}}
    assert results(listen.bearers(bench)) == [("p", "fail", "accept.bearer.unheard")]


def test_a_drill_of_its_own_is_not_the_platforms():
    mine = {"alert": "aa", "exercise": True, "who": ["drill 1"], "channels": ["display"]}
    theirs = mine | {"who": ["county"]}
    bench, issuers = StandIn(config(warnings=1)), [{"issuer": 1, "holder": "county"}]
    for active, code in (([mine], "accept.drill.bad"), ([mine, theirs], "accept.drill.good")):
        bench.answers["status"] = {"warnings": {"issuers": issuers, "active": active}}
        assert [row.code for row in listen.drill(bench)] == [code]


def test_the_forgery_is_right_in_every_word_but_its_seal():
    from protocols.alert import ClockReading, Refusal
    from protocols.keyring import open_keyset

    authority = Authority()
    ring = open_keyset(authority.keyset(), [bytes.fromhex(root) for root in authority.roots], 0)
    now = int(time.time())
    found = verify_alert(listen.forged(1, 330102001), ring, ClockReading(now, now, trusted=True))
    assert isinstance(found, Refusal)
    assert found.reason == "bad-signature"


@pytest.mark.parametrize(
    ("after", "code"),
    [({"bad-signature": 1}, "accept.forgery.good"), ({"started": 1}, "accept.forgery.bad"), ({}, "accept.forgery.bad")],
)
def test_a_forgery_must_be_seen_to_be_refused(after, code):
    bench = StandIn(
        config(warnings=1, station=SimpleNamespace(areas=["330102001"])), submit={"before": {}, "after": after}
    )
    assert [row.code for row in listen.forgery(bench)] == [code]


def test_the_supply_under_load():
    assert act.supply(None).result is Result.NOT_FITTED
    assert act.supply(Trace("battery.voltage", "V", [(0, 12.6), (5, 11.9), (6, 11.9)])).result is Result.PASS
    assert act.supply(Trace("battery.voltage", "V", [(0, 12.6), (5, 11.0), (6, 11.9)])).result is Result.FAIL


def test_a_battery_that_was_not_looked_at_under_load_is_not_accepted():
    """A sample of before the siren, told over and over again, is one sample."""
    bench = StandIn(config())
    bench.answers["status"] = lambda _: {
        "newest": {"box.battery.voltage": {"value": 12.6, "unit": "V", "age": 40 + round(bench.time, 1)}}
    }
    watching = act.Watching.__new__(act.Watching)
    watching._bench, watching._began, watching._trace = bench, 0.0, None
    for _ in range(20):
        watching._look()
        bench.sleep(act.LOOK)
    assert len(watching._trace.points) == 1
    assert act.supply(watching._trace).code == "accept.supply.blind"


def test_a_siren_that_nobody_let_sound_is_not_accepted_unheard():
    bench = StandIn(config(actuators=[SimpleNamespace(name="siren")]))
    assert [row.result for row in heard(bench, audible=False, without={})] == [Result.FAIL]
    assert [row.result for row in heard(StandIn(config()), audible=False, without={})] == [Result.NOT_FITTED]


def test_the_siren_on_battery_is_watched_and_followed():
    volts = iter([12.6, 12.4, 12.3])
    row = {"actuator": "siren", "channel": "siren", "result": "done", "reason": ""}
    bench = StandIn(config())
    bench.answers |= {
        "status": lambda _: {"newest": {"box.battery.voltage": {"value": next(volts, 12.2), "unit": "V", "age": 0.1}}},
        "drill.start": {"drill": 1},
        "drill.watch": lambda facts: {"steps": [1], "result": {} if facts["after"] < 2 else {"actuators": [row, row | {"actuator": "lamp", "result": "silent"}]}},
    }  # fmt: skip
    rows = list(act.audible(bench, on_battery=""))
    assert results(rows)[:2] == [("siren", "pass", "accept.audible.good"), ("lamp", "fail", "accept.audible.bad")]
    assert rows[2].traces[0].points[0][1] == 12.6
    assert [row.result for row in act.audible(bench, on_battery="mains cannot be cut")][-1] is Result.NOT_FITTED
    bench.answers["drill.start"] = {"error": "drill.refused", "reason": "crowded"}
    assert results(act.audible(bench, on_battery="")) == [("", "fail", "accept.audible.refused")]


def test_the_power_cut_ends_a_boot_and_the_run_goes_on(tmp_path):
    bench = StandIn(config(state=tmp_path), status={"readings": {"committed": 5}})
    skipped = dict.fromkeys(
        ("sensor", "bearer", "beacon", "drill", "forgery", "actuator", "audible"), "of no matter here"
    )
    first = Progress(1, done=["machine"])
    assert not go_on(bench, first, without=skipped, audible=False, boot="a" * 16)
    again = load(tmp_path)
    assert again.boot == "a" * 16
    assert not go_on(bench, again, without=skipped, audible=False, boot="a" * 16)
    assert go_on(bench, load(tmp_path), without=skipped, audible=False, boot="b" * 16)
    rows = load(tmp_path).rows
    assert [row.check for row in rows] == [*skipped, "power-cut"]
    assert rows[-1].result is Result.PASS
    assert accepted(rows)
    (tmp_path / STATE_FILE).write_bytes(b"rubbish")
    assert load(tmp_path) is None


# The report

ROWS = [
    Row("sensor", "level", Result.PASS, "accept.sensor.good", {"count": 1, "rounds": 5}, traces=[Trace("level.x", "m", [(0, 1.0), (1, 2.0)])]),
    absent("drill", "<script>alert(1)</script>"),
    passed("forgery", "", "accept.forgery.good", outcome="</script>"),
]  # fmt: skip
REPORT = Report("s1", "城西", "Asia/Shanghai", 1_790_000_000, 1_790_000_600, "0.1.0", "aaaa bbbb", ROWS)
SEALED = seal(render(REPORT, "zh"), KEY)


def test_the_report_stands_alone_and_runs_nothing():
    text = SEALED.decode()
    assert "alert(1)</script>" not in text
    assert re.findall(r"""(?:src|href)=|https?://|@import""", text) == []
    assert text.count("<script") == 1
    assert "<polyline" in text
    data = json.loads(re.search(r'id="report">(.*?)</script>', text).group(1))
    assert data["rows"][1]["reason"] == "<script>alert(1)</script>"


def test_who_sealed_it():
    assert verify(SEALED) == PUBLIC


@given(st.integers(0, len(SEALED) - 1), st.binary(max_size=3))
def test_any_change_is_seen(at, put):
    changed = SEALED[:at] + put + SEALED[at + 1 :]
    if changed != SEALED:
        with pytest.raises(LocalError):
            verify(changed)


@given(st.binary(max_size=200))
def test_what_was_never_sealed(data):
    for bad in (data, SEALED + data if data else b"", data + SEALED if data else b""):
        with pytest.raises(LocalError):
            verify(bad)


def test_every_row_has_a_name_in_the_report():
    from agent.site.acceptance.run import STEPS

    assert {f"accept.check.{name}" for name in (*STEPS, "supply")} <= sentences("zh").keys()


# The whole


async def _whole(tmp_path, broker):
    async with station(tmp_path / "s", broker.port, siren=True) as site:
        await site.up()
        await site.delivers()
        now = int(time.time())
        for issuer, key in ((1, site.authority._county), (2, site.authority._province)):
            told = beacon.seal(beacon.Beacon(issuer, now, 1, ()), [key])
            site.platform.publish(envelope.beacon(site.root, "330102001", str(issuer)), told)
        alert = site.authority.alert("330102001", "演练", status=Status.EXERCISE)
        site.platform.warn(alert, site.authority.genuine(alert, "演练"))
        common = ("--config", site.folder / "station.toml")
        done = await command(
            *("accept", *common, "--json", "--patience", "20", "--out", tmp_path),
            *("--without", "power-cut=no plug on a test", "--without", "audible=neighbours asleep"),
        )
        told = json.loads(done.stdout) if done.stdout else {}
        checks = [await command("accept", "--verify", told["report"], "--key", key) for key in (told["key"], "00" * 32)]
        return done, told, checks


def test_a_running_station_is_accepted_row_by_row(tmp_path):
    with Broker(tmp_path) as broker:
        done, told, checks = asyncio.run(_whole(tmp_path, broker))
    rows = {(row["check"], row["name"]): row["result"] for row in told["rows"] if row["check"] != "machine"}
    assert rows == {
        ("sensor", "gauge"): "pass",
        ("bearer", "p"): "pass",
        ("beacon", "1 county"): "pass",
        ("beacon", "2 province"): "pass",
        ("drill", ""): "pass",
        ("forgery", ""): "pass",
        ("actuator", "siren"): "pass",
        ("actuator", "display"): "pass",
        ("audible", ""): "not-fitted",
        ("power-cut", ""): "not-fitted",
    }, done.stderr
    assert [check.returncode for check in checks] == [0, 1]


def test_what_would_waste_the_visit_is_said_at_once(tmp_path, capsys):
    """No agent; and a folder for the report that is none. An earlier run is told of, and goes on."""
    from agent.cli import main as run

    (tmp_path / "station.toml").write_text('[station]\nid = "s1"\nareas = []\n')
    words = ["--lang", "en", "accept", "--config", str(tmp_path / "station.toml"), "--out"]
    assert run([*words, str(tmp_path)]) == 3
    assert "start it" in capsys.readouterr().err
    assert run([*words, str(tmp_path / "station.toml")]) == 2
    capsys.readouterr()
    save(tmp_path / "state", Progress(int(time.time()) - 7200, done=["machine", "sensor"]))
    assert run([*words, str(tmp_path), "--without", "power-cut=no plug"]) == 0
    assert "2 steps" in capsys.readouterr().err


def test_a_warning_of_the_check_up_is_no_pass_and_no_refusal(monkeypatch):
    from agent.doctor.facts import Clock, Disk, Facts

    facts = Facts(Clock(0.0, "none", rtc=None), Disk(1 << 40, 1 << 40, 1, 1, 0), swaps=["/dev/mmcblk0p3"])
    monkeypatch.setattr("agent.doctor.gather.gather", lambda _config: facts)
    found = {row.name: row.result for row in machine(StandIn(config()))}
    assert (found["clock"], found["rtc"], found["disk"]) == (Result.FAIL, Result.WARN, Result.PASS)
    assert accepted([Row("machine", "rtc", Result.WARN, "doctor.rtc.none")])
    assert {f"accept.result.{one.value}" for one in Result} <= sentences("zh").keys()


def test_wrong_commands(tmp_path):
    for words, code in (
        (["--without", "nonsense=x"], 2),
        (["--without", "drill="], 2),
        (["--config", tmp_path / "none"], 2),
        (["--verify", tmp_path / "none"], 2),
    ):
        done = asyncio.run(command("accept", *words))
        assert done.returncode == code
        assert "Traceback" not in done.stderr
