import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.address import missing, parse
from drivers.bus import silent_interval


def test_what_an_address_says():
    address, problems = parse("serial:///dev/ttyUSB0?baud=4800&parity=E&bits=7&stop=2")
    assert problems == []
    assert (address.path, address.baud, address.parity, address.bits, address.stop) == ("/dev/ttyUSB0", 4800, "E", 7, 2)
    assert parse("tcp://10.0.0.7")[0].port == 502
    assert parse("rtu+tcp://gateway:4196")[0].host == "gateway"
    assert parse("replay:capture.log?rate=100")[0].rate == 100
    assert parse("sim:weather")[0].path == "weather"


@pytest.mark.parametrize(
    ("url", "codes"),
    [
        ("modbus://x", ["url.scheme"]),
        ("", ["url.scheme"]),
        ("/dev/ttyUSB0", ["url.scheme"]),
        ("serial:///dev/x?baud=fast&parity=X&colour=red", ["url.number", "url.choice", "url.setting"]),
        ("serial:///dev/x?baud=0", ["url.number"]),
        ("serial:", ["url.path"]),
        ("tcp://:502", ["url.host"]),
        ("tcp://host:70000", ["url.host"]),
        ("tcp://[::1", ["url.host"]),
        ("tcp://host?baud=9600", ["url.setting"]),
    ],
)
def test_everything_wrong_is_said_at_once(url, codes):
    address, problems = parse(url)
    assert address is None
    assert [problem.code for problem in problems] == codes


def test_ports_and_captures_that_are_not_there(tmp_path):
    assert [one.code for one in missing(parse("serial:///dev/nowhere")[0])] == ["port.missing"]
    assert [one.code for one in missing(parse("replay:x.log")[0], base=tmp_path)] == ["file.missing"]
    assert list(missing(parse("tcp://localhost")[0])) == []


@pytest.mark.parametrize(
    ("settings", "seconds"), [("baud=9600", 0.00365), ("baud=1200&parity=E", 0.0321), ("baud=115200", 0.00175)]
)
def test_the_silent_interval(settings, seconds):
    assert silent_interval(parse(f"serial:///dev/x?{settings}")[0]) == pytest.approx(seconds, abs=5e-5)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_has_problems(text):
    address, problems = parse(text)
    assert (address is None) == bool(problems)
