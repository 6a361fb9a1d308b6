from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import units
from protocols.errors import LocalError

# What IANA's registry of secondary units says of those that our table converts between or stands beside: primary unit and
# scale (RFC 8798 §3, and the entries for concentrations added later).
REGISTERED = {
    "hPa": ("Pa", Fraction(100)),
    "mm": ("m", Fraction(1, 1000)),
    "cm": ("m", Fraction(1, 100)),
    "km": ("m", Fraction(1000)),
    "ms": ("s", Fraction(1, 1000)),
    "mV": ("V", Fraction(1, 1000)),
    "mA": ("A", Fraction(1, 1000)),
    "kW": ("W", Fraction(1000)),
    "ug/m3": ("kg/m3", Fraction(1, 10**9)),
    "ug/l": ("kg/m3", Fraction(1, 10**6)),
    "mg/l": ("kg/m3", Fraction(1, 1000)),
    "g/l": ("kg/m3", Fraction(1)),
    "ppm": ("/", Fraction(1, 10**6)),
    "ppb": ("/", Fraction(1, 10**9)),
    "/100": ("/", Fraction(1, 100)),
    "/1000": ("/", Fraction(1, 1000)),
}
# The same of UCUM's, worked out by hand from its prefixes.
UCUM = {
    "kPa": ("Pa", Fraction(1000)),
    "MPa": ("Pa", Fraction(10**6)),
    "bar": ("Pa", Fraction(10**5)),
    "mbar": ("Pa", Fraction(100)),
    "hPa": ("Pa", Fraction(100)),
    "uS/cm": ("S/m", Fraction(1, 10**4)),
    "mS/cm": ("S/m", Fraction(1, 10)),
    "mS/m": ("S/m", Fraction(1, 1000)),
    "g/m3": ("kg/m3", Fraction(1, 1000)),
    "mg/m3": ("kg/m3", Fraction(1, 10**6)),
    "ug/m3": ("kg/m3", Fraction(1, 10**9)),
    "g/L": ("kg/m3", Fraction(1)),
    "mg/L": ("kg/m3", Fraction(1, 1000)),
    "ug/L": ("kg/m3", Fraction(1, 10**6)),
    "g": ("kg", Fraction(1, 1000)),
    "L": ("m3", Fraction(1, 1000)),
    "L/s": ("m3/s", Fraction(1, 1000)),
    "10*4.m3": ("m3", Fraction(10**4)),
    "10*6.m3": ("m3", Fraction(10**6)),
    "mW/m2": ("W/m2", Fraction(1, 1000)),
    "klx": ("lx", Fraction(1000)),
    "kOhm": ("Ohm", Fraction(1000)),
    "kHz": ("Hz", Fraction(1000)),
    "cm/s": ("m/s", Fraction(1, 100)),
    "mm/s": ("m/s", Fraction(1, 1000)),
    "mm/s2": ("m/s2", Fraction(1, 1000)),
    "%": ("/", Fraction(1, 100)),
    "[ppth]": ("/", Fraction(1, 1000)),
    "[ppm]": ("/", Fraction(1, 10**6)),
    "[ppb]": ("/", Fraction(1, 10**9)),
}


@pytest.mark.parametrize("unit", units.TABLE, ids=lambda unit: unit.code)
def test_outside_name_is_registered_or_the_code_itself(unit):
    registered = unit.senml in units.PRIMARY | units.SECONDARY
    assert registered or (unit.senml == unit.code and unit.shift == 0)
    assert unit.shift == 0 or unit.senml in units.PRIMARY, "a conversion leads to a primary unit"


@pytest.mark.parametrize(
    "unit", [unit for unit in units.TABLE if unit.code in UCUM or unit.shift], ids=lambda u: u.code
)
def test_conversion_agrees_with_both_registries(unit):
    primary, scale = UCUM[unit.code]
    outside, theirs = REGISTERED.get(unit.senml, (unit.senml, Fraction(1)))
    assert outside == primary
    assert Fraction(10) ** unit.shift * theirs == scale


def test_one_row_a_code_and_words_in_both_languages():
    assert len(units.BY_CODE) == len(units.TABLE)
    assert all((unit.en and unit.zh) or unit.code == "1" for unit in units.TABLE)
    assert not any(" " in unit.code or not unit.code.isascii() for unit in units.TABLE)


def test_a_stranger_is_refused():
    assert not units.known("furlong")
    with pytest.raises(LocalError, match=r"unit\.unknown"):
        units.find("furlong")


def test_a_percentage_is_never_named_as_a_ratio():
    """SenML's `%` is 0 to 1 (RFC 8428 §12.1, note 1): 63 % written so would be sixty-three times everything."""
    assert "%" not in {unit.senml for unit in units.TABLE}
    assert units.to_senml(63.0, "%") == (63.0, "/100")
    assert units.to_senml(63.0, "%{RH}") == (63.0, "%RH")


@pytest.mark.parametrize(
    ("value", "code", "shown", "name"),
    [
        (23.1, "Cel", 23.1, "Cel"),
        (1013.25, "hPa", 1013.25, "hPa"),
        (23.1, "kPa", 23100.0, "Pa"),
        (650.3, "uS/cm", 0.06503, "S/m"),
        (-0.1, "mW/m2", -0.0001, "W/m2"),
        (1e-7, "kPa", 0.0001, "Pa"),
        (7.2, "[pH]", 7.2, "pH"),
        (12.5, "[kn_i]", 12.5, "[kn_i]"),
        (1.5, "later version's unit", 1.5, "later version's unit"),
    ],
)
def test_values_outside(value, code, shown, name):
    assert units.to_senml(value, code) == (shown, name)


@given(st.integers(-(10**14), 10**14), st.integers(0, 6), st.integers(-6, 6))
def test_moving_the_point_adds_no_noise(digits, decimals, power):
    value = digits / 10**decimals
    moved = units.shifted(value, power)
    assert Fraction(moved) == Fraction(float(Fraction(repr(value)) * Fraction(10) ** power))


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-6, 6))
def test_a_moved_value_is_always_a_number(value, power):
    assert abs(units.shifted(value, power)) < float("inf")
