"""Every form that the standards allow, generated: what sensors say there and back, not only what samples show."""

from hypothesis import given
from hypothesis import strategies as st

from protocols import sdi12, vaisala
from protocols.nmea import NmeaStream, seal
from protocols.nmea_decode import decode
from protocols.sdi12_command import Command
from protocols.sdi12_command import parse as command
from protocols.vaisala import FIELDS, Field, Message

ADDRESS = st.sampled_from("0123456789abcxyzABCXYZ")
DIGIT = st.one_of(st.just(""), st.sampled_from("123456789"))

# SDI-12 v1.3 table 5; v1.4 §5 and §6


@st.composite
def measurements(draw):
    """(text, verb, index, crc): M, MC, M1 … M9, MC1 … MC9, the same of C; R0 … R9, RC0 … RC9; V; HA and HB."""
    verb = draw(st.sampled_from(["M", "C", "R", "V", "HA", "HB"]))
    if verb in ("V", "HA", "HB"):
        return verb, verb, 0, False
    crc = draw(st.booleans())
    index = draw(st.sampled_from("0123456789")) if verb == "R" else draw(DIGIT)
    return f"{verb}{'C' * crc}{index}", verb, int(index or 0), crc


@given(ADDRESS, measurements(), st.sampled_from(["", "I"]), st.one_of(st.none(), st.integers(1, 999)))
def test_every_measurement_and_its_metadata(address, measurement, identify, parameter):
    text, verb, index, crc = measurement
    asked = f"_{parameter:03d}" if identify and parameter else ""
    found = command(f"{address}{identify}{text}{asked}!")
    assert (found.address, found.verb, found.index, found.crc) == (address, verb, index, crc)
    assert found.identify is bool(identify)
    assert found.parameter == (parameter if asked else None)
    assert command(found.text) == found


@given(ADDRESS, measurements(), st.integers(0, 999), st.integers(0, 999))
def test_every_answer_to_a_measurement(address, measurement, seconds, count):
    text, verb, _, _ = measurement
    if verb == "R":
        return
    digits = {"M": 1, "V": 1, "C": 2}.get(verb, 3)
    count %= 10**digits
    reply = sdi12.parse(command(f"{address}{text}!"), f"{address}{seconds:03d}{count:0{digits}d}".encode())
    assert reply == sdi12.Scheduled(address, seconds, count)
    metadata = sdi12.parse(command(f"{address}I{text}!"), f"{address}{seconds:03d}{count:0{digits}d}".encode())
    assert metadata == reply


@given(ADDRESS, measurements(), st.lists(st.from_regex(r"[ -+\--:<-~]{0,12}", fullmatch=True), min_size=1, max_size=4))
def test_every_description_of_a_value(address, measurement, fields):
    text, _, _, crc = measurement
    line = f"{address},{','.join(fields)};".encode()
    asked = command(f"{address}I{text}_001!")
    assert sdi12.parse(asked, sdi12.seal(line) if crc else line) == sdi12.Parameter(address, tuple(fields))


TEXT = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789.-", min_size=0)


@given(ADDRESS, st.sampled_from(["10", "11", "12", "13", "14"]), TEXT, TEXT, TEXT, TEXT)
def test_every_identity(address, version, vendor, model, firmware, serial):
    vendor, model, firmware, serial = vendor[:8], model[:6], firmware[:3], serial[:13]
    line = f"{address}{version}{vendor:8}{model:6}{firmware:3}{serial}".encode()
    found = sdi12.parse(Command(address, "I"), line)
    assert found == sdi12.Identity(address, version, *(one.strip() for one in (vendor, model, firmware, serial)))


KINDS = {1: (-128, 127), 2: (0, 255), 3: (-(2**15), 2**15 - 1), 4: (0, 2**16 - 1), 5: (-(2**31), 2**31 - 1)}
KINDS |= {6: (0, 2**32 - 1), 7: (-(2**63), 2**63 - 1), 8: (0, 2**64 - 1)}


@given(ADDRESS, st.sampled_from(sorted(KINDS)), st.data())
def test_every_type_of_a_binary_packet(address, kind, data):
    values = data.draw(st.lists(st.integers(*KINDS[kind]), max_size=12))
    assert sdi12.packet(sdi12.pack(address, kind, values)) == sdi12.Values(address, tuple(values))


# Vaisala: each field in each of its units, or without a value


@st.composite
def fields(draw):
    name = draw(st.sampled_from(sorted(FIELDS)))
    letters = FIELDS[name][1]
    unit = draw(st.sampled_from([*sorted(letters), "#"]))
    said = draw(st.integers(-9999, 99999)) / draw(st.sampled_from([1, 10, 100, 1000]))
    return Field(name, None if unit == "#" else said, unit), said


@given(ADDRESS, st.sampled_from(["R", "R0", "R1", "R2", "R3", "R5"]), st.lists(fields(), max_size=20), st.booleans())
def test_every_field_of_a_weather_transmitter(address, kind, said, checked):
    body = "".join(f",{one.name}={number}{one.unit}" for one, number in said)
    line = f"{address}{kind.lower() if checked else kind}{body}".encode()
    message = vaisala.parse(line + vaisala.checksum(line) if checked else line)
    assert message == Message(address, kind, tuple(one for one, _ in said), checked)
    for one in message.fields:
        if one.value is not None:
            vaisala.value(one)


# NMEA: any talker, any field left out

NUMBER = st.one_of(st.none(), st.integers(-9999, 99999).map(lambda n: n / 100))
TALKER = st.sampled_from(["WI", "II", "GP", "GN", "GL", "GA", "GB", "BD", "GQ", "GI", "HC", "YX", "SD", "VW"])


def heard(talker, kind, *texts):
    (sentence,) = NmeaStream().receive(seal(f"{talker}{kind},{','.join(texts)}"))
    return decode(sentence, 2026)


def text(value):
    return "" if value is None else f"{value:.2f}"


@given(TALKER, NUMBER, st.sampled_from("RT"), NUMBER, st.sampled_from("KMNS"), st.sampled_from("AV"))
def test_any_wind(talker, angle, reference, speed, unit, status):
    found = heard(talker, "MWV", text(angle), reference, text(speed), unit, status)
    assert (found["angle_deg"], found["reference"], found["valid"]) == (angle, reference, status == "A")
    assert (found["speed_ms"] is None) is (speed is None)


@given(
    TALKER,
    st.lists(
        st.tuples(
            st.sampled_from("ACDFGHINPRSTUVL"),
            NUMBER,
            st.sampled_from(["", *"ABCDFHKMNPRSVl"]),
            st.from_regex(r"[A-Za-z0-9_#]{0,10}", fullmatch=True),
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_any_transducers(talker, rows):
    found = heard(
        talker, "XDR", *(part for kind, value, unit, name in rows for part in (kind, text(value), unit, name))
    )
    assert [(one["type"], one["value"], one["unit"], one["name"]) for one in found["transducers"]] == rows


@given(
    TALKER,
    st.integers(1, 3),
    st.lists(st.integers(1, 437), max_size=12),
    NUMBER,
    st.one_of(st.none(), st.integers(1, 6)),
)
def test_any_satellites_in_use(talker, fix, satellites, dop, system):
    row = [f"{one:02d}" for one in satellites] + [""] * (12 - len(satellites))
    tail = [] if system is None else [f"{system:X}"]
    found = heard(talker, "GSA", "A", str(fix), *row, text(dop), text(dop), text(dop), *tail)
    assert (found["fix"], found["satellites"], found["system_id"]) == (fix, satellites, system)
    assert found["pdop"] == found["hdop"] == found["vdop"] == dop


@given(TALKER, st.tuples(*[NUMBER] * 7))
def test_any_error_of_a_position(talker, numbers):
    found = heard(talker, "GST", "120000.00", *map(text, numbers))
    names = ("rms_m", "major_m", "minor_m", "orientation_deg", "sigma_lat_m", "sigma_lon_m", "sigma_alt_m")
    assert tuple(found[name] for name in names) == numbers


@given(TALKER, st.datetimes(), st.integers(-13, 13), st.integers(0, 59))
def test_any_date(talker, moment, hours, minutes):
    found = heard(
        talker,
        "ZDA",
        f"{moment:%H%M%S}.00",
        f"{moment:%d}",
        f"{moment:%m}",
        f"{moment.year:04d}",
        f"{hours:02d}",
        f"{minutes:02d}",
    )
    believed = 2026 <= moment.year <= 2046
    assert found["utc"] == (f"{moment:%Y-%m-%dT%H:%M:%S}Z" if believed else None)
    assert (found["zone_hours"], found["zone_minutes"]) == (hours, minutes)
