"""The check-up: facts in, lines out; facts from made-up /proc, /sys and /run; and the whole of it beside an agent."""

import contextlib
import json
import socket
import ssl
import threading
import time
from dataclasses import replace

import msgspec
import pytest

from agent.control import ask
from agent.doctor import network, system
from agent.doctor.examine import examine
from agent.doctor.facts import Broker, Clock, Disk, Facts, Journal, Listener, Port, Power, Probe, Ring, Secret
from agent.doctor.machine_checks import is_loopback
from agent.links.route import RouteConfig
from tests.support.broker import Broker as Mosquitto
from tests.support.certs import DAY, Authority
from tests.support.sentences import sentences
from tests.support.station import command, station

NOW = 1_800_000_000.0
GOOD = Facts(
    clock=Clock(NOW, "timesyncd", synchronised=True, synced_ago=60.0, rtc=NOW),
    disk=Disk(8 << 30, 16 << 30, 1000, 2000, 1 << 30),
    years=12.0,
    power=Power((), (), 50.0),
    secrets=[Secret("station.key", 0o600)],
    status={"clock": {"trusted": True, "suspect": False, "unix_ms": NOW * 1000}},
    journal=Journal(persistent=True, size=1000),
)


def states(facts):
    return {(line.check, line.state.value, line.code) for line in examine(facts) if line.state.value != "ok"}


def status(**parts):
    return {**GOOD.status, **parts}


def test_a_healthy_station_has_nothing_to_say():
    assert states(GOOD) == set()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"clock": Clock(0.0, "timesyncd", True, 1.0, 0.0)}, ("clock", "fail", "doctor.clock.unset")),
        ({"status": None}, ("agent", "warn", "doctor.agent.none")),
        ({"status": status(clock={"trusted": False})}, ("clock", "warn", "doctor.clock.untrusted")),
        ({"status": status(clock={"suspect": True})}, ("clock", "fail", "doctor.clock.suspect")),
        ({"clock": GOOD.clock._replace(rtc=None)}, ("rtc", "warn", "doctor.rtc.none")),
        ({"clock": GOOD.clock._replace(rtc=NOW - 3600)}, ("rtc", "warn", "doctor.rtc.drift")),
        ({"clock": GOOD.clock._replace(synced_ago=None)}, ("time sync", "warn", "doctor.sync.none")),
        ({"clock": GOOD.clock._replace(synced_ago=1e6)}, ("time sync", "warn", "doctor.sync.old")),
        ({"disk": GOOD.disk._replace(free=1)}, ("disk", "fail", "doctor.disk.full")),
        ({"disk": GOOD.disk._replace(inodes=1)}, ("disk", "fail", "doctor.disk.full")),
        ({"disk": GOOD.disk._replace(free=1 << 30)}, ("disk", "warn", "doctor.disk.short")),
        ({"disk": GOOD.disk._replace(writable=False)}, ("disk", "fail", "doctor.disk.read_only")),
        ({"years": 2.0}, ("card", "warn", "doctor.card.short")),
        ({"years": 0.5}, ("card", "fail", "doctor.card.short")),
        ({"power": Power(("undervoltage",))}, ("power", "fail", "doctor.power.now")),
        ({"power": Power((), ("throttled",))}, ("power", "warn", "doctor.power.before")),
        ({"power": Power((), (), 85.0)}, ("temperature", "warn", "doctor.hot")),
        ({"ports": [Port("a", False, False)]}, ("port", "fail", "doctor.port.missing")),
        ({"ports": [Port("a", True, False)]}, ("port", "fail", "doctor.port.denied")),
        ({"ports": [Port("a", True, True, ("fengsui (1)", "getty (2)"))]}, ("port", "fail", "doctor.port.held")),
        ({"ports": [Port("ttyUSB0", True, True, (), False)]}, ("port", "warn", "doctor.port.unstable")),
        ({"secrets": [Secret("k", 0o644)]}, ("files", "fail", "doctor.file.open")),
        ({"secrets": [Secret("k", None)]}, ("files", "fail", "doctor.file.missing")),
        ({"listeners": [Listener("tcp", "0.0.0.0", 80, "x (1)", True)]}, ("sockets", "fail", "doctor.socket.ours")),  # noqa: S104 - a listener that must be found
        ({"listeners": [Listener("tcp", "::", 22, "sshd (1)")]}, ("sockets", "warn", "doctor.socket.others")),
        ({"font": False}, ("font", "fail", "doctor.font.none")),
        ({"voice": False}, ("voice", "fail", "doctor.voice.none")),
        ({"swaps": ["/dev/mmcblk0p3"]}, ("swap", "warn", "doctor.swap.card")),
        ({"journal": Journal(True, 1 << 30)}, ("journal", "warn", "doctor.journal.large")),
        ({"brokers": [Broker("p", "h", 1, why="refused")]}, ("broker", "fail", "doctor.broker.away")),
        ({"brokers": [Broker("p", "h", 1, ends=NOW + 86400)]}, ("certificate", "warn", "doctor.certificate.broker.soon")),
        ({"brokers": [Broker("p", "h", 1, own_ends=NOW - 1)]}, ("certificate", "fail", "doctor.certificate.own.over")),
        ({"ring": Ring(0, 0, why="few-roots")}, ("keyring", "fail", "doctor.keyring.refused")),
        ({"ring": Ring(1, 0, {"county": int(NOW) + 86400})}, ("keyring", "warn", "doctor.key.soon")),
        ({"ring": Ring(1, 0, {"county": int(NOW) - 86400})}, ("keyring", "fail", "doctor.key.over")),
        ({"probes": [Probe("siren", False, "timeout")]}, ("actuator", "fail", "doctor.probe.silent")),
        ({"status": status(warnings={"issuers": [{"issuer": 1, "seconds_ago": None}]})}, ("beacon", "fail", "doctor.beacon.never")),
        ({"status": status(warnings={"issuers": [{"issuer": 1, "seconds_ago": 90000}]})}, ("beacon", "fail", "doctor.beacon.silent")),
        ({"status": status(bearers={"sat": {"state": "down"}})}, ("bearer", "fail", "doctor.bearer.unproven")),
        (
            {"status": status(bearers={"p": {"urgent": {"up": True}, "accepted": 0}})},
            ("bearer", "fail", "doctor.bearer.unheard"),
        ),
        ({"status": status(sensors={"met": {"state": "down"}})}, ("sensor", "fail", "doctor.sensor.down")),
    ],
    ids=lambda value: value[2] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_each_fault_has_its_line(changes, said):
    assert said in states(replace(GOOD, **changes))


def test_what_the_configuration_names_may_listen():
    found = replace(GOOD, listeners=[Listener("udp", "192.168.8.1", 5683, "", True)], named=[("udp", 5683)])
    assert states(found) == set()


def test_every_line_has_its_sentence():
    every = replace(
        GOOD, ports=[Port("a", True, True)], probes=[Probe("siren", True)], ring=Ring(1, 0, {}), font=True, voice=True
    )
    assert {line.code for line in examine(every)} <= sentences("en").keys()


def test_loopback_in_all_its_forms():
    assert [is_loopback(one) for one in ("127.0.0.53", "::1", "::ffff:127.0.0.1", "::", "10.0.0.1")] == [True] * 3 + [
        False
    ] * 2


# Facts from a machine that is made up


def machine(root, **files):
    for name, text in files.items():
        file = root / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_power_as_a_raspberry_pi_says_it(tmp_path):
    root = machine(tmp_path, sys__class__thermal__thermal_zone0__temp="51540\n")
    folder = root / "sys/devices/platform/soc/soc:firmware"
    folder.mkdir(parents=True)
    (folder / "get_throttled").write_text("50005\n")
    assert system.power(root) == Power(("undervoltage", "throttled"), ("undervoltage", "throttled"), 51.54)
    assert system.power(tmp_path / "no-such-board") == Power()


def test_a_supply_monitor_counts_too(tmp_path):
    machine(tmp_path, sys__class__hwmon__hwmon1__in0_lcrit_alarm="1\n")
    assert system.power(tmp_path).now == ("undervoltage",)


def test_listeners_and_their_holders(tmp_path):
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    row = "   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 {inode} 1\n"
    tcp = (
        head
        + row.format(address="0100007F:075B", state="0A", inode=11)
        + row.format(address="00000000:0016", state="0A", inode=12)
    )
    tcp += row.format(address="0100007F:1234", state="01", inode=13)
    machine(tmp_path, proc__net__tcp=tcp, proc__7__comm="agent\n")
    tcp6 = head + row.format(address="B80D01200000000067452301EFCDAB89:0050", state="0A", inode=14)
    machine(tmp_path, proc__net__tcp6=tcp6)
    (tmp_path / "proc/7/fd").mkdir()
    (tmp_path / "proc/7/fd/3").symlink_to("socket:[12]")
    found = list(system.listeners(system.holders(tmp_path), agent=7, root=tmp_path))
    assert found == [
        Listener("tcp", "127.0.0.1", 1883),
        Listener("tcp", "0.0.0.0", 22, "fengsui (7)", True),  # noqa: S104 - found, not opened
        Listener("tcp", "2001:db8::123:4567:89ab:cdef", 80),
    ]


def test_swap_on_the_card_and_in_memory(tmp_path):
    machine(tmp_path, proc__swaps="Filename Type Size\n/dev/zram0 partition 1\n/var/swap file 1\n")
    assert system.swaps(tmp_path) == ["/var/swap"]


def test_the_clock_chip_and_the_last_synchronisation(tmp_path):
    machine(tmp_path, sys__class__rtc__rtc0__since_epoch="1800000000\n", run__systemd__timesync__synchronized="")
    clock = system.clock("timesyncd", tmp_path)
    assert clock.rtc == NOW
    assert 0 <= clock.synced_ago < 3600
    assert system.clock("timesyncd", tmp_path / "none").synced_ago is None


def test_a_port_its_rights_and_its_holders(tmp_path):
    port = tmp_path / "ttyUSB0"
    port.touch(0o600)
    assert system.port(port, {str(port): [(7, "getty")]}) == Port(str(port), True, True, ("getty (7)",), False)
    assert system.port(tmp_path / "none", {}).exists is False


def test_a_broker_with_a_certificate_and_one_that_is_not_there(tmp_path):
    authority = Authority(tmp_path)
    server = authority.issue("localhost", ends=10 * DAY)
    assert network.certificate_end(server.cert) == pytest.approx(time.time() + 864000, abs=600)
    assert network.certificate_end(tmp_path / "none") is None
    away = network.broker(RouteConfig(name="p", url="mqtt://127.0.0.1:1"), tmp_path, NOW)
    assert away.why


def test_a_broker_whose_certificate_ends_soon_or_is_a_strangers(tmp_path):
    authority, stranger = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    server = authority.issue("localhost", ends=10 * DAY)
    with tls_server(server) as port:
        route = RouteConfig(name="p", url=f"mqtts://localhost:{port}", ca=str(authority.ca))
        good = network.broker(route, tmp_path, time.time())
        bad = network.broker(replace_ca(route, stranger.ca), tmp_path, time.time())
    assert good.why == ""
    assert good.ends == pytest.approx(time.time() + 864000, abs=600)
    assert "certificate" in bad.why


@contextlib.contextmanager
def tls_server(pair):
    """Shakes hands with whoever comes, and says no more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            for _ in range(2):
                with contextlib.suppress(OSError), context.wrap_socket(listening.accept()[0], server_side=True) as one:
                    one.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(20)


def replace_ca(route, ca):
    return msgspec.structs.replace(route, ca=str(ca))


# The whole


async def _beside(tmp_path, broker):
    async with station(tmp_path / "s", broker.port, siren=True) as site:
        alone = await command("doctor", "--json", "--config", site.folder / "station.toml")
        await site.up()
        await site.delivers()
        control = site.agent.control
        stranger = site.authority.forged(site.authority.alert("330102001", "x"), "x")
        answer = ask(control, "submit", data=stranger.hex())
        beside = await command("doctor", "--json", "--config", site.folder / "station.toml")
        plain = await command("doctor", "--config", site.folder / "station.toml")
        return alone, beside, plain, answer


def test_without_an_agent_and_beside_one(tmp_path):
    import asyncio

    with Mosquitto(tmp_path) as broker:
        alone, beside, plain, answer = asyncio.run(_beside(tmp_path, broker))
    before, after = (json.loads(one.stdout) for one in (alone, beside))
    found = {(one["check"], one["code"]) for one in after["lines"]}
    assert {("broker", "doctor.broker.ok"), ("agent", "doctor.agent.ok"), ("sensor", "doctor.sensor.ok")} <= found
    assert {("bearer", "doctor.bearer.ok"), ("actuator", "doctor.probe.ok"), ("beacon", "doctor.beacon.never")} <= found
    assert ("agent", "doctor.agent.none") in {(one["check"], one["code"]) for one in before["lines"]}
    assert ("actuator", "doctor.probe.ok") in {(one["check"], one["code"]) for one in before["lines"]}
    assert beside.returncode == 1  # no beacon was ever heard
    assert "issuer 1 (county) was never heard" in plain.stdout
    assert answer["after"].get("bad-signature", 0) == answer["before"].get("bad-signature", 0) + 1


def test_a_wrong_configuration_is_said(tmp_path):
    import asyncio

    done = asyncio.run(command("doctor", "--config", tmp_path / "none.toml"))
    assert done.returncode == 2
    assert "none.toml" in done.stderr
