"""Which times of a receiver are believed. The rest of the traps of real logs is here, too, each with its sentence."""

from datetime import UTC, datetime, timedelta

import pytest

from protocols.nmea import NmeaStream, Sentence, seal
from protocols.nmea_decode import decode
from protocols.nmea_time import TIMED, ReceiverTime, unix_ms

YEAR = 2026
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def rmc(at, status="A", mode="A"):
    return seal(f"GNRMC,{at:%H%M%S}.00,{status},2900.0,N,10300.0,E,0.0,0.0,{at:%d%m%y},,,{mode}")


def zda(at):
    return seal(f"GNZDA,{at:%H%M%S}.00,{at:%d,%m,%Y},00,00")


def gga(quality, at=NOON):
    return seal(f"GNGGA,{at:%H%M%S}.00,2900.0,N,10300.0,E,{quality},12,0.8,500.0,M,-30.0,M,,")


class Receiver:
    def __init__(self, year=YEAR):
        self.clock, self.at, self.year, self._stream = ReceiverTime(), 0, year, NmeaStream()

    def say(self, *lines, after=0):
        self.at += after
        for sentence in self._stream.receive(b"".join(lines)):
            if isinstance(sentence, Sentence) and sentence.kind in TIMED:
                self.clock.take(sentence.kind, decode(sentence, self.year), self.at)
        return self.clock.newest


def ms(at):
    return round(at.timestamp() * 1000)


def test_a_date_with_a_fix_is_believed():
    assert Receiver().say(rmc(NOON)).unix_ms == ms(NOON)
    assert Receiver().say(gga(1), zda(NOON)).unix_ms == ms(NOON)
    assert Receiver().say(rmc(NOON), zda(NOON)).at == 0


@pytest.mark.parametrize(
    "lines", [[rmc(NOON, status="V")], [zda(NOON)], [gga(0), zda(NOON)], [rmc(NOON, status="V"), zda(NOON)]]
)
def test_without_a_fix_no_time(lines):
    assert Receiver().say(*lines) is None


@pytest.mark.parametrize("mode", "ENMS")
def test_who_estimates_or_simulates_knows_no_time(mode):
    assert Receiver().say(rmc(NOON, mode=mode)) is None


@pytest.mark.parametrize("quality", [6, 7, 8])
def test_nor_by_the_quality_of_its_fix(quality):
    assert Receiver().say(gga(quality), zda(NOON)) is None


def test_a_fix_that_is_old_says_nothing_of_the_time():
    receiver = Receiver()
    receiver.say(gga(4))
    assert receiver.say(zda(NOON), after=9_000) is not None
    receiver = Receiver()
    receiver.say(gga(4))
    assert receiver.say(zda(NOON), after=11_000) is None


def test_a_fix_that_is_lost_takes_the_time_along():
    receiver = Receiver()
    assert receiver.say(rmc(NOON)) is not None
    assert receiver.say(gga(0), after=1000) is None


@pytest.mark.parametrize(
    "line",
    [b"$GPZDA,,,,,00,00*48\r\n", b"$GPZDA,,00,01,1900,00,00*41\r\n", b"$GPZDA,000427.00,22,08,1999,,*67\r\n"],
    ids=["empty", "1900", "rolled over"],
)
def test_placeholders_of_real_receivers_are_no_dates(line):
    assert Receiver().say(gga(1), line) is None


@pytest.mark.parametrize("weeks", [1024, 2048])
@pytest.mark.parametrize("say", [rmc, zda])
def test_a_receiver_1024_weeks_in_the_past_tells_no_time(weeks, say):
    assert Receiver().say(gga(1), say(NOON - timedelta(weeks=weeks))) is None


def test_a_year_before_the_build_or_beyond_its_life_is_none():
    for year, believed in ((2025, False), (2026, True), (2046, True), (2047, False)):
        assert (Receiver().say(gga(1), zda(NOON.replace(year=year))) is not None) == believed


def test_two_sentences_that_mean_different_dates_mean_none():
    receiver = Receiver()
    assert receiver.say(rmc(NOON), zda(NOON + timedelta(days=1))) is None
    assert receiver.say(rmc(NOON + timedelta(seconds=20)), zda(NOON + timedelta(seconds=20)), after=20_000) is not None


def test_a_leap_second_waits_for_the_next():
    assert Receiver().say(gga(1), seal("GNZDA,235960.00,31,12,2026,00,00")) is None


def test_fractions_of_seconds():
    assert unix_ms("2026-08-05T05:52:34.2Z") - unix_ms("2026-08-05T05:52:34Z") == 200


def said(body):
    (sentence,) = NmeaStream().receive(seal(body))
    return decode(sentence, YEAR)


def test_pressures_that_disagree_are_seen_and_bar_is_believed():
    odd = said("WIMDA,3.02,I,1.01,B,23.4,C,,,40.2,,12.1,C,19.3,T,20.1,M,13.1,N,1.1,M")
    assert (odd["pressure_hpa"], odd["pressures_agree"]) == (1010.0, False)
    fine = said("WIMDA,29.796,I,1.009,B,31.7,C,,,,,,,82.3,T,72.3,M,7.4,N,3.8,M")
    assert (fine["pressure_hpa"], fine["pressures_agree"]) == (1009.0, True)
    assert said("WIMDA,29.796,I,,B,,C")["pressure_hpa"] == pytest.approx(1009.0, abs=0.1)


@pytest.mark.parametrize(
    ("quad", "hpa"),
    [
        ("P,1.01408,B,Barometer", 1014.08),
        ("P,101408,P,Barometer", 1014.08),
        ("P,101408,P,PRESS", 1014.08),
        ("P,57.3,P,TANK1", None),  # per cent of full scale
        ("P,,B,BARO", None),
        ("C,20.5,C,AIRTEMP", None),
    ],
)
def test_a_transducers_pascal_or_per_cent(quad, hpa):
    assert said(f"WIXDR,{quad}")["transducers"][0].get("hpa") == hpa


def test_humidity_is_type_h_in_per_cent_and_an_empty_value_is_missing():
    rows = said("WIXDR,H,45.5,P,RH,C,,C,TempAir")["transducers"]
    assert [(row["type"], row["value"], row["unit"]) for row in rows] == [("H", 45.5, "P"), ("C", None, "C")]


def test_lambrechts_own_sentences_and_its_error_value():
    assert said("WIMTA,23.1,C")["air_cel"] == 23.1
    assert said("WIMTA,999.9,C")["air_cel"] == 999.9  # the profile takes it for missing
    assert said("WIMHU,45.2,,12.1,C") == {"humidity_rh": 45.2, "humidity_absolute": None, "dew_point_cel": 12.1}
    assert said("WIMMB,29.79,I,1.009,B")["pressure_hpa"] == 1009.0


def test_statute_miles_knots_kilometres_and_metres():
    speeds = [said(f"WIMWV,90,T,10.0,{unit},A")["speed_ms"] for unit in "NKMS"]
    assert speeds == [5.144, 2.778, 10.0, 4.47]


def test_old_and_new_vtg():
    assert (
        said("GPVTG,054.7,034.4,005.5,010.2")["speed_ms"] == said("GPVTG,054.7,T,034.4,M,005.5,N,010.2,K,A")["speed_ms"]
    )


def test_the_system_of_satellites_in_use_and_what_is_none():
    head = "A,3,01,11,31,14,22,32,04,25,03,,,,1.56,0.91,1.27"
    assert said(f"GNGSA,{head},4")["system_id"] == 4
    assert said(f"BDGSA,{head}")["system_id"] is None
    assert said(f"BDGSA,{head},1.5")["system_id"] is None  # an old BeiDou module


@pytest.mark.parametrize("talker", ["BD", "GB", "GN", "GP", "GQ"])
def test_talkers_say_the_same(talker):
    body = f"{talker}GGA,133900.00,4134.50180323,N,09345.03586581,W,4,19,0.7,280.827,M,-31.442,M,6.0,0002"
    assert said(body)["fix"] == "rtk-fixed"
    assert said(body)["lat"] == 41.575030054


def test_positions_without_gga():
    assert said("GPGLL,4916.45,N,12311.12,W,225444,A,A")["lat"] == pytest.approx(49.274166667)
    assert said("GPGLL,4916.45,N,12311.12,W,225444,V,N")["lat"] is None
    assert said("GNGNS,122310.0,2900.0,N,10300.0,E,RAN,15,0.9,500.0,-30.0,1.2,0001")["height_m"] == 470.0
    assert said("GNGNS,122310.0,,,,,NNN,00,,,,,")["lat"] is None
