"""`fengsui watch`: one frame of a station's status, and no agent."""

from agent.cli import main
from agent.watch_frame import History, frame, sparkline

STATUS = {
    "station": "s-1",
    "version": "0",
    "clock": {"trusted": True},
    "readings": {"taken": 5, "committed": 4},
    "newest": {"rain.total": {"value": 1.5, "unit": "mm", "quality": "good", "age": 0.4}},
    "sensors": {"gauge": {"state": "up"}},
    "bearers": {"county": {"state": "up", "accepted": 7, "deep": {"a": 1}}},
    "buffer": {"used": 1 << 20, "limit": 64 << 20, "pending": {"county": {"telemetry": 3}}, "degraded": False},
    "warnings": {"active": [{"alert": "1-2", "text": "evil\x1b[2J"}]},
}


def test_a_frame_has_everything_a_technician_looks_for():
    history = History()
    for value in (1.0, 2.0, 1.5):
        history.take({"newest": {"rain.total": {"value": value}}})
    text = "\n".join(frame(STATUS, history))
    for part in (
        "s-1",
        "rain.total",
        "1.5",
        "▁█▅",
        "gauge",
        "county",
        "accepted 7",
        "1.0 of 64 MiB",
        "county 3",
        "1-2",
    ):
        assert part in text
    assert "\x1b" not in text


def test_a_station_that_says_little_is_shown_all_the_same():
    assert "none" in "\n".join(frame({}, History()))


def test_sparklines_stay_within_their_bars():
    assert sparkline([]) == ""
    assert sparkline([5.0, 5.0]) == "▁▁"
    assert sparkline([-1.0, 0.0, 1.0]) == "▁▅█"


def test_without_an_agent_it_says_so(capsys, tmp_path):
    (tmp_path / "station.toml").write_text('[station]\nid = "s-1"\n[control]\nsocket = "none.sock"\n')
    assert main(["--lang", "en", "watch", "--once", "--config", str(tmp_path / "station.toml")]) == 3
    assert "none.sock" in capsys.readouterr().err
    assert main(["--lang", "en", "watch", "--config", str(tmp_path / "nope.toml")]) == 2
