"""`fengsui warn`: the drill and the real thing apart, second holders, ends, beacons; and what the stations make of it."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout

import pytest

from agent import cli
from agent.alerts import places
from agent.issue import load_keys
from agent.keys import public_of
from protocols import beacon
from protocols.alert import ClockReading, Level, Permission, Refusal, Status
from protocols.beacon import VerifiedBeacon
from protocols.keyring import Holder, Key, Keyring
from protocols.seal import verify
from tests.support.seals import FULL
from tests.support.village import Village, channels

VILLAGE = "330205004001"
ALERT = ["--issuer", "1", "--area", VILLAGE, "--event", "11A51", "--level", "red", "--action", "evacuate"]
TEXT = "请立即转移"


class Desk:
    """A folder with two holders' keys, made by the command itself."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("county", "bureau"):
            assert self.run("warn", "key", "new", f"{name}.pem")[0] == 0

    def run(self, *arguments):
        said, heard = io.StringIO(), io.StringIO()
        with redirect_stdout(said), redirect_stderr(heard):
            try:
                code = cli.main(["--lang", "en", *map(str, arguments)])
            except SystemExit as left:
                code = left.code
        return code, said.getvalue(), heard.getvalue()

    def seal(self, step, *more, out="a.sealed", key="county.pem", words=ALERT):
        code, said, heard = self.run("warn", step, "--key", key, *words, *more, "-o", out)
        return code, heard if code else json.loads(said)

    def data(self, name="a.sealed"):
        return (self.folder / name).read_bytes()

    def ring(self):
        names = ("county", "bureau")
        keys = [
            Key(name, public_of(load_keys([self.folder / f"{name}.pem"])[0]), FULL, (33,), Level.RED, 0, 1 << 39)
            for name in names
        ]
        return Keyring(7, 0, tuple(Holder(name, (n + 1,)) for n, name in enumerate(names)), tuple(keys))

    def found(self, name="a.sealed"):
        return verify(self.data(name), self.ring(), ClockReading(0, 0, trusted=False))


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return Desk(tmp_path)


def hears(desk, *names):
    """What a station decides on these files, one after the other."""
    import time

    village = Village(ring=desk.ring(), unix=int(time.time()) + 1, floor=0)
    return [village.hear(desk.data(name)) for name in names]


# The drill and the real thing


def test_an_exercise_asks_nothing_and_is_one(desk):
    code, told = desk.seal("exercise", "--text", TEXT)
    assert (code, told["alert"]["status"], told["text"]) == (0, "Exercise", TEXT)
    (decision,) = hears(desk, "a.sealed")
    assert decision.orders[0].exercise
    assert "siren" not in channels(decision)


@pytest.mark.parametrize("typed", [None, "", "3302", "330205004002", "yes"])
def test_the_real_thing_is_sealed_only_when_its_area_was_typed(desk, typed):
    code, heard = desk.seal("sign", *(() if typed is None else ("--typed", typed)))
    assert code == 2
    assert "was not typed" in heard
    assert not (desk.folder / "a.sealed").exists()


def test_typed_it_is_sealed(desk):
    assert desk.seal("sign", "--typed", VILLAGE)[0] == 0
    assert desk.found().alert.status is Status.ACTUAL


def test_it_is_asked_for_on_a_terminal(desk, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    asked = []
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("builtins.input", lambda text: asked.append(text) or f" {VILLAGE} ")
    assert desk.seal("sign")[0] == 0
    assert "11A51, red, evacuate" in asked[0]
    assert VILLAGE in asked[0]


NAMES = '330205 = "江北区"\n330205004 = "慈城镇"\n330205004001 = ["榆树村", "Yushu"]\n'


@pytest.mark.parametrize("typed", ["榆树村", " yushu ", "Ｙｕｓｈｕ"])
def test_a_named_area_is_typed_by_its_name(desk, typed):
    (desk.folder / "areas.toml").write_text(NAMES)
    assert desk.seal("sign", "--names", "areas.toml", "--typed", typed)[0] == 0


@pytest.mark.parametrize("typed", [VILLAGE, "慈城镇", "浙江省", "榆树", ""])
def test_and_not_by_its_code_nor_by_anothers_name(desk, typed):
    (desk.folder / "areas.toml").write_text(NAMES)
    code, heard = desk.seal("sign", "--names", "areas.toml", "--typed", typed)
    assert code == 2
    assert "was not typed" in heard


def test_of_several_areas_the_widest_is_typed(desk):
    """A village's name does not pass the county that stands beside it by mistake."""
    (desk.folder / "areas.toml").write_text(NAMES)
    words = [*ALERT, "--area", "330205"]
    code, heard = desk.seal("sign", "--names", "areas.toml", "--typed", "榆树村", words=words)
    assert code == 2
    assert "was not typed" in heard
    assert desk.seal("sign", "--names", "areas.toml", "--typed", "江北区", words=words)[0] == 0
    assert desk.seal("sign", "--typed", "江北区", words=[*words, "--area", "all"])[0] == 2
    assert desk.seal("sign", "--typed", "全国", words=[*words, "--area", "all"])[0] == 0


def test_the_provinces_have_names_from_the_start_and_the_whole_country_has_one(desk):
    words = ["33" if one == VILLAGE else one for one in ALERT]
    assert desk.seal("sign", "--typed", "33", words=words)[0] == 2
    assert desk.seal("sign", "--typed", "浙江省", words=words)[0] == 0
    assert desk.seal("sign", "--typed", "Zhejiang", words=words)[0] == 0
    everywhere = ["all" if one == VILLAGE else one for one in ALERT]
    assert desk.seal("sign", "--typed", "all", words=everywhere)[0] == 2
    assert desk.seal("sign", "--typed", "全国", words=everywhere)[0] == 0


def test_names_that_cannot_be_read_stop_it_and_are_told(desk):
    (desk.folder / "areas.toml").write_text('33O2 = "x"\n3302 = ""\n3303 = "温州\\u202e市"\n')
    code, heard = desk.seal("sign", "--names", "areas.toml", "--typed", VILLAGE)
    assert code == 2
    assert "33O2" in heard
    assert heard.count("needs a name") == 2
    assert desk.seal("sign", "--names", "nothing.toml", "--typed", VILLAGE)[0] == 2


def test_names_are_shown_from_the_province_down():
    names, problems = places.load()
    assert problems == []
    assert len([code for code in names.table if code]) == 34
    own = places.Names({**names.table, 330205: ("江北区",), 330205004001: ("榆树村",)})
    assert own.whole(330205004001) == "浙江省 江北区 榆树村"
    assert own.whole(330205004002) == "浙江省 江北区 330205004002"
    assert own.whole(0) == "全国"
    assert own.shown((330205, 330205004001)) == "浙江省 江北区、浙江省 江北区 榆树村"
    assert places.Names({}).whole(3302) == "3302"


def test_a_test_is_one_whatever_is_typed(desk):
    assert desk.seal("sign", "--test")[0] == 0
    assert desk.found().alert.status is Status.TEST


def test_a_file_that_says_exercise_never_becomes_the_real_thing(desk):
    words = {"issuer": 1, "area": [VILLAGE], "event": "11A51", "level": "red", "action": "inform"}
    (desk.folder / "drill.json").write_text(json.dumps(words | {"status": "exercise"}))
    (desk.folder / "real.json").write_text(json.dumps(words | {"status": "actual"}))
    code, heard = desk.seal("sign", "--typed", VILLAGE, "--from", "drill.json", words=[])
    assert code == 2
    assert "fengsui warn exercise" in heard
    assert desk.seal("exercise", "--from", "real.json", words=[])[0] == 0
    assert desk.found().alert.status is Status.EXERCISE
    assert desk.seal("sign", "--typed", VILLAGE, "--from", "real.json", words=[])[0] == 0


# The second holder


def test_a_second_holder_joins_and_the_siren_with_it(desk):
    desk.seal("sign", "--typed", VILLAGE, "--text", TEXT)
    code, said, _ = desk.run(
        "warn", "countersign", "a.sealed", "--key", "bureau.pem", "--typed", VILLAGE, "-o", "b.sealed"
    )
    assert code == 0
    assert json.loads(said.splitlines()[0])["alert"]["event"] == "11A51", "shown before it is signed"
    found = desk.found("b.sealed")
    assert found.holders == ("bureau", "county")
    assert (found.text, found.identity) == (TEXT, desk.found().identity)
    first, second = hears(desk, "a.sealed", "b.sealed")
    assert "siren" not in channels(first)
    assert (second.outcome, "siren" in channels(second)) == ("upgraded", True)


def test_a_second_holder_types_the_area_too(desk):
    desk.seal("sign", "--typed", VILLAGE)
    assert desk.run("warn", "countersign", "a.sealed", "--key", "bureau.pem", "-o", "b")[0] == 2
    assert not (desk.folder / "b").exists()


@pytest.mark.parametrize(
    ("compact", "key", "why"), [(["--compact"], "bureau.pem", "--compact"), ([], "county.pem", "signed it already")]
)
def test_who_cannot_join_is_told_why(desk, compact, key, why):
    desk.seal("exercise", *compact)
    code, _, heard = desk.run("warn", "countersign", "a.sealed", "--key", key, "-o", "b")
    assert code == 2
    assert why in heard


def test_sizes(desk):
    desk.seal("exercise", "--compact")
    assert len(desk.data()) <= 140
    desk.seal("exercise")
    assert len(desk.data()) <= 140
    desk.run("warn", "countersign", "a.sealed", "--key", "bureau.pem", "-o", "b")
    assert len(desk.data("b")) <= 220


# The end


def test_a_cancel_is_made_from_the_alert_and_asks_nothing(desk):
    desk.seal("sign", "--typed", VILLAGE)
    assert desk.run("warn", "cancel", "a.sealed", "--key", "county.pem", "-o", "c.sealed")[0] == 0
    _, over = hears(desk, "a.sealed", "c.sealed")
    assert over.outcome == "cancelled"
    assert over.orders[0].action.name == "ALL_CLEAR"


def test_another_holder_cancels_in_its_own_name(desk):
    desk.seal("sign", "--typed", VILLAGE)
    assert desk.run("warn", "cancel", "a.sealed", "--key", "bureau.pem", "--issuer", "2", "-o", "c.sealed")[0] == 0
    assert hears(desk, "a.sealed", "c.sealed")[1].outcome == "cancelled"


def test_an_all_clear_takes_the_alerts_place(desk):
    desk.seal("sign", "--typed", VILLAGE)
    assert desk.run("warn", "allclear", "a.sealed", "--key", "county.pem", "--text", "警报解除", "-o", "c")[0] == 0
    _, over = hears(desk, "a.sealed", "c")
    assert over.outcome == "replaced"
    assert [(order.action.name, order.text) for order in over.orders] == [("ALL_CLEAR", "警报解除")]
    assert "siren" not in channels(over)


def test_the_end_of_a_drill_is_a_drill(desk):
    desk.seal("exercise")
    desk.run("warn", "cancel", "a.sealed", "--key", "county.pem", "-o", "c")
    assert desk.found("c").alert.status is Status.EXERCISE
    assert hears(desk, "a.sealed", "c")[1].outcome == "cancelled"


def test_an_end_outlives_its_alert_and_its_number_is_higher(desk):
    desk.seal("sign", "--typed", VILLAGE, "--minutes", "1", "--seq", str((1 << 39) + 5))
    desk.run("warn", "cancel", "a.sealed", "--key", "county.pem", "-o", "c")
    first, end = desk.found().alert, desk.found("c").alert
    assert end.seq == first.seq + 1
    assert end.expires >= first.expires + 500
    assert (end.chain, end.area, end.onset) == (first.chain, first.area, None)


# Beacons


def test_a_beacon_says_what_is_in_force(desk):
    desk.seal("sign", "--typed", VILLAGE)
    desk.seal("exercise", "--area", "3302", out="b.sealed")
    code, _, heard = desk.run(
        "warn", "beacon", "county.pem", "--issuer", "1", "--number", "7",
        "--active", "a.sealed", "--active", "b.sealed", "-o", "beacon",
    )  # fmt: skip
    assert code == 0, heard
    found = beacon.verify(desk.data("beacon"), desk.ring(), ClockReading(0, 0, trusted=False))
    assert isinstance(found, VerifiedBeacon)
    assert {code for _, code in found.beacon.active} == {int(VILLAGE), 3302}
    assert found.beacon.keyset == 7
    assert isinstance(desk.found("beacon"), Refusal)


def test_a_beacon_takes_its_number_from_the_key_set(desk):
    from protocols.keyring import seal_keyset

    roots = load_keys([desk.folder / f"{name}.pem" for name in ("county", "bureau")])
    ring = Keyring(9, 0, (Holder("x", (1,)),), (Key("x", bytes(32), Permission.DISPLAY, (0,), Level.RED, 0, 9),))
    (desk.folder / "keyset").write_bytes(seal_keyset(ring, roots))
    assert desk.run("warn", "beacon", "county.pem", "--issuer", "1", "--keyset", "keyset", "-o", "b")[0] == 0
    assert beacon.open_beacon(desk.data("b"))[0].keyset == 9
    code, _, heard = desk.run("warn", "beacon", "county.pem", "--issuer", "1", "--keyset", "county.pem", "-o", "b")
    assert code == 2
    assert "beacon cannot be sealed" in heard


@pytest.mark.parametrize("step", ["countersign", "cancel", "allclear"])
def test_what_is_no_seal_is_refused(desk, step):
    (desk.folder / "x").write_bytes(b"no seal")
    code, _, heard = desk.run("warn", step, "x", "--key", "county.pem", "-o", "y")
    assert code == 2
    assert "unsigned" in heard
    assert not (desk.folder / "y").exists()
