import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import forms
from protocols.errors import LocalError, RemoteError

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SINGLES = st.floats(width=32, allow_nan=False, allow_infinity=False)
DECIMALS = st.builds(lambda digits, places: digits / 10**places, st.integers(-(10**12), 10**12), st.integers(0, 6))
COLUMNS = [st.lists(kind, min_size=1, max_size=20) for kind in (FINITE, SINGLES, DECIMALS)]


def exact(values):
    return [struct.pack("<d", value) for value in values]


@given(st.one_of(COLUMNS))
def test_every_value_comes_back_bit_for_bit(values):
    form, numbers = forms.to_integers(values)
    assert all(isinstance(number, int) for number in numbers)
    assert exact(forms.to_values(form, numbers)) == exact(values)


@pytest.mark.parametrize(
    ("values", "form", "numbers"),
    [
        ([23.1], 1, [231]),
        ([23.1, 23.15], 2, [2310, 2315]),
        ([5.0, 7.0], 0, [5, 7]),
        ([-0.5], 1, [-5]),
        ([1e-05], 5, [1]),
        ([1e-05, 2.0], 5, [1, 200_000]),
        ([1e15], 0, [10**15]),
        ([0.0], 0, [0]),
        ([struct.unpack("<f", struct.pack("<f", 23.1))[0]], forms.SINGLE | 1, [231]),
    ],
)
def test_the_smallest_form(values, form, numbers):
    assert forms.to_integers(values) == (form, numbers)


@pytest.mark.parametrize("value", [-0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1e300, 2.0**60])
def test_awkward_values_keep_their_bits(value):
    for values in ([value], [value, 1.5], [1.5, value]):
        form, numbers = forms.to_integers(values)
        assert exact(forms.to_values(form, numbers)) == exact(values)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_a_number_is_refused(value):
    for values in ([value], [1.0, value], [value, 1.0]):
        with pytest.raises(LocalError, match=r"packed\.value"):
            forms.to_integers(values)


@pytest.mark.parametrize(
    ("form", "numbers"),
    [
        (forms.PATTERN64, [2**63]),
        (forms.PATTERN64, [0x7FF0000000000000]),
        (forms.PATTERN64, [0x7FF8000000000001]),
        (forms.PATTERN32, [2**31]),
        (forms.PATTERN32, [0x7F800000]),
        (forms.SINGLE, [10**60]),
        (0x42, [1]),
        (0xFF, [1]),
    ],
)
def test_hostile_forms_are_refused(form, numbers):
    with pytest.raises(RemoteError, match=r"packed\.value"):
        forms.to_values(form, numbers)
