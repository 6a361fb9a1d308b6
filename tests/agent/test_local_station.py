"""The agent as a process, rain and river through Modbus, a relay on a bus of its own, and no broker anywhere."""

import asyncio
import json
import os
import signal
from contextlib import asynccontextmanager

import pytest

from agent.control import ask
from agent.demo.authority import Authority
from agent.demo.process import AgentProcess
from buffer.model import Lane
from buffer.reader import Reader
from drivers.simulated.modbus import TcpBus
from drivers.simulated.relay import RelayBoard
from drivers.simulated.unit import Unit
from tests.agent.test_hearing import tone
from tests.support.broker import free_port
from tests.support.station import AREA, WITHIN, command, table
from tests.support.until import until

RAIN = 'rise(rain.total, "1h") >= 20 and river.stage > 27.8'


class Weather:
    """A rain gauge (0.1 mm), a river gauge (mm), and a panel with a push button and a key switch."""

    def __init__(self):
        self.rain, self.stage, self.button, self.key = 0, 25_000, 0, 0
        self.units = [Unit(1, holding=self._gauge), Unit(2, holding=self._river), Unit(3, inputs=self._panel)]

    def _gauge(self, address):
        return {0: 0, 1: self.rain}.get(address)

    def _river(self, address):
        return {2: 0, 3: self.stage}.get(address)

    def _panel(self, address):
        return {0: self.button, 1: self.key}.get(address)


class Place:
    def __init__(self, folder, weather, board):
        self.folder, self.weather, self.board = folder, weather, board
        self.agent = AgentProcess(folder)
        self.tables = {}

    def write(self):
        (self.folder / "station.toml").write_text("\n".join(self.tables.values()), encoding="utf-8")

    def status(self):
        return ask(self.agent.control, "status", timeout=5.0) or {}

    def newest(self, series):
        return self.status().get("newest", {}).get(series, {}).get("value")

    def events(self, prefix=""):
        with Reader(self.agent.database) as reader:
            found = [json.loads(block.body) for lane in (Lane.ALARM, Lane.EVENT) for block in reader.blocks(lane)]
        return [one for one in found if one["type"].startswith(prefix)]

    @property
    def sounding(self):
        return self.board.on(0)


@asynccontextmanager
async def place(folder, *rules, **tables):
    weather, board, authority = Weather(), RelayBoard(unit=1), Authority()
    async with TcpBus(weather.units) as field, TcpBus([board]) as relays:
        site = Place(folder, weather, board)
        (folder / "keyset.cbor").write_bytes(authority.keyset())
        quick = {"interval": "100ms", "timeout": "300ms", "bus": "field"}
        site.tables = {
            "station": table("station", id="s1", areas=[AREA], language="zh"),
            "clock": table("clock", source="system"),
            "buffer": table("buffer", commit_interval="50ms"),
            "warnings": table("warnings", keyset="keyset.cbor", roots=authority.roots),
            "route": table("[route]", name="dead", url=f"mqtt://127.0.0.1:{free_port()}"),
            "field": table("[bus]", name="field", url=field.url),
            "relays": table("[bus]", name="relays", url=relays.url),
            "rain": table("[sensor]", name="rain", profile="sl651-rain", unit=1, **quick),
            "river": table("[sensor]", name="river", profile="sl651-level", unit=2, **quick),
            "siren": table(
                "[actuator]",
                name="siren",
                driver="modbus-relay",
                board="waveshare-8ch",
                bus="relays",
                unit=1,
                channel=1,
            ),
            "display": table("[actuator]", name="display", driver="sim", kind="display", file="display.jsonl"),
            **{f"rule {place}": one for place, one in enumerate(rules)},
            **tables,
        }
        site.write()
        try:
            yield site
        finally:
            await site.agent.end(signal.SIGKILL)


def rule(when=RAIN, **words):
    return table("[rule]", name="山洪", when=when, event="flash-flood", level="orange", action="evacuate", **words)


async def rains(site, until_mm=25):
    """Two millimetres at a time, each seen by the station before the next."""
    while site.weather.rain < until_mm * 10:
        site.weather.rain += 20
        total = site.weather.rain / 10
        await until(lambda total=total: site.newest("rain.total") == total, WITHIN)


def test_rain_and_river_close_the_relay_with_no_broker_at_all(tmp_path):
    async def story():
        async with place(tmp_path, rule(text="水位上涨")) as site:
            await site.agent.start()
            await until(lambda: site.newest("river.stage") == 25.0, WITHIN)
            await rains(site)
            assert not site.sounding  # it rains, and the river is low
            site.weather.stage = 28_000
            await until(lambda: site.sounding, WITHIN)
            shown = [json.loads(line) for line in (tmp_path / "display.jsonl").read_text("utf-8").splitlines()]
            assert "水位上涨" in shown[-1]["text"]
            assert site.status()["rules"]["山洪"]["active"] is True
            site.weather.stage = 26_000
            await until(lambda: not site.sounding and not site.status()["rules"]["山洪"]["active"], WITHIN)
            await until(lambda: site.events("rule.cleared"), WITHIN)
            raised = site.events("rule.raised")[0]
            assert raised["evidence"] == {"rain.total": pytest.approx(26), "river.stage": pytest.approx(28.0)}

    asyncio.run(story())


def test_killed_in_a_storm_it_does_not_forget_the_rain(tmp_path):
    async def story():
        async with place(tmp_path, rule()) as site:
            await site.agent.start()
            await until(lambda: site.newest("river.stage") == 25.0, WITHIN)
            await rains(site)
            await asyncio.sleep(0.3)  # a commit window or two
            await site.agent.end(signal.SIGKILL)
            site.weather.stage = 28_000  # while nobody looks; and not a drop falls any more
            await site.agent.start()
            await until(lambda: site.sounding, WITHIN)
            await until(lambda: site.events("rule.raised"), WITHIN)
            await until(lambda: site.status()["warnings"]["journal"] == "ok", WITHIN)
            await site.agent.end(signal.SIGKILL)
            await until(lambda: not site.sounding, WITHIN)
            raised = len(site.events("rule.raised"))
            await site.agent.start()
            await until(lambda: site.sounding, WITHIN)
            await until(lambda: site.status()["rules"]["山洪"]["active"], WITHIN)
            assert len(site.events("rule.raised")) == raised  # it is the same alarm

    asyncio.run(story())


PANEL = {
    "ack": table("[button]", name="应答", does="acknowledge", bus="field", unit=3, input=0, interval="50ms"),
    "key": table("[button]", name="钥匙", does="inhibit", bus="field", unit=3, input=1, interval="50ms"),
    "contacts": '[contacts]\npatience = "60s"\npeople = [{ name = "王村长", number = "+8613800000001" }]\n',
}


def test_a_key_mutes_the_siren_and_a_button_answers(tmp_path):
    async def story():
        async with place(tmp_path, rule("river.stage > 27.8", alone=True), **PANEL) as site:
            await site.agent.start()
            await until(lambda: site.newest("river.stage") == 25.0, WITHIN)
            site.weather.key = 1
            await until(lambda: site.status()["inhibit"]["muted"], WITHIN)
            site.weather.stage = 28_000
            await until(lambda: site.status()["contacts"]["waiting_for"], WITHIN)
            assert not site.sounding
            site.weather.button = 1
            await until(lambda: not site.status()["contacts"]["waiting_for"], WITHIN)
            site.weather.key = 0
            await until(lambda: site.sounding, WITHIN)
            await until(lambda: site.events("warning.acknowledged"), WITHIN)
            assert site.events("warning.acknowledged")[0]["by"] == "应答"
            kinds = [one["type"] for one in site.events()]
            assert {"inhibit.on", "inhibit.off", "contact.called", "button.pressed"} <= set(kinds)

    asyncio.run(story())


def test_a_held_button_starts_a_plan(tmp_path):
    async def story():
        start = table("[button]", name="手动", does="start", bus="field", unit=3, input=0, interval="50ms", hold="1s")
        async with place(tmp_path, start=start) as site:
            await site.agent.start()
            await until(lambda: site.status().get("buttons", {}).get("手动", {}).get("closed") is False, WITHIN)
            site.weather.button = 1
            await until(lambda: site.sounding, WITHIN)
            await until(lambda: site.events("alarm.by_hand"), WITHIN)

    asyncio.run(story())


def test_a_drill_from_the_command_line(tmp_path):
    async def story():
        async with place(tmp_path) as site:
            config = ("--config", tmp_path / "station.toml")
            assert (await command("drill", *config)).returncode == 3
            await site.agent.start()
            await until(lambda: site.newest("river.stage") == 25.0, WITHIN)
            untyped = await command("drill", *config, "--siren", data=b"yes\n")
            assert untyped.returncode == 2
            assert not site.board.log
            done = await command("drill", *config, "--seconds", 5)
            assert done.returncode == 0, done.stderr
            assert not site.board.log
            done = await command("drill", *config, "--seconds", 5, "--siren", "--typed", "yes")
            assert done.returncode == 0, done.stderr + done.stdout
            assert "siren" in done.stdout
            assert "The drill is done" in done.stdout
            assert site.board.log
            refused = await command("drill", *config, "--seconds", 500)
            assert refused.returncode == 1
            as_json = await command("drill", *config, "--seconds", 5, "--json")
            lines = [json.loads(line) for line in as_json.stdout.splitlines()]
            assert lines[-1]["result"]["ok"] is True
            assert any(line.get("step") == "warning.started" for line in lines)
            assert [one["ok"] for one in site.events("drill.done")] == [True, True, True]

    asyncio.run(story())


RECORDER = """#!/bin/sh
while :; do
  if [ -e {folder}/loud ]; then cat {folder}/loud.raw; else cat {folder}/quiet.raw; fi
  sleep 0.1
done
"""


async def horn(site, folder):
    """What the microphone hears follows the siren's coil."""
    while True:
        if site.sounding:
            (folder / "loud").touch()
        else:
            (folder / "loud").unlink(missing_ok=True)
        await asyncio.sleep(0.02)


def test_a_drill_is_heard_by_the_microphone_and_the_word_is_signed(tmp_path, monkeypatch):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "arecord").write_text(RECORDER.format(folder=tools))
    (tools / "arecord").chmod(0o755)
    (tools / "quiet.raw").write_bytes(tone(0.003))
    (tools / "loud.raw").write_bytes(tone(0.3))
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")

    async def story():
        async with place(tmp_path, microphone=table("microphone", every="1d")) as site:
            await site.agent.start()
            air = asyncio.create_task(horn(site, tools))
            await until(lambda: site.status().get("microphone", {}).get("background"), WITHIN)
            config = ("--config", tmp_path / "station.toml")
            done = await command("drill", *config, "--seconds", 8, "--siren", "--typed", "yes")
            air.cancel()
            assert done.returncode == 0, done.stderr + done.stdout
            assert "heard" in done.stdout
            (heard,) = site.events("warning.heard")
            assert heard["evidence"]["above_db"] > 20
            assert heard["counter"] > 0
            assert heard["signature"]

    asyncio.run(story())


def test_check_says_where_a_rule_is_wrong(tmp_path):
    async def story():
        bad = [
            table("[rule]", name="a", when="river.stage => 3", event="flood", level="red"),
            table("[rule]", name="b", when="sea.level > 3", event="flood", level="red"),
            table("[rule]", name="c", when="river.stage > rain.total", event="flood", level="red"),
            table("[rule]", name="d", when="river.stage > 3", event="flood", level="red", plan="no", clear="x <"),
            table("[rule]", name="e", when="river.stage > 3 or rain.total > 3", event="flood", level="red", clear=0.5),
            table("[rule]", name="f", when="river.stage > 3", event="flood", level="pink", **{"for": "2d"}),
        ]
        async with place(tmp_path, *bad) as site:
            done = await command("check", "--config", tmp_path / "station.toml", "--json")
            assert done.returncode == 2
            found = json.loads(done.stdout)["findings"]
            codes = {(one["table"], one["key"], one["code"]) for one in found}
            assert codes >= {
                ("rule a", "when", "rule.character"),
                ("rule b", "when", "rule.series"),
                ("rule c", "when", "rule.units"),
                ("rule d", "plan", "rule.plan"),
                ("rule d", "clear", "rule.expected_operand"),
                ("rule e", "clear", "rule.margin"),
                ("rule f", "level", "config.wrong_value"),
            }
            text = next(one["text"] for one in found if one["code"] == "rule.character")
            assert text.startswith("column 13: =")
            assert site.status() == {}

    asyncio.run(story())
