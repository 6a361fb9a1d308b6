import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import envelope
from protocols.envelope import Topic
from protocols.errors import LocalError, RemoteError
from protocols.record import Key

ROOT = envelope.DEFAULT_ROOT
LEVELS = st.from_regex(r"[A-Za-z0-9._-]{1,32}", fullmatch=True)
STATIONS = LEVELS.filter(lambda text: text != "warnings")
AREAS = st.sampled_from(["all", "51", "5101", "510107", "510107003", "510107003201"])
ROOTS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join)


@given(ROOTS, STATIONS, st.sampled_from(envelope.UP), LEVELS, AREAS, st.integers(0, 2**63 - 1))
def test_every_topic_comes_back(root, station, kind, name, area, seq):
    assert envelope.parse(root, envelope.up(root, station, kind)) == Topic(kind, station)
    assert envelope.parse(root, envelope.command(root, station, name)) == Topic("command", station, name)
    assert envelope.parse(root, envelope.warning(root, area, name, seq)) == Topic("warning", area, f"{name}-{seq}")
    assert envelope.parse(root, envelope.beacon(root, area, name)) == Topic("beacon", area, name)
    assert envelope.parse(root, envelope.keyset(root)) == Topic("keyset", "all")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        ROOT,
        f"{ROOT}/",
        f"{ROOT}/s",
        f"{ROOT}/s/other",
        f"{ROOT}/s/readings/more",
        f"{ROOT}/warnings/readings",
        f"{ROOT}/s/command",
        f"{ROOT}/s/command/a/b",
        f"{ROOT}/warnings/5/x-1",
        f"{ROOT}/warnings/51010/x-1",
        f"{ROOT}/+/readings",
        f"{ROOT}/#",
        "other/1/s/readings",
        f"{ROOT}x/s/readings",
        f"{ROOT}/s\x00/readings",
        f"{ROOT}/é/readings",
        f"{ROOT}/{'a' * 33}/readings",
        "x" * 100000,
    ],
)
def test_foreign_topics_are_refused(topic):
    with pytest.raises(RemoteError, match=r"topic\."):
        envelope.parse(ROOT, topic)


@given(st.text(max_size=60))
def test_noise_raises_nothing_else(text):
    for topic in (text, f"{ROOT}/{text}"):
        try:
            envelope.parse(ROOT, topic)
        except RemoteError:
            continue


@pytest.mark.parametrize(
    "make",
    [
        lambda: envelope.up(ROOT, "a/b", "readings"),
        lambda: envelope.up(ROOT, "warnings", "readings"),
        lambda: envelope.up(ROOT, "s", "other"),
        lambda: envelope.up("a/+/b", "s", "readings"),
        lambda: envelope.up("", "s", "readings"),
        lambda: envelope.up("/a", "s", "readings"),
        lambda: envelope.up("$SYS", "s", "readings"),
        lambda: envelope.command(ROOT, "s", "#"),
        lambda: envelope.warning(ROOT, "5", "x", 1),
        lambda: envelope.warning(ROOT, "51", "x/y", 1),
        lambda: envelope.warning(ROOT, "51", "x", -1),
        lambda: envelope.beacon(ROOT, "51/52", "x"),
        lambda: envelope.subscriptions(ROOT, "s", ["51", "51/#"]),
    ],
)
def test_wrong_parts_never_become_a_topic(make):
    with pytest.raises(LocalError, match=r"topic\."):
        make()


def test_a_station_subscribes_to_its_own():
    assert envelope.subscriptions(ROOT, "s", ["51", "all"]) == [
        "fengsui/1/s/command/+",
        "fengsui/1/warnings/51/#",
        "fengsui/1/warnings/all/#",
    ]


def test_properties_repeat_what_the_body_says():
    key = Key("s", "00112233445566ff", "telemetry", 5, 9)
    assert envelope.properties("json", key, 4, "live") == (
        "application/senml+json",
        (("id", "00112233445566ff/telemetry/5-9"), ("floor", "4"), ("kind", "live")),
    )
