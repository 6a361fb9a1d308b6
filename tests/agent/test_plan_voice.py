"""What plans say of voice, lamp and who takes part; how it reaches the actuators; and the command that shows it."""

import asyncio
import json
from dataclasses import replace

import pytest

from agent.alerts import plan_file
from agent.alerts.conductor import Conductor
from agent.alerts.performer import Performer
from agent.cli import main
from drivers.actuators.patterns import shipped
from drivers.actuators.sim import Sim, SimConfig
from protocols.alert import ActionCode, Refusal, Status
from protocols.seal import verify
from tests.support.seals import sealed
from tests.support.village import Village
from tests.support.virtual import run

OWN = """
[[plan]]
name = "ours"
action = ["evacuate"]
siren = { pattern = "fast", seconds = 60 }
voice = { clip = "evacuate", repeat = 5 }
lamp = "fast"
actuators = ["east", "voice", "gone"]
"""


def load(tmp_path, text=OWN):
    (tmp_path / "plans.toml").write_text(text)
    return plan_file.load(tmp_path / "plans.toml", patterns=shipped())


def test_every_shipped_plan_is_spoken_three_times_and_names_nobody():
    found, _ = plan_file.load()
    assert all(plan.voice.repeat >= 3 and not plan.voice.clip and not plan.actuators for plan in found.plans)


def test_a_drill_in_clips_begins_and_ends_as_one(tmp_path):
    found, problems = load(tmp_path)
    assert problems == []
    assert found.how("11A51", "red", "evacuate").clips == ("evacuate",)
    assert found.how("11A51", "red", "evacuate", exercise=True).clips == ("exercise", "evacuate", "exercise")


def test_what_cannot_be_said_is_named(tmp_path):
    text = '[[plan]]\nname="a"\nvoice={clip="../x", repeat=1}\nlamp="disco"\n'
    told = {(problem.key, problem.code) for problem in load(tmp_path, text)[1]}
    assert told == {
        ("plan a.voice.clip", "plan.clip"),
        ("plan a.voice.repeat", "plan.repeat"),
        ("plan a.lamp", "plan.choice"),
    }


KINDS = {"east": "siren", "west": "siren", "voice": "voice", "other voice": "voice", "lamp": "lamp", "board": "display"}


class Ensemble:
    """Simulated actuators of every kind under one conductor."""

    def __init__(self, found):
        self.now = asyncio.get_running_loop().time
        self.sims = {name: Sim(SimConfig(name=name, kind=kind), now=self.now) for name, kind in KINDS.items()}
        performers = [Performer(sim, lambda *_: None, self.now) for sim in self.sims.values()]
        self.conductor = Conductor(performers, found, self.now)

    async def play(self, decision):
        self.conductor.conduct(decision.orders)
        await asyncio.sleep(0.1)
        return {name: sim.log[-1] for name, sim in self.sims.items() if sim.log and sim.log[-1]["on"]}


def heard(text="", **changed):
    return Village(monotonic=0.0).say("county bureau", text, **changed)


def test_a_plan_reaches_whom_it_names_and_all_of_a_kind_where_it_names_nobody_that_is_there(tmp_path):
    async def play():
        found, _ = load(tmp_path)
        on = await Ensemble(found).play(heard(action=ActionCode.EVACUATE))
        assert on.keys() == {"east", "voice", "lamp", "board"}
        assert (on["voice"]["clips"], on["voice"]["repeat"]) == (["evacuate"], 5)
        assert on["lamp"]["pattern"] == "fast"
        assert on["voice"]["text"] == on["board"]["text"]

    run(play())


def test_a_name_that_is_wrong_silences_nobody(tmp_path):
    async def play():
        found, _ = load(tmp_path, OWN.replace('["east", "voice", "gone"]', '["gone"]'))
        on = await Ensemble(found).play(heard(action=ActionCode.EVACUATE))
        assert on.keys() == KINDS.keys()

    run(play())


def test_a_drill_says_so_at_both_ends_and_an_all_clear_who_gives_it():
    async def play():
        found, _ = plan_file.load()
        drill = await Ensemble(found).play(heard(status=Status.EXERCISE))
        assert drill["voice"]["text"].startswith("这是演练")
        assert drill["voice"]["text"].endswith("这是演练。")
        clear = await Ensemble(found).play(heard(action=ActionCode.ALL_CLEAR))
        assert clear["voice"]["text"].startswith("警报解除。")
        assert "解除" in clear["voice"]["text"]
        assert "county" in clear["voice"]["text"]

    run(play())


def test_nothing_of_a_refused_alert_is_spoken_or_shown():
    async def play():
        shipped_plans, _ = plan_file.load()
        village = Village(monotonic=0.0)
        data = sealed("county bureau", "请立即转移", expires=village.unix + 60)
        village.later(120)
        ensemble = Ensemble(shipped_plans)
        found = verify(data, village.ring, village.now.clock)
        orders = () if isinstance(found, Refusal) else village.hear(data).orders
        ensemble.conductor.conduct(orders)
        await asyncio.sleep(1)
        assert not any(sim.log for sim in ensemble.sims.values())

    run(play())


def test_a_warning_that_stands_longer_is_not_spoken_all_over_again():
    async def play():
        found, _ = plan_file.load()
        ensemble = Ensemble(found)
        decision = heard(action=ActionCode.EVACUATE)
        await ensemble.play(decision)
        longer = replace(decision, orders=tuple(replace(one, seconds=one.seconds + 600) for one in decision.orders))
        await ensemble.play(longer)
        assert len(ensemble.sims["voice"].log) == 1

    run(play())


# The command


def test_plan_check_says_that_the_shipped_plans_are_sound(capsys):
    assert main(["--lang", "en", "plan", "check"]) == 0
    assert "plans are sound" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["11B03", "red"], ["flash-flood", "orange", "evacuate", "--exercise"]])
def test_plan_show_says_what_would_happen(capsys, arguments):
    assert main(["--lang", "zh", "plan", "show", *arguments, "--json"]) == 0
    how = json.loads(capsys.readouterr().out)
    assert how["repeat"] >= 3
    assert how["text"].startswith("这是演练" if "--exercise" in arguments else "红色暴雨预警")


def test_plan_check_finds_clips_and_actuators_that_are_gone(tmp_path, capsys):
    load(tmp_path)
    from agent.cli import plan
    from agent.config import StationConfig, WarningsConfig

    made = plan_config(tmp_path, StationConfig(id="S1"), WarningsConfig(keyset="", roots=[], plans="plans.toml"))
    found, _ = plan_file.load(tmp_path / "plans.toml")
    assert [problem.facts["actuator"] for problem in plan._strangers(made, found)] == ["gone"]
    clips = [problem.facts["file"].name for problem in plan._clips(made, found)]
    assert clips == ["evacuate.wav", "exercise.wav"]
    for words in (["check"], ["show", "flood", "red"]):
        assert main(["--lang", "en", "plan", *words, "--config", str(tmp_path / "none.toml")]) == 2
        assert "cannot read this file (No such file or directory)" in capsys.readouterr().err


def plan_config(folder, station, warnings):
    from agent.config import Config, Made
    from drivers import registry

    factory = {name: registry.resolve(registry.ACTUATORS, name) for name in ("sim", "speaker")}
    actuators = [
        Made("east", "sim", factory["sim"], factory["sim"].config(name="east")),
        Made("voice", "speaker", factory["speaker"], factory["speaker"].config(name="voice")),
    ]
    fields = dict.fromkeys(Config.__dataclass_fields__)
    lists = {"routes": [], "buses": [], "sensors": [], "actuators": actuators}
    return Config(**(fields | lists | {"file": folder / "station.toml", "station": station, "warnings": warnings}))
