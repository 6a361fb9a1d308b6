"""Scanning a line of simulated devices: everybody found, everybody known, nobody disturbed."""

import asyncio
from pathlib import Path

import pytest

from drivers.profile import find, names
from drivers.profile_kinds import open_any
from drivers.scan.identify import match_identity
from drivers.scan.line import hints, scan_line
from drivers.scan.ports import Port, Roots, holder, ports
from drivers.scan.prober import Prober
from drivers.sensors.modbus_profile import ModbusProfile
from drivers.sensors.sdi12_profile import Sdi12Profile
from drivers.simulated.line import PtyLine
from drivers.simulated.modbus import PtyBus
from drivers.simulated.profiled import unit_of
from drivers.simulated.unit import Fault, Unit
from protocols.errors import LocalError
from protocols.modbus_pdu import ILLEGAL_ADDRESS, READS, WRITE_REGISTER, Refused, Request, encode
from protocols.modbus_rtu import seal
from protocols.nmea import seal as sentence
from protocols.scan_plan import FIRST, FORBIDDEN, Plan, Setting, Step, allowed, forced, settings, silence

TIMEOUT = 0.03


def profiles(kind=ModbusProfile):
    found = [open_any(find(name))[0] for name in names()]
    return [one for one in found if isinstance(one, kind)]


def named(name):
    return next(one for one in profiles() if one.name == name)


def scan(units, plan, *, known=(), said=None, port=PtyBus, **options):
    async def main():
        async with asyncio.timeout(60), port(units, **options) as line:
            tell = lambda left, code, facts: said.append((left, code, facts)) if said is not None else None  # noqa: E731 - said once, in passing
            return await scan_line(Port(line.path, line.path, "name"), plan, known, tell, sdi12=False)

    return asyncio.run(main())


def quick(units=range(1, 6), bauds=(9600,), **changes):
    return Plan(settings(bauds, "N"), tuple(units), TIMEOUT, 0.02, **changes)


TEN = (
    "renke-rs-fsxcs-n01", "renke-sn-3001-soil", "qianjia-rain", "dfrobot-sen0492-laser", "dfrobot-sen0482-wind-direction",
    "sl651-level", "icpdas-m-7017c", "surfrad-met", "dfrobot-sen0676-radar", "qdy30a-level",
)  # fmt: skip


def test_ten_devices_on_one_bus_are_found_and_known_at_their_speed_only():
    units = [unit_of(named(name), number) for number, name in enumerate(TEN, 1)]
    plan = quick(range(1, 13), (4800, 9600), hints=hints(profiles()))
    result = scan(units, plan, known=profiles(), exact=True)
    assert result.state == "scanned"
    assert {(one.baud, one.parity) for one in result.devices} == {(9600, "N")}
    best = {int(one.address): one.candidates[0].profile for one in result.devices if one.candidates}
    assert best == dict(enumerate(TEN, 1))


def test_nothing_is_asked_that_an_earlier_answer_has_settled():
    unit = unit_of(named("renke-sn-3001-soil"), 1)
    scan([unit], quick((1,)), known=profiles())
    refused = []
    for request in dict.fromkeys(unit.requests):
        last = request.address + request.count - 1
        assert not any(
            fc == request.function and request.address <= low and high <= last for fc, low, high in refused
        ), request
        if code_of(unit, request) == ILLEGAL_ADDRESS:
            refused.append((request.function, request.address, last))
    assert len(unit.requests) < 2 * len(profiles())  # most maps are out with a question that another has asked


def code_of(unit, request):
    try:
        unit.read(request)
    except Refused as refused:
        return refused.code
    return 0


def test_only_read_requests_and_never_a_register_of_address_or_speed():
    everything = [Unit(number, holding=lambda _: 1, registers=lambda _: 1) for number in (1, 2, 80)]
    scan(everything, quick((1, 2, 80), hints=hints(profiles())), known=profiles())
    for request in (request for unit in everything for request in unit.requests):
        assert request.function in READS
        assert not any(
            low <= request.address + request.count - 1 and request.address <= high for low, high in FORBIDDEN
        )


def test_what_is_not_allowed_is_not_sent_whoever_asks():
    assert not allowed(Request(WRITE_REGISTER, 0, 1, (1,)))
    assert not allowed(Request(3, 0x2E, 2))
    assert allowed(Request(3, 0x31, 2))

    async def main():
        async with PtyBus([]) as line:
            prober = Prober(line.path, Setting(9600))
            for unit, request in ((0, FIRST), (248, FIRST), (1, Request(3, 0x7D0, 1)), (1, Request(6, 0, 1, (1,)))):
                with pytest.raises(LocalError):
                    await prober.ask(unit, request, TIMEOUT)
            assert prober.requests == 0
            prober.close()

    asyncio.run(main())


def test_refusals_late_answers_and_rubbish_still_find_a_device():
    units = [
        Unit(1),  # refuses everything
        Unit(2, holding={0: 1}, fault=Fault("slow", delay=1.5 * TIMEOUT)),
        Unit(4, holding={0: 1}, fault=Fault("babble")),
    ]
    result = scan(units, quick())
    assert [one.address for one in result.devices] == ["1", "2"]


@pytest.mark.parametrize(
    ("said", "state", "kind"),
    [
        (sentence("WIMWV,214.8,T,5.1,M,A"), "talking", "nmea"),
        (seal(7, encode(Request(3, 0, 2))) + seal(7, bytes.fromhex("03040001000a")), "talking", "modbus-rtu"),
        (b"\x00\x9c\x13\xf7" * 10, "foreign", "unknown"),
    ],
)
def test_a_line_that_speaks_by_itself_is_left_alone(said, state, kind, monkeypatch):
    monkeypatch.setattr("drivers.scan.line.SNIFF", 0.05)
    heard = []

    class Talker(PtyLine):
        async def __aenter__(self):
            await super().__aenter__()
            self.task = asyncio.create_task(self.talk())
            return self

        async def talk(self):
            while True:
                self.write(said)
                await asyncio.sleep(0.01)

    result = scan(heard.append, quick(), port=Talker)
    assert (result.state, result.heard.kind) == (state, kind)
    assert heard == []


def test_a_port_in_use_is_skipped():
    async def main():
        async with PtyBus([]) as line:
            other = Prober(line.path, Setting(9600))
            result = await scan_line(Port(line.path, line.path, "name"), quick(), (), lambda *_: None)
            other.close()
            return result

    assert asyncio.run(main()).state == "held"


def test_a_pulled_adapter_ends_the_scan_of_its_port():
    async def main():
        async with PtyBus([]) as line:
            asyncio.get_running_loop().call_later(0.1, line.unplug)
            return await scan_line(
                Port(line.path, line.path, "name"), quick(range(1, 200)), (), lambda *_: None, sdi12=False
            )

    assert asyncio.run(main()).state == "failed"


def test_the_plan_is_the_time_that_silence_takes():
    setting = Setting(9600)
    assert silence(setting, 0.1) == pytest.approx(8 * 10 / 9600 + 0.1)
    assert silence(Setting(9600, "E"), 0.1) == pytest.approx(8 * 11 / 9600 + 0.1)
    plan = Plan(settings((9600, 4800), "N"), timeout=0.1, listen=3.0)
    assert forced(plan) == pytest.approx(3 + 247 * (0.2 + 80 / 9600 + 80 / 4800))
    hint = Step(setting, 80, Request(3, 0x34, 1))
    steps = list(Plan(settings((9600,), "N"), (1, 80), hints=(hint, Step(Setting(4800), 1, FIRST))).steps())
    assert steps == [hint, Step(setting, 1, FIRST), Step(setting, 80, FIRST)]


def test_the_time_left_runs_down_from_the_plans_to_nothing():
    said = []
    plan = quick()
    scan([], plan, said=said)
    left = [one[0] for one in said]
    assert left == sorted(left, reverse=True)
    assert left[0] == pytest.approx(forced(plan))
    assert left[-1] == pytest.approx(0, abs=1e-6)


def test_a_speed_or_parity_that_the_adapter_does_not_know_is_passed_over(monkeypatch):
    """A pseudo-terminal knows no parity, and some adapters refuse a speed."""
    said = []
    plan = Plan((Setting(9600, "E"), Setting(9600)), (1, 2), TIMEOUT, 0.02)
    result = scan([Unit(2, holding={0: 7})], plan, said=said)
    assert [(one.address, one.parity) for one in result.devices] == [("2", "N")]
    assert [facts for _, code, facts in said if code == "scan.unfit"] == [{"baud": 9600, "parity": "E"}]
    assert min(left for left, _, _ in said) > -1e-6


@pytest.fixture
def roots(tmp_path):
    dev, sys = tmp_path / "dev", tmp_path / "sys"
    for folder in ("by-id", "by-path"):
        (dev / "serial" / folder).mkdir(parents=True)
    for number, (serial, name) in enumerate([("A50285BI", "usb-FTDI_A50285BI-if00-port0"), (None, "usb-1a86_USB_Serial-if00-port0"), ("0001", "usb-CP2102_0001-if00-port0")]):  # fmt: skip
        tty = dev / f"ttyUSB{number}"
        tty.touch()
        (dev / "serial" / "by-path" / f"usb-0:1.{number}:1.0-port0").symlink_to(tty)
        (dev / "serial" / "by-id" / name).symlink_to(tty)
        usb = tmp_path / f"usb{number}"
        (usb / "if").mkdir(parents=True)
        (usb / "idVendor").write_text("0403\n")
        (usb / "product").write_text("Adapter\n")
        if serial:
            (usb / "serial").write_text(f"{serial}\n")
        (sys / tty.name).mkdir(parents=True)
        (sys / tty.name / "device").symlink_to(usb / "if")
    return Roots(dev, sys, tmp_path / "proc")


def test_adapters_without_a_serial_number_are_named_by_their_socket(roots):
    found = ports(roots)
    assert [(Path(one.path).name, one.by) for one in found] == [
        ("usb-FTDI_A50285BI-if00-port0", "id"),
        ("usb-0:1.1:1.0-port0", "path"),
        ("usb-0:1.2:1.0-port0", "path"),
    ]
    assert {one.product for one in found} == {"Adapter"}


def test_who_holds_a_port_is_told(roots, tmp_path):
    process = roots.proc / "4711"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("fengsui\n")
    (process / "fd" / "5").symlink_to(roots.dev / "ttyUSB1")
    assert holder(str(roots.dev / "ttyUSB1"), roots.proc) == "fengsui (4711)"
    assert holder(str(roots.dev / "ttyUSB0"), roots.proc) == ""


def test_probes_behind_an_sdi12_adapter_are_found(monkeypatch):
    monkeypatch.setattr("drivers.scan.sdi12.ANSWER", 0.03)
    monkeypatch.setattr("drivers.scan.sdi12.IDENTITY", 0.03)
    answers = {b"?!": b"0\r\n", b"0!": b"0\r\n", b"b!": b"b\r\n", b"bI!": b"b13METER   TER12 112T12-00012345\r\n"}

    class Adapter(PtyLine):
        def __init__(self, _units):
            super().__init__(lambda data: self.write(answers.get(data, b"")))

    said = []

    async def main():
        async with asyncio.timeout(60), Adapter(()) as line:
            return await scan_line(Port(line.path, line.path, "name"), quick(), (), lambda *one: said.append(one))

    result = asyncio.run(main())
    assert [(one.kind, one.address, one.identity) for one in result.devices] == [
        ("sdi12", "0", ""),
        ("sdi12", "b", "METER TER12 112"),
    ]
    assert result.requests == 1 + 62 + 2  # the query, every address, two identities
    asked = [(left, facts["address"]) for left, code, facts in said if code == "scan.asking_probe"]
    assert (len(asked), asked[0][1], asked[-1][1]) == (62, "0", "Z")
    assert [left for left, _ in asked] == sorted((left for left, _ in asked), reverse=True)


XNX = {2: 0x4248, 3: 0, 4: 0, 5: 0}  # 50.0, no fault: words that others' maps explain as well


@pytest.mark.parametrize(
    ("kind", "known"), [({0: 0x2401, 1: 0x2401}, True), ({0: 0x2601, 1: 0x2601}, False), ({}, False)]
)
def test_a_device_with_a_signature_is_known_by_it_alone(kind, known):
    result = scan([Unit(1, holding=XNX | kind)], quick(range(1, 3)), known=profiles())
    (device,) = result.devices
    found = {one.profile: one.confidence for one in device.candidates}
    assert ("honeywell-xnx-gas" in found) is known
    assert not known or device.candidates[0].confidence == found["honeywell-xnx-gas"]


IDENTITIES = [
    ("METER TER12 112", ["meter-teros-12"]),
    ("Campbell CS45X 001", ["campbell-cs451"]),  # 013CampbellCS45X 001SN=12345678, as its manual prints it
    ("Campbell AVW2xx 004", ["campbell-avw200"]),
    ("VEGA PULS61 332", ["campbell-cs475"]),
    ("STEVENSW 000001 2.7", ["stevens-hydraprobe"]),
    ("FENGSUI LEVEL 001", []),
    ("", []),
]


@pytest.mark.parametrize(("identity", "known"), IDENTITIES)
def test_a_probe_is_known_by_what_it_says_of_itself(identity, known):
    assert [one.profile for one in match_identity(identity, profiles(Sdi12Profile))] == known
