"""What instruments with a line or frame protocol of their own print, and what it means.

PRINTED are lines that a maker or a user prints; MADE are made here from the rule of the source, checksum and all.
"""

import pytest

from drivers.sensors.line import LineLanguage
from drivers.sensors.line_profile import open_line
from protocols.framing import Flaw
from protocols.line_frame import seal

PRINTED = [
    (
        "vaisala-pwd22",
        b"\x01PW  1\x0200  1839  1505  C 61 61 61   0.33  12.16    0\x03\r\n",
        {
            "visibility.mor": 1839,
            "visibility.mor.10min": 1505,
            "weather.wawa": 61,
            "rain.intensity": 0.33,
            "rain.total": 12.16,
            "snow.total": 0,
            "visibility.alarm": 0,
            "device.status": 0,
        },
    ),
    (
        "vaisala-fd12p",
        b"\x01FD  1\x0200  6839 52   0.3\x03\r\n",
        {
            "visibility.mor": 6839,
            "weather.code": 52,
            "rain.intensity": 0.3,
            "visibility.alarm": 0,
            "device.status": 0,
        },
    ),
    ("boltek-efm-100", b"$+00.65,0*CE\r\n", {"air.electric_field": 0.65, "device.fault": 0}),
    ("boltek-efm-100", b"$+00.33,0*C9\r\n", {"air.electric_field": 0.33, "device.fault": 0}),
    (
        "boltek-ld-250",
        b"$WIMST,0,0,0,0,000.0*42\r\n",
        {"lightning.rate": 0, "lightning.rate.close": 0, "lightning.alarm.close": 0, "lightning.alarm.severe": 0},
    ),
    ("boltek-ld-250", b"$WIMLI,10,11,000.0*42\r\n", {"lightning.distance": 16.09344, "lightning.bearing": 0}),
    ("boltek-ld-250", b"$WIMLN*CE\r\n", {}),
    (
        "valeport-740",
        b"ID:01 TIME:20/11/2009 09:29:00 P(dBar)= 3.487\tD(m)= 3.152\r\n",
        {"tide.level": 3.152, "water.pressure": 34.87},
    ),
    ("valeport-740", b"P(dBar)= 003.487 D(ft)= 010.341\r\n", {"water.pressure": 34.87}),
    ("radac-waveguide", b"time=1306937130000;sensor=standpijp;H=-5.180469cm;\n", {"tide.level": -0.05180469}),
    ("radac-waveguide", b"time=1306937346768;sensor=standpijp;Czz10=NaNcm2/Hz;\n", {}),
    (
        "omega-hx85ba",
        b"%RH=38.86,AT\xf8C=24.32,Pmb=911.40\n\r",
        {"air.temperature": 24.32, "air.humidity": 38.86, "air.pressure": 911.4},
    ),
    (
        "jewell-tuff-tilt",
        b"$-00.920,-00.210,030.045,N1212\r\n",
        {"tilt.x": -0.92, "tilt.y": -0.21, "device.temperature": 30.045},
    ),
    ("bei-inclinometer-rs232", b"X=+00.430\r\n", {"tilt.x": 0.43}),
    ("bei-inclinometer-rs232", b"Y=-00.084\r\n", {"tilt.y": -0.084}),
    (
        "vaisala-md30",
        bytes.fromhex(
            "ab0100200e36004300d708000000008fc2bf41295c4542fb524b41fb524b4108d70242010185eb513f" + "00" * 20 + "53e8"
        ),
        {
            "air.temperature": 23.97,
            "air.humidity": 49.34,
            "air.dew_point": 12.707759,
            "road.temperature": 32.70999,
            "road.state": 1,
            "road.state.en15518": 1,
            "road.grip": 0.82,
            "road.water": 0,
            "road.ice": 0,
            "road.snow": 0,
        },
    ),
    (
        "cjt188-water-meter",
        bytes.fromhex("6810443322110033788116 1F9000 007766552C 007766552C 31012211051520 2184 1316"),
        {"water.total": 556677},
    ),
]

VICTRON = b"\r\nPID\t0xA053\r\nV\t12870\r\nI\t-150\r\nVPV\t33350\r\nPPV\t43\r\nCS\t3\r\nERR\t0\r\nIL\t500\r\nH19\t10256\r\nH20\t12"
BATTERY = b"\r\nPID\t0x204\r\nV\t26201\r\nI\t-1500\r\nP\t-39\r\nCE\t-13500\r\nSOC\t876\r\nTTG\t-1\r\nAlarm\tOFF"
CHECKED = b"\r\nChecksum\t"
TELEGRAM = b";".join((
    b"00", b"0815", b"2.60", b"22.11.26", b"21:45:00", b"61", b"61", b"-RA", b"  1.234", b"61", b"62", b"-RA", b"  2.345", b"  2.340", b"  0.005", b" 123.45",
    b"08250", b"23.4", b"098", b"1.5", b"0",
))  # fmt: skip

MADE = [
    (
        "hydreon-rg-15",
        b"Acc 0.01 mm, EventAcc 2.35 mm, TotalAcc 123.45 mm, RInt 6.20 mmph\r",
        {"rain.total": 123.45, "rain.event": 2.35, "rain.intensity": 6.2},
    ),
    (
        "ott-parsivel2",
        b"304055;0012.345;0123.45;61;21.300;08250;012.345;023;12345;00321;0;",
        {
            "rain.intensity": 12.345,
            "rain.total": 123.45,
            "weather.wawa": 61,
            "visibility.precipitation": 8250,
            "device.temperature": 23,
            "rain.particles": 321,
            "device.status": 0,
        },
    ),
    (
        "thies-laser-precipitation",
        b"\x02" + TELEGRAM + b";A5;",
        {
            "precipitation.intensity": 2.345,
            "rain.intensity": 2.34,
            "snow.intensity": 0.005,
            "precipitation.total": 123.45,
            "weather.wawa": 62,
            "visibility.precipitation": 8250,
            "device.quality": 98,
            "hail.diameter": 1.5,
        },
    ),
    (
        "boltek-ld-350",
        b"$WIMSU,3,12,1,0,1,0,*00",
        {"lightning.rate": 12, "lightning.rate.close": 3, "lightning.alarm.close": 1, "lightning.alarm.severe": 0},
    ),
    ("boltek-efm-100", b"$-12.50,1*", {"air.electric_field": -12.5, "device.fault": 1}),
    ("dfrobot-a02yyuw", bytes.fromhex("FF07A1"), {"distance": 1953}),
    ("dfrobot-a01nyub", bytes.fromhex("FF1770"), {"distance": 6000}),
    ("jsn-sr04t", bytes.fromhex("FF0400"), {"distance": 1024}),
    ("fts-sdi-radar-300wl", b"$RDAVG,1480*", {"river.velocity": 1.48}),
    (
        "fts-sdi-radar-300wl",
        b"$RDTGT,-1,1530,512*",
        {"river.velocity.instant": 1.53, "river.direction": -1, "radar.signal": 512},
    ),
    ("young-85000", b"0 012.3 271 00*", {"wind.speed": 12.3, "wind.direction": 271}),
    ("young-85000", b"0 012.3 271 04*", {}),
    (
        "young-32400-05108",
        b"0100 1800 2500 2000 3600 0000",
        {
            "wind.speed": 8.34,
            "wind.direction": 180,
            "air.temperature": 12.5,
            "air.humidity": 50,
            "air.pressure": 1040,
        },
    ),
    (
        "thies-first-class-advanced-x",
        b"\x0200;05.6;05.5;0123.4;12.3;01.2;04.5;00.7;*3F",
        {"wind.speed": 5.6, "wind.gust": 12.3, "wind.lull": 1.2, "wind.speed.mean": 4.5, "wind.speed.sigma": 0.7},
    ),
    (
        "truebner-smt100",
        b"14321,17.35,31.20,18.55,11.98",
        {"soil.permittivity": 17.35, "soil.moisture": 31.2, "soil.temperature": 18.55, "device.voltage": 11.98},
    ),
    ("cubic-pm1006", bytes.fromhex("16110B0000002A") + bytes(12), {"air.pm2_5": 42}),
    ("winsen-mh-z19", bytes.fromhex("FF8602603F000000"), {"gas.co2": 608, "device.temperature": 23}),
    ("winsen-ze07-co", bytes.fromhex("FF04030100251388"), {"gas.co": 3.7}),
    ("telaire-t6615", bytes.fromhex("FFFA020190"), {"gas.co2": 400}),
    (
        "victron-ve-direct-mppt",
        VICTRON + CHECKED,
        {
            "battery.voltage": 12.87,
            "battery.charging.current": -0.15,
            "solar.voltage": 33.35,
            "solar.power": 43,
            "load.current": 0.5,
            "solar.energy": 102.56,
            "solar.energy.today": 0.12,
            "device.state": 3,
            "device.error": 0,
        },
    ),
    (
        "victron-ve-direct-bmv",
        BATTERY + CHECKED,
        {"battery.voltage": 26.201, "battery.current": -1.5, "battery.charge": 87.6, "battery.consumed": -13.5},
    ),
    (
        "daly-bms",
        bytes.fromhex("A5019008 0212 0000 7594 0315"),
        {"battery.voltage": 53, "battery.current": 10, "battery.charge": 78.9},
    ),
]


def language_of(name):
    profile, problems = open_line(name)
    assert problems == []
    return profile, LineLanguage(profile)


def understood(language, stream):
    """All that the frames in a stream say, each as an answer to whichever question it answers."""
    asked = language.questions[0] if language.questions else None
    (frame,) = language.splitter().feed(stream)
    assert not isinstance(frame, Flaw), frame
    return dict(language.read(frame, asked)[0])


@pytest.mark.parametrize(("name", "line", "means"), PRINTED)
def test_a_printed_line_means_what_its_printer_says(name, line, means):
    _, language = language_of(name)
    assert understood(language, line) == means


@pytest.mark.parametrize(("name", "body", "means"), MADE)
def test_a_frame_means_what_its_source_says(name, body, means):
    profile, language = language_of(name)
    assert understood(language, seal(profile.frame.made(), body)) == means


@pytest.mark.parametrize(
    ("name", "frame", "means"),
    [("nova-sds011", "AAC0D4043A0AA0601CAB", {"air.pm2_5": 123.6, "air.pm10": 261.8})],
)
def test_a_frame_with_a_tail(name, frame, means):
    """What lies before and behind the sum is not in it: D4 + 04 + 3A + 0A + A0 + 60 is 21C."""
    _, language = language_of(name)
    assert understood(language, bytes.fromhex(frame)) == means


CELLS = [
    (1, "A5019108 0DAC 05 0CE4 02 0000", {"battery.cell.highest": 3.5, "battery.cell.lowest": 3.3}),
    (2, "A5019208 3D 01 22 02 00000000", {"battery.temperature.highest": 21, "battery.temperature.lowest": -6}),
]


@pytest.mark.parametrize(("question", "body", "means"), CELLS)
def test_each_question_to_a_battery_has_its_answer(question, body, means):
    profile, language = language_of("daly-bms")
    (frame,) = language.splitter().feed(seal(profile.frame.made(), bytes.fromhex(body)))
    assert dict(language.read(frame, language.questions[question])[0]) == means


def test_the_questions_are_those_of_the_source():
    """Their own checksums hold by the rule by which the answers' do."""
    for name in ("daly-bms", "cubic-pm1006", "winsen-mh-z19", "cjt188-water-meter", "vaisala-md30"):
        profile, language = language_of(name)
        checksum = profile.frame.made().checksum
        assert all(checksum.holds(one.data) for one in language.questions), name


@pytest.mark.parametrize("name", ["victron-ve-direct-mppt", "boltek-efm-100", "nova-sds011", "young-85000"])
def test_a_spoilt_frame_is_no_frame(name):
    profile, language = language_of(name)
    body = next((body for known, body, _ in MADE if known == name), bytes.fromhex("AAC0D4043A0AA060"))
    whole = seal(profile.frame.made(), body) if name != "nova-sds011" else body + bytes.fromhex("1CAB")
    spoilt = whole[:5] + bytes([whole[5] ^ 1]) + whole[6:]
    assert all(isinstance(one, Flaw) for one in language.splitter().feed(spoilt))


def test_a_block_begun_in_its_middle_costs_that_block_only():
    profile, language = language_of("victron-ve-direct-mppt")
    block = seal(profile.frame.made(), VICTRON + CHECKED)
    torn, good = language.splitter().feed(block[30:] + block)
    assert isinstance(torn, Flaw)
    assert language.read(good, None)[0]["solar.power"] == 43
