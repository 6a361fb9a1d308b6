import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import cellular
from protocols.at_lines import Final, final
from protocols.cellular import CMS, Registration, Sim
from protocols.network_time import NetworkTime, reported, spelled, stamp

AT = 1793579415  # 2026-11-02T00:30:15Z


@pytest.mark.parametrize(
    ("line", "name", "stat"),
    [
        ("+CREG: 0,1", "CREG", Registration.HOME),
        ("+CREG: 1", "CREG", Registration.HOME),
        ("+CREG: 5", "CREG", Registration.ROAMING),
        ('+CREG: 1,"1A2B","01C2D3E4",7', "CREG", Registration.HOME),
        ('+CEREG: 2,1,"1A2B","01C2D3E4",7', "CEREG", Registration.HOME),
        ('+CEREG: 2,"1A2B","01C2D3E4",7', "CEREG", Registration.SEARCHING),
        ("+CGREG: 1,3", "CGREG", Registration.DENIED),
        ("+CREG:0,6", "CREG", Registration.HOME),
        ("+CREG: 0,8", "CREG", Registration.IDLE),
        ("+C5GREG: 0,1", "C5GREG", Registration.HOME),
    ],
)
def test_registration_asked_and_unasked(line, name, stat):
    assert cellular.registration(line) == (name, stat)
    assert stat.registered == (stat in (Registration.HOME, Registration.ROAMING))


@pytest.mark.parametrize("line", ["+CREG:", "+CREG: x", "+CREG: 77", "+CSQ: 1,2", "+CREG", ""])
def test_no_registration(line):
    assert cellular.registration(line) is None


@pytest.mark.parametrize(
    ("value", "percent", "dbm"),
    [
        ("0,0", 0, -113),
        ("31,99", 100, -51),
        ("29,99", 94, -55),
        (" 20,99", 65, -73),
        ("99,99", None, None),
        ("150,99", 50, None),
    ]
    + [(value, None, None) for value in ("199,99", "", "x", "-1,0", "1000,0", "²,0")],
)
def test_signal(value, percent, dbm):
    assert cellular.signal(value) == percent
    assert cellular.decibels(value) == dbm


@pytest.mark.parametrize(
    ("said", "ended", "sim"),
    [
        ("READY", "OK", Sim.READY),
        ("SIM PIN", "OK", Sim.PIN),
        ("SIM PUK", "OK", Sim.PUK),
        ("SIM PIN2", "OK", Sim.BROKEN),
        ("NOT INSERTED", "OK", Sim.ABSENT),
        (None, "+CME ERROR: 10", Sim.ABSENT),
        (None, "+CME ERROR: SIM not inserted", Sim.ABSENT),
        (None, "+CME ERROR: 14", Sim.BUSY),
        (None, "+CME ERROR: 13", Sim.BROKEN),
        (None, "ERROR", Sim.BUSY),
    ],
)
def test_sim(said, ended, sim):
    assert cellular.sim(said, final(ended)) is sim


@pytest.mark.parametrize(
    ("line", "reason", "wait", "doubt"),
    [
        ("+CMS ERROR: 304", "bad_pdu", None, False),
        ("+CMS ERROR: 331", "no_network", 30.0, False),
        ("+CMS ERROR: 332", "network_timeout", 30.0, True),
        ("+CMS ERROR: 38", "network_out_of_order", 120.0, False),
        ("+CMS ERROR: 50", "not_subscribed", 3600.0, False),
        ("+CMS ERROR: 777", "cms_777", 30.0, False),
        ("+CMS ERROR: SIM not inserted", "sim_absent", 120.0, False),
        ("+CMS ERROR: something new", "unknown", 30.0, False),
        ("+CME ERROR: 30", "no_network", 30.0, False),
        ("ERROR", "error", 30.0, False),
    ],
)
def test_what_a_refusal_asks_for(line, reason, wait, doubt):
    assert cellular.sending(final(line)) == (reason, wait, doubt)


def test_every_cause_says_something_a_machine_can_use():
    assert all(one.reason.islower() and " " not in one.reason for one in CMS.values())
    assert all(one.wait is None or one.wait > 0 for one in CMS.values())


@given(st.text(max_size=40))
def test_any_value_has_a_meaning_or_none(text):
    cellular.signal(text)
    cellular.registration(f"+CREG: {text}")
    cellular.sim(text, Final("OK"))
    cellular.sending(Final("+CMS ERROR", text))
    assert stamp(text, utc=True) is None or isinstance(stamp(text, utc=True), NetworkTime)
    reported(text)
    spelled(text)


# Time and its zones


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ('+CCLK: "26/11/02,08:30:15+32"', False),
        ('+QLTS: "2026/11/02,00:30:15+32,0"', True),
        ('+QLTS: "2026/11/02,08:30:15+32,0"', False),
        ('+CCLK: "26/11/01,20:30:15-16"', False),
        ('+CCLK: "26/11/02,06:15:15+23"', False),
    ],
)
def test_one_moment_in_many_spellings(text, utc):
    assert stamp(text, utc=utc).unix == AT


def test_what_comes_unasked():
    assert reported(' "+32",0,"2026/11/02,08:30:15"') == (AT, 480)
    assert reported('"-16",1,"2026/11/01,20:30:15"') == (AT, -240)
    assert spelled(' 2026, 11, 2, 0, 30, 15, "+32", 0') == (AT, 480)


@pytest.mark.parametrize(
    "text",
    [
        '"26/11/02,08:30:15"',  # local, and no zone
        '"26/13/02,08:30:15+32"',
        '"26/02/30,08:30:15+32"',
        '"26/11/02,24:30:15+32"',
        '"26/11/02,08:30:15+99"',
        '""',
        "",
    ],
)
def test_what_is_no_time(text):
    assert stamp(text, utc=False) is None


def test_an_unset_clock_is_of_the_past():
    for text in ("80/01/06,00:00:12+00", "70/01/01,00:00:00+00", "04/01/01,00:00:00+32"):
        assert stamp(text, utc=False).unix < 1_100_000_000
