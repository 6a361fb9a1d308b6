"""One reply of each device, as its registers are told by its source: word order, scale, sign and bits.

Frames are made here from the map's own arithmetic, except those under PRINTED, which the makers print.
"""

import struct

import pytest

from drivers.sensors.line import LineLanguage
from drivers.sensors.line_profile import open_line
from drivers.sensors.modbus_profile import open_modbus
from drivers.sensors.nmea_profile import open_nmea
from drivers.sensors.sdi12 import _value
from drivers.sensors.sdi12_profile import open_sdi12
from protocols.line_frame import seal as line_seal
from protocols.modbus_pdu import decode_reply
from protocols.modbus_plan import Planner
from protocols.modbus_rtu import seal, unseal
from protocols.nmea import NmeaStream
from protocols.nmea import seal as nmea_seal
from protocols.nmea_decode import decode
from protocols.sdi12 import numbers


def high_first(value):
    return struct.unpack(">HH", struct.pack(">f", value))


def low_first(value):
    return high_first(value)[::-1]


def long_low_first(value):
    return value & 0xFFFF, value >> 16


def opened(name):
    profile, problems = open_modbus(name)
    assert problems == []
    return profile


def read(name, words):
    """What a device that holds these words, and zeros elsewhere, is understood to say; through a sealed frame."""
    profile = opened(name)
    (block,) = Planner([one.register() for one in profile.series], profile.planned()).blocks()
    held = [0] * block.count
    for address, more in words.items():
        held[address - block.address : address - block.address + len(more)] = more
    data = b"".join(word.to_bytes(2, "big") for word in held)
    frame = seal(profile.defaults.unit, bytes([block.function, len(data)]) + data)
    unit, pdu = unseal(frame)
    assert unit == profile.defaults.unit
    return block.values(decode_reply(pdu).values)[0]


SAID = {
    "renke-rs-fsxcs-n01": (
        {500: (52, 3, 2, 91, 652, 0x10000 - 101, 423, 35, 50, 1013, 1, 4464, 700, 128, 18000, 512)},
        {
            "wind.speed": 5.2,
            "wind.force": 3,
            "wind.sector": 2,
            "wind.direction": 91,
            "air.humidity": 65.2,
            "air.temperature": -10.1,
            "sound.level": 42.3,
            "air.pm2_5": 35,
            "air.pm10": 50,
            "air.pressure": 1013,
            "light.illuminance": 70000,
            "rain.total": 12.8,
            "station.compass": 180,
            "solar.irradiance": 512,
        },
    ),
    "renke-sn-3001-soil": (
        {0: (231, 0x10000 - 101, 1250, 68)},
        {"soil.moisture": 23.1, "soil.temperature": -10.1, "soil.conductivity": 1250, "soil.ph": 6.8},
    ),
    "dfrobot-sen0600-soil": ({0: (231, 0x10000 - 101)}, {"soil.moisture": 23.1, "soil.temperature": -10.1}),
    "dfrobot-sen0676-radar": ({1: (1803,), 3: (2197,)}, {"water.distance": 1.803, "water.level": 2.197}),
    "qdy30a-level": ({4: (0x10000 - 12,)}, {"water.depth": -0.012}),
    "dfrobot-sen0482-wind-direction": ({0: (2250, 10)}, {"wind.direction": 225, "wind.sector": 10}),
    "dfrobot-sen0483-wind-speed": ({0: (123,)}, {"wind.speed": 12.3}),
    "waveshare-ai8": ({0: (4000, 20000), 7: (12345,)}, {"ch1.current": 4, "ch2.current": 20, "ch8.current": 12.345}),
    "sl651-rain": ({0: (1, 4464)}, {"rain.total": 7000}),
    "sl651-level": ({2: (0xFFFF, 0xFFFF - 1499)}, {"river.stage": -1.5}),
    "eastron-sdm120": (
        {0: high_first(230.2), 6: high_first(1.5), 12: high_first(-345.25), 70: high_first(50.0), 72: high_first(0.5)},
        {
            "mains.voltage": 230.2,
            "mains.current": 1.5,
            "mains.power": -345.25,
            "mains.frequency": 50,
            "mains.energy": 0.5,
        },
    ),
    "eastron-sdm630": (
        {0: high_first(230.0), 4: high_first(231.5), 10: high_first(2.5), 52: high_first(1200.0), 74: high_first(7.25)},
        {
            "mains.voltage.a": 230,
            "mains.voltage.c": 231.5,
            "mains.current.c": 2.5,
            "mains.power": 1200,
            "mains.energy.export": 7.25,
        },
    ),
    "peacefair-pzem-017": (
        {0: (1234,), 1: (250,), 2: long_low_first(70000), 4: long_low_first(123456), 7: (0xFFFF,)},
        {
            "power.voltage": 12.34,
            "power.current": 2.5,
            "power.power": 7000,
            "power.energy": 123456,
            "power.alarm.high": 0,
            "power.alarm.low": 1,
        },
    ),
    "epever-tracer": (
        {0x3100: (1850,), 0x3102: long_low_first(123456), 0x3104: (1312,), 0x3111: (0x10000 - 250,), 0x311A: (87,)},
        {
            "solar.voltage": 18.5,
            "solar.power": 1234.56,
            "battery.voltage": 13.12,
            "device.temperature": -2.5,
            "battery.charge": 87,
        },
    ),
    "renogy-rover": (
        {0x100: (85, 132, 245), 0x104: (132, 50, 7, 325, 321, 104)},
        {
            "battery.charge": 85,
            "battery.voltage": 13.2,
            "battery.charging.current": 2.45,
            "load.voltage": 13.2,
            "load.current": 0.5,
            "load.power": 7,
            "solar.voltage": 32.5,
            "solar.current": 3.21,
            "solar.power": 104,
        },
    ),
    "victron-gx-solarcharger": (
        {771: (2634, 0x10000 - 5)},
        {"battery.voltage": 26.34, "battery.charging.current": -0.5},
    ),
    "victron-gx-battery": (
        {259: (2634,), 261: (0x10000 - 75, 0x10000 - 85), 266: (985,)},
        {"battery.voltage": 26.34, "battery.current": -7.5, "battery.temperature": -8.5, "battery.charge": 98.5},
    ),
    "keller-acculevel": (
        {0x100: (*high_first(0.25), *high_first(12.5))},
        {"water.pressure": 0.25, "water.temperature": 12.5},
    ),
    "vega-vegapuls": ({2001: (1,), 2002: high_first(4.125)}, {"water.invalid": 1, "water.level": 4.125}),
    "fts-sdi-radar-300w": (
        {3: (1530, 1480, 45), 8: (1,), 0x0B: (512,), 0x14: (1, 4321)},
        {
            "river.velocity.instant": 1.53,
            "river.velocity": 1.48,
            "radar.tilt": 45,
            "river.direction": 1,
            "radar.signal": 512,
            "water.distance.ok": 1,
            "water.distance": 4.321,
        },
    ),
    "vaisala-wm80": (
        {8: (*low_first(7.5), *low_first(271.5)), 14: low_first(12.25)},
        {"wind.speed": 7.5, "wind.direction": 271.5, "wind.gust": 12.25},
    ),
    "calypso-ulp-pro": (
        {201: (82, 3599), 205: (75, 1800, 131, 450)},
        {
            "wind.speed": 8.2,
            "wind.direction": 359.9,
            "wind.speed.10min": 7.5,
            "wind.direction.10min": 180,
            "wind.gust": 13.1,
            "wind.gust.direction": 45,
        },
    ),
    "gill-maximet-gmx600": (
        {4: high_first(5.25), 6: high_first(90.0), 8: high_first(1013.5), 12: high_first(-3.5), 16: high_first(12.5)},
        {"wind.speed": 5.25, "wind.direction": 90, "air.pressure": 1013.5, "air.temperature": -3.5, "rain.total": 12.5},
    ),
    "campbell-metsens200": (
        {0: (*high_first(192.0), *high_first(0.5)), 14: high_first(9.75)},
        {"wind.direction": 192, "wind.speed": 0.5, "wind.gust": 9.75},
    ),
    "campbell-metsens300": (
        {0: high_first(987.5), 2: high_first(64.25), 4: high_first(-3.5), 6: high_first(-9.25), 8: high_first(12.5)},
        {
            "air.pressure": 987.5,
            "air.humidity": 64.25,
            "air.temperature": -3.5,
            "air.dew_point": -9.25,
            "device.voltage": 12.5,
        },
    ),
    "sht20-xy-md02": ({1: (0xFF33, 546)}, {"air.temperature": -20.5, "air.humidity": 54.6}),
    "sonbus-xm9505-rain": ({0: (536,)}, {"rain.total": 53.6}),
    "dfrobot-sen0575-rain": (
        {8: long_low_first(127400), 10: long_low_first(70000), 12: (90,)},
        {"rain.total": 12.74, "rain.tips": 70000, "device.uptime": 90},
    ),
    "tsingsense-rdsnsr": (
        {2: (0x07EE, 0x00FA, 0x0140, 0x01AE, 0x0052, 0x0106, 0x0040)},  # 0x07EE is 20.30, as printed
        {
            "road.temperature": 20.3,
            "road.water": 2.5,
            "road.ice": 3.2,
            "road.snow": 4.3,
            "road.grip": 0.82,
            "road.state": 262,
            "device.status": 64,
        },
    ),
    "winkool-vtn-vibrating-wire": (
        {100: (0x3119,), 115: (0x3413,)},
        {"ch1.frequency": 1256.9, "ch16.frequency": 1333.1},
    ),
    "witmotion-wt901c485": ({0x3D: (8192, 0x10000 - 16384)}, {"tilt.roll": 45, "tilt.pitch": -90}),
    "delta-ohm-pmsense": ({3: (82, 154, 301)}, {"air.pm1": 8.2, "air.pm2_5": 15.4, "air.pm10": 30.1}),
    "senseair-s8": ({0: (2, 0, 0, 904)}, {"device.status": 2, "gas.co2": 904}),
    "detcon-1000-h2s": (
        {0: (100, 235), 4: (0b0000_1000_1000_1000,)},
        {"gas.range": 100, "gas.h2s": 23.5, "gas.fault": 0, "gas.alarm1": 1, "gas.alarm2": 1, "gas.calibrating": 1},
    ),
    "oldham-itrans-2-lel": ({101: (0xFFFE,)}, {"gas.combustible": -2}),
    "lambrecht-pro-wind-speed": (
        {0: (56, 41, 123, 0xD8F1)},  # -9999: no value
        {"wind.speed": 5.6, "wind.speed.mean": 4.1, "wind.gust": 12.3},
    ),
    "lambrecht-pro-wind-direction": ({200: (2715, 2680)}, {"wind.direction": 271.5, "wind.direction.mean": 268}),
    "balluff-bsi-r11a0-tilt": ({0: (18250,), 10: (0x10000 - 425,)}, {"tilt.angle": 182.5, "device.temperature": -4.25}),
    "gropoint-gplp-8-soil": ({0: (123, 0xFFFF), 7: (451,)}, {"soil.moisture.1": 12.3, "soil.moisture.8": 45.1}),
    "honeywell-xnx-gas": (
        {2: (*high_first(50.0), 1103, 0b0100_0011)},
        {"gas.concentration": 50, "gas.status": 1103, "gas.alarm1": 1, "gas.alarm2": 1, "gas.fault": 1},
    ),
    "honeywell-sensepoint-xrl-gas": (
        {102: (*high_first(12.5), 0)},
        {"gas.concentration": 12.5, "gas.status": 0},
    ),
    "pemtech-pt495-gas": ({0: (20, 0x0201)}, {"gas.concentration": 20, "gas.status": 0x0201}),
    "eastron-sdm230": (
        {0: high_first(230.2), 6: high_first(10.5), 12: high_first(-2400.0), 30: high_first(0.95), 74: high_first(3.5)},
        {
            "mains.voltage": 230.2,
            "mains.current": 10.5,
            "mains.power": -2400,
            "mains.power_factor": 0.95,
            "mains.energy.export": 3.5,
        },
    ),
    "eastron-sdm72": (
        {4: high_first(229.5), 8: high_first(3.25), 52: high_first(1200.0), 70: high_first(50.0)},
        {"mains.voltage.c": 229.5, "mains.current.b": 3.25, "mains.power": 1200, "mains.frequency": 50},
    ),
    "chint-dtsu666": (
        {
            0x2006: high_first(2301.0),
            0x200E: high_first(1500.0),
            0x2012: high_first(-5250.0),
            0x2044: high_first(5001.0),
        },
        {"mains.voltage.a": 230.1, "mains.current.b": 1.5, "mains.power": -525, "mains.frequency": 50.01},
    ),
    "schneider-iem3000": (
        {0x0BB9: high_first(2.5), 0x0BD7: high_first(231.0), 0x0BF3: high_first(1.25), 0x0C25: high_first(49.5)},
        {"mains.current.b": 2.5, "mains.voltage.c": 231, "mains.power": 1.25, "mains.frequency": 49.5},
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_the_registers_of_a_device_mean_what_its_source_says(name):
    words, means = SAID[name]
    values = read(name, words)
    assert {series: values[series] for series in means} == means


def test_full_scale_of_current_inputs():
    for name in ("advantech-adam-4017", "icpdas-m-7017c"):
        register = opened(name).series[0].register()
        assert register.decode([0]) == 4.0
        assert register.decode([65535]) == pytest.approx(20.0, abs=1e-6)


# Replies that the makers print: (profile, reply, first address asked for, what it means).
PRINTED = [
    ("fuan-surge-monitor", "010304001500026A36", 0, {"surge.leakage": 0.21, "lightning.strikes": 2}),
    (
        "peacefair-pzem-004t",
        "01041408D1006C000000F400000026000001F4006400005134",
        0,
        {
            "mains.voltage": 225.7,
            "mains.current": 0.108,
            "mains.power": 24.4,
            "mains.energy": 38,
            "mains.frequency": 50,
            "mains.power_factor": 1,
        },
    ),
    ("sonbus-xm9505-rain", "0103020218B92E", 0, {"rain.total": 53.6}),
    (
        "winkool-vtn-vibrating-wire",
        "0103283119000000000000000000000000000000000000000000000000000000003413270F270F270F270F419E",
        100,
        {"ch1.frequency": 1256.9, "ch16.frequency": 1333.1},
    ),
]


@pytest.mark.parametrize(("name", "frame", "address", "means"), PRINTED)
def test_a_printed_reply_means_what_its_maker_says(name, frame, address, means):
    unit, pdu = unseal(bytes.fromhex(frame))
    words = decode_reply(pdu).values
    profile = opened(name)
    assert unit == profile.defaults.unit
    registers = {one.name: one.register() for one in profile.series}
    places = {name: slice(one.address - address, one.address - address + one.width) for name, one in registers.items()}
    assert {name: registers[name].decode(words[places[name]]) for name in means} == means


def test_what_a_device_cannot_tell_is_no_value():
    assert "wind.speed" not in read("gill-maximet-gmx600", {4: (0x7FFF, 0xFFFF)})  # so its manual
    assert "ch2.frequency" not in read("winkool-vtn-vibrating-wire", {101: (0,)})


def heard(name, lines):
    """What a listed instrument is understood to say by these lines, to the first of its questions if it has any."""
    profile, problems = open_line(name)
    assert problems == []
    language = LineLanguage(profile)
    asked = language.questions[0] if language.questions else None
    return [language.read(frame, asked) for frame in language.splitter().feed(lines)]


def test_visibility_in_answer_to_its_question():
    ((values, _),) = heard("lufft-vs20k-visibility", b"$ 12289 M 00601 03456\r")  # the manual's example
    assert values == {"visibility.mor": 1728}
    ((values, lacking),) = heard("lufft-vs20k-visibility", b"$ 12289 M 00601 65524\r")  # an error's code
    assert (values, lacking) == ({}, ["missing"])


@pytest.mark.parametrize(("unit", "level"), [("1", {"tide.level": 12.345, "tide.sigma": 0.012}), ("2", {})])
def test_a_tide_gauge_in_metres_only(unit, level):
    profile, _ = open_line("valeport-tidemaster")
    body = f"$PVTM0,7,22112026,214500,12.345,0.012,{unit},12.6,0000".encode()
    ((values, _),) = heard("valeport-tidemaster", line_seal(profile.frame.made(), body))
    assert values == level | {"device.voltage": 12.6}


SEA = [
    (
        b"$WIXDR,D,0.472,M,HSIG,F,10.377,S,PDOM,F,7.089,S,PAVG,A,175.133,D,MWD*36\r\n",
        {"wave.height": 0.472, "wave.period": 10.377, "wave.period.mean": 7.089, "wave.direction": 175.133},
    ),
    (b"$WIXDR,D,0.694,M,HMAX,D,0.600,M,HMAX2,F,12.540,S,PMAX*62\r\n", {"wave.height.max": 0.694}),
    (b"$WIXDR,D,1.148,M,HTIDE,D,0.016,M,SDTID,*6D\r\n", {"tide.level": 1.148, "tide.sigma": 0.016}),
]


@pytest.mark.parametrize(("line", "means"), SEA)
def test_waves_and_tide_as_their_operator_prints_them(line, means):
    profile, problems = open_nmea("nmea-wave")
    assert problems == []
    (sentence,) = NmeaStream().receive(line)
    said = decode(sentence, 2026)
    assert {one.name: value for one in profile.series for value in one.pick().values(said)} == means


AIR = [
    ("nmea-mwd", "WIMWD,328.2,T,326.8,M,11.2,N,5.8,M", {"wind.direction": 328.2, "wind.speed": 5.8}),
    ("nmea-xdr", "WIXDR,C,21.5,C,TempAir,P,1.0132,B,Barometer", {"air.temperature": 21.5, "air.pressure": 1013.2}),
    ("nmea-lambrecht", "WIMTA,-12.5,C", {"air.temperature": -12.5}),
    ("nmea-lambrecht", "WIMHU,45.2,,10.5,C", {"air.humidity": 45.2}),
    ("nmea-lambrecht", "WIMMB,29.92,I,1.0132,B", {"air.pressure": 1013.2}),
]


@pytest.mark.parametrize(("name", "body", "means"), AIR)
def test_instruments_of_the_air_in_their_sentences(name, body, means):
    profile, problems = open_nmea(name)
    assert problems == []
    (sentence,) = NmeaStream().receive(nmea_seal(body))
    said = decode(sentence, 2026)
    series = [one for one in profile.series if one.sentence == body[2:5]]
    assert {one.name: value for one in series for value in one.pick().values(said)} == means


PROBES = [
    (
        "lufft-nirs31",  # the manual's example
        ("+251.4+30.0+2", "+12.4-5.1", "+3.4+25.3"),
        {
            "road.water": 0.2514,
            "road.ice_share": 30,
            "road.state": 2,
            "road.temperature": 12.4,
            "road.freezing": -5.1,
            "road.snow": 3.4,
            "road.salt": 25.3,
        },
    ),
    ("lufft-nirs31", ("+251.4+30.0+999.0",), {"road.water": 0.2514, "road.ice_share": 30}),
    (
        "ott-pluvio2",
        ("+12.600+0.210+0.190", "+123.456+80.100+80.050", "+21.5+128"),
        {
            "rain.intensity": 12.6,
            "rain.total": 123.456,
            "gauge.content": 80.05,
            "device.temperature": 21.5,
            "gauge.heater": 128,
        },
    ),
    ("ott-pls-500", ("+2.100+11.25+0",), {"water.level": 2.1, "water.temperature": 11.25, "device.status": 0}),
    (
        "campbell-cs475",  # the manual's example
        ("+100.050+25.000+0",),
        {"water.level": 100.05, "water.distance": 25, "device.status": 0},
    ),
    (
        "vega-puls-c21",
        ("+1.250+3.750+12.5", "+81.5+0"),
        {
            "water.level": 1.25,
            "water.distance": 3.75,
            "device.temperature": 12.5,
            "radar.signal": 81.5,
            "device.status": 0,
        },
    ),
    ("campbell-cs451", ("+19.613-1.5",), {"water.pressure": 19.613, "water.temperature": -1.5}),
    (
        "meter-hydros-21",
        ("+1024+11.5+420",),
        {"water.level": 1024, "water.temperature": 11.5, "water.conductivity": 420},
    ),
    (
        "in-situ-level-troll",
        ("+10.0+12.25+23.1",),
        {"water.pressure": 68.94757, "water.temperature": 12.25, "water.level": 7.04088},
    ),
    (
        "geolux-lx-80-waves",
        ("+1.21+1.19+4.8+3.9+6.1", "-0.7+1.4+0.21+0.20"),
        {
            "wave.height": 1.21,
            "wave.height.spectral": 1.19,
            "wave.period.mean": 4.8,
            "wave.period.crest": 3.9,
            "wave.period": 6.1,
            "tide.level.lowest": -0.7,
            "tide.level.highest": 1.4,
            "tide.level": 0.21,
            "tide.level.median": 0.2,
        },
    ),
    ("campbell-rainvue-10", ("+0.5+5+1234+3.0+6.0",), {"rain.tips": 5}),
    (
        "stevens-hydraprobe",
        ("+0.321+0.045+18.5", "+65.3+0.05+21.1"),
        {"soil.moisture": 32.1, "soil.conductivity": 0.045, "soil.temperature": 18.5},
    ),
    ("meter-teros-11", ("+2345.00+18.2",), {"soil.moisture": 21.40255, "soil.temperature": 18.2}),
    ("meter-5tm", ("+17.35+19.2",), {"soil.permittivity": 17.35, "soil.temperature": 19.2}),
    (
        "campbell-clarivue-10",
        ("+12.5+1+2+3", "+4+15.5+0"),
        {"water.turbidity": 12.5, "water.temperature": 15.5, "device.status": 0},
    ),
]


@pytest.mark.parametrize(("name", "buffers", "means"), PROBES)
def test_the_values_of_a_probe_in_their_order(name, buffers, means):
    profile, problems = open_sdi12(name)
    assert problems == []
    found = [value for text in buffers for value in numbers(text.encode())]
    read = {one.name: _value(one, found) for one in profile.series}
    assert {name: value for name, value in read.items() if value is not None} == means


MEASUREMENTS = [
    (
        "gill-maximet-sdi12",  # the manual's examples
        {"M2": "+029+000.01+0000", "M3": "+002.1+123.1+0000", "M4": "+0001+00.00+0000"},
        {"wind.direction": 29, "wind.speed": 0.01, "rain.intensity": 2.1, "rain.total": 123.1, "solar.irradiance": 1},
    ),
    (
        "campbell-avw200",
        {
            "M1": "+2812.345+1.25+88.5+1200.5+0.98+3100.5",
            "M2": "-9999999+0.004+1.1+900.0+0.5+3050.5",
        },  # a wire too faint
        {
            "ch1.frequency": 2812.345,
            "ch1.amplitude": 1.25,
            "ch1.noise_ratio": 88.5,
            "ch1.thermistor": 3100.5,
            "ch2.amplitude": 0.004,
            "ch2.noise_ratio": 1.1,
            "ch2.thermistor": 3050.5,
        },
    ),
]


@pytest.mark.parametrize(("name", "answers", "means"), MEASUREMENTS)
def test_the_values_of_a_probe_with_several_measurements(name, answers, means):
    profile, problems = open_sdi12(name)
    assert problems == []
    said = {command: list(numbers(text.encode())) for command, text in answers.items()}
    read = {one.name: _value(one, said[one.command]) for one in profile.series}
    assert {name: value for name, value in read.items() if value is not None} == means
