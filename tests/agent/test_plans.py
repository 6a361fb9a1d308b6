"""Plans and sentences: which signal, how long, and in which words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.alerts import plan_file
from agent.alerts.plans import ACTIONS, LEVELS, MOST_SHOWN
from drivers.actuators.patterns import AIR_DEFENCE, shipped
from protocols.codes import FAMILIES

BOTH, _ = plan_file.load(languages=("zh", "en"))
ZH, _ = plan_file.load()


def test_the_shipped_plans_are_sound_and_name_only_signals_there_are():
    found, problems = plan_file.load(languages=("zh", "en"), patterns=shipped())
    assert problems == []
    assert {plan.siren.pattern for plan in found.plans if plan.siren} <= {"fast", "slow"}
    assert all((pattern.on, pattern.off) not in AIR_DEFENCE for pattern in shipped().values())


@pytest.mark.parametrize(
    ("event", "level", "action", "plan", "pattern", "seconds"),
    [
        ("11A51", "red", "evacuate", "evacuate", "fast", 180),
        ("11A51", "orange", "shelter", "shelter", "slow", 120),
        ("11A51", "red", "inform", "sudden-red", "fast", 180),
        ("flash-flood", "red", "inform", "sudden-red", "fast", 180),
        ("12A03", "orange", "prepare", "sudden", "slow", 120),
        ("11B03", "red", "prepare", "other", "slow", 60),
        ("11B101", "blue", "inform", "other", "slow", 60),
        ("11A51", "red", "all-clear", "all-clear", "", 0),
    ],
)
def test_the_first_plan_that_fits_is_taken(event, level, action, plan, pattern, seconds):
    how = ZH.how(event, level, action)
    assert (how.plan, how.pattern, how.seconds) == (plan, pattern, seconds)


@pytest.mark.parametrize(
    ("event", "name"),
    [("11A51", "山洪"), ("flash-flood", "山洪"), ("11D99", "地质灾害"), ("12C04", "事故灾难"), ("99X", "突发事件")],
)
def test_an_event_has_the_most_exact_name_there_is(event, name):
    assert f"红色{name}预警" in ZH.how(event, "red", "evacuate").text


def test_every_family_has_a_name_in_every_language():
    for words in BOTH.words.values():
        assert all(word in words.events for word in FAMILIES.values())
        assert set(words.levels) == set(LEVELS)
        assert set(words.actions) == set(ACTIONS)


TEXTS = st.text(max_size=3000)


@given(
    text=TEXTS, issuer=TEXTS, event=st.text(max_size=16), level=st.sampled_from(LEVELS), action=st.sampled_from(ACTIONS)
)
def test_a_drill_begins_and_ends_as_one_whatever_it_says(text, issuer, event, level, action):
    shown = ZH.how(event, level, action, exercise=True, issuer=issuer, text=text).text
    assert shown.startswith("这是演练")
    assert shown.endswith("这是演练。")
    both = BOTH.how(event, level, action, exercise=True, issuer=issuer, text=text).text
    assert both.startswith("这是演练")
    assert both.endswith("THIS IS AN EXERCISE.")
    assert max(len(shown), len(both)) <= MOST_SHOWN


@given(text=TEXTS, issuer=TEXTS, level=st.sampled_from(LEVELS), action=st.sampled_from(ACTIONS))
def test_whatever_is_said_is_one_displayable_line(text, issuer, level, action):
    shown = BOTH.how("11A51", level, action, issuer=issuer, text=text).text
    assert shown.isprintable()
    assert "{" not in shown.replace(text, "") or "{" in text + issuer


def test_an_all_clear_says_so_and_who_says_it():
    assert ZH.how("11A51", "red", "all-clear", issuer="县水利局").text == "警报解除。山洪预警已由县水利局解除。"
    assert "ALL CLEAR" in BOTH.how("11A51", "red", "all-clear", issuer="县水利局").text
    assert "警报解除" in ZH.how("11A51", "red", "all-clear", exercise=True).text


def test_a_stations_own_plan_comes_first(tmp_path):
    own = tmp_path / "plans.toml"
    own.write_text('[[plan]]\nname="ours"\naction=["evacuate"]\nsiren={pattern="gong", seconds=90, drill=5}\n')
    found, problems = plan_file.load(own, patterns={*shipped(), "gong"})
    assert problems == []
    assert found.how("11A51", "red", "evacuate").pattern == "gong"
    assert found.how("11A51", "red", "evacuate", exercise=True).seconds == 5
    assert found.how("11A51", "red", "shelter").plan == "shelter"


def test_everything_wrong_is_told_at_once(tmp_path):
    own = tmp_path / "plans.toml"
    own.write_text(
        "[other]\n"
        '[[plan]]\nname="a"\nlevel=["crimson"]\naction=["run"]\nsiren={pattern="raid", seconds=9000, drill=0}\n'
        '[[plan]]\nname="b"\ncolour="red"\n'
        "[[plan]]\nlevel=3\n"
    )
    found, problems = plan_file.load(own, languages=("zh", "fr"), patterns=shipped())
    assert found is None
    told = {(problem.key, problem.code) for problem in problems}
    assert told >= {
        ("other", "plan.unknown_table"),
        ("plan a.level", "plan.choice"),
        ("plan a.action", "plan.choice"),
        ("plan a.siren.pattern", "plan.choice"),
        ("plan a.siren.seconds", "plan.seconds"),
        ("plan a.siren.drill", "plan.seconds"),
        ("plan b.colour", "config.unknown_key"),
        ("plan 3.name", "config.missing_key"),
        ("plan 3.level", "config.wrong_value"),
        ("language", "plan.language"),
    }


def test_a_file_that_is_missing_or_no_toml_is_one_problem(tmp_path):
    (tmp_path / "bad.toml").write_text("[[[")
    for name in ("none.toml", "bad.toml"):
        found, problems = plan_file.load(tmp_path / name)
        assert found is None
        assert [problem.code for problem in problems] == ["plan.unreadable"]
    (tmp_path / "odd.toml").write_text("plan = 3")
    assert [problem.code for problem in plan_file.load(tmp_path / "odd.toml")[1]] == ["plan.not_a_list"]


def test_a_sentence_with_a_hole_that_nothing_fills_is_found(tmp_path):
    words = (plan_file.SHIPPED / "words.toml").read_text().replace("{level}{event}预警", "{colour}{event}预警")
    (tmp_path / "words.toml").write_text(words)
    problems = []
    plan_file._words(tmp_path / "words.toml", problems)
    assert [(problem.code, problem.facts) for problem in problems] == [("plan.placeholder", {"name": "colour"})]
