"""The computer itself: clock, disk, card, power, ports, files, sockets, fonts. Judges facts; gathers none."""

import ipaddress
from collections.abc import Iterator

from agent.clock import BUILD_TIME
from agent.doctor.facts import Facts, Listener, Port
from agent.doctor.line import Line, fail, ok, warn

DAY = 86_400.0
RTC_DRIFT = 60.0  # seconds between system and clock chip; a DS3231 drifts 5 s a month (±2 ppm, data sheet)
SYNC_OLD = DAY  # timesyncd asks every 34 minutes at the longest (timesyncd.conf(5), PollIntervalMaxSec)
LEAST_FREE = 64 << 20  # bytes beside what the buffer may still take: logs, and an update's unpacking
LEAST_INODES = 0.02  # of all
FEW_YEARS, TOO_FEW_YEARS = 5.0, 1.0  # of the card: the service life asked for, and a reason not to leave it so
HOT = 80.0  # °C at which a Raspberry Pi slows down (raspberrypi.com, frequency management and thermal control)
LARGE_JOURNAL = 500 << 20  # bytes
OTHERS_MAY = 0o077


def machine(facts: Facts) -> Iterator[Line]:
    yield from _clock(facts)
    yield from _disk(facts)
    yield from _power(facts)
    yield from _ports(facts)
    yield from _secrets(facts)
    yield from _sockets(facts)
    yield from _system(facts)


def _clock(facts: Facts) -> Iterator[Line]:
    clock = facts.clock
    if clock.now < BUILD_TIME:
        yield fail("clock", "doctor.clock.unset")
    else:
        yield from _trust(facts)
    if clock.rtc is None:
        yield warn("rtc", "doctor.rtc.none")
    elif abs(clock.rtc - clock.now) > RTC_DRIFT:
        yield warn("rtc", "doctor.rtc.drift", seconds=round(clock.rtc - clock.now))
    else:
        yield ok("rtc", "doctor.rtc.ok", seconds=round(clock.rtc - clock.now))
    if clock.source == "none":
        return
    if clock.synchronised is False or (clock.source == "timesyncd" and clock.synced_ago is None):
        yield warn("time sync", "doctor.sync.none", source=clock.source)
    elif clock.synced_ago is not None and clock.synced_ago > SYNC_OLD:
        yield warn("time sync", "doctor.sync.old", hours=round(clock.synced_ago / 3600))
    else:
        yield ok("time sync", "doctor.sync.ok", source=clock.source)


def _trust(facts: Facts) -> Iterator[Line]:
    """A running agent's own word, where there is one."""
    told = (facts.status or {}).get("clock")
    if not told:
        yield ok("clock", "doctor.clock.set", source=facts.clock.source)
    elif told.get("suspect"):
        yield fail("clock", "doctor.clock.suspect")
    elif not told.get("trusted"):
        yield warn("clock", "doctor.clock.untrusted", source=facts.clock.source)
    else:
        drift = told["unix_ms"] / 1000 - facts.clock.now
        yield ok("clock", "doctor.clock.ok", source=facts.clock.source, drift=round(drift, 1))


def _disk(facts: Facts) -> Iterator[Line]:
    disk, megabyte = facts.disk, 1_000_000
    free, wanted = round(disk.free / megabyte), round((disk.wanted + LEAST_FREE) / megabyte)
    if not disk.writable:
        yield fail("disk", "doctor.disk.read_only")
    elif disk.free < LEAST_FREE or (disk.inodes_all and disk.inodes < LEAST_INODES * disk.inodes_all):
        yield fail("disk", "doctor.disk.full", free=free, inodes=disk.inodes)
    elif disk.free < disk.wanted + LEAST_FREE:
        yield warn("disk", "doctor.disk.short", free=free, wanted=wanted)
    else:
        yield ok("disk", "doctor.disk.ok", free=free, wanted=wanted)
    if facts.years is not None:
        rank = fail if facts.years < TOO_FEW_YEARS else warn if facts.years < FEW_YEARS else ok
        yield rank("card", "doctor.card.ok" if rank is ok else "doctor.card.short", years=facts.years)


def _power(facts: Facts) -> Iterator[Line]:
    power = facts.power
    if power.now:
        yield fail("power", "doctor.power.now", what=", ".join(power.now))
    elif power.since_boot:
        yield warn("power", "doctor.power.before", what=", ".join(power.since_boot))
    elif power.now is None:
        yield ok("power", "doctor.power.unknown")
    else:
        yield ok("power", "doctor.power.ok")
    if power.celsius is not None:
        rank, code = (warn, "doctor.hot") if power.celsius >= HOT else (ok, "doctor.cool")
        yield rank("temperature", code, celsius=round(power.celsius, 1))


def _ports(facts: Facts) -> Iterator[Line]:
    for port in facts.ports:
        yield _port(port, running=facts.status is not None)


def _port(port: Port, *, running: bool) -> Line:
    strangers = [holder for holder in port.holders if not (running and holder.startswith("fengsui"))]
    if not port.exists:
        return fail("port", "doctor.port.missing", port=port.path)
    if not port.usable:
        return fail("port", "doctor.port.denied", port=port.path)
    if len(port.holders) > 1 or (strangers and not running):
        return fail("port", "doctor.port.held", port=port.path, who=", ".join(port.holders))
    if not port.stable:
        return warn("port", "doctor.port.unstable", port=port.path)
    return ok("port", "doctor.port.ok", port=port.path, who=", ".join(port.holders) or "-")


def _secrets(facts: Facts) -> Iterator[Line]:
    wrong = False
    for secret in facts.secrets:
        if secret.mode is None:
            if secret.wanted:
                wrong = True
                yield fail("files", "doctor.file.missing", file=secret.path)
        elif secret.mode & OTHERS_MAY:
            wrong = True
            yield fail("files", "doctor.file.open", file=secret.path, mode=f"{secret.mode:o}")
    if not wrong:
        yield ok("files", "doctor.file.ok", count=sum(one.mode is not None for one in facts.secrets))


def _sockets(facts: Facts) -> Iterator[Line]:
    """The agent's own must be named; what else listens on this computer is for its administrator to know."""
    beyond = [one for one in facts.listeners if not is_loopback(one.address)]
    strange = [one for one in beyond if (one.protocol, one.port) not in facts.named]
    for one in strange:
        if one.ours:
            yield fail("sockets", "doctor.socket.ours", where=_where(one))
    others = [f"{_where(one)} {one.holder}".strip() for one in strange if not one.ours]
    if others:
        yield warn("sockets", "doctor.socket.others", count=len(others), where="; ".join(others))
    if not strange:
        yield ok("sockets", "doctor.socket.ok", count=len(beyond))


def _where(one: Listener) -> str:
    return f"{one.protocol} {one.address}:{one.port}"


def is_loopback(address: str) -> bool:
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def _system(facts: Facts) -> Iterator[Line]:
    if facts.font is not None:
        yield ok("font", "doctor.font.ok") if facts.font else fail("font", "doctor.font.none")
    if facts.voice is not None:
        yield ok("voice", "doctor.voice.ok") if facts.voice else fail("voice", "doctor.voice.none")
    if facts.swaps:
        yield warn("swap", "doctor.swap.card", where=", ".join(facts.swaps))
    else:
        yield ok("swap", "doctor.swap.ok")
    if facts.journal is not None:
        size = round(facts.journal.size / 1_000_000)
        large = facts.journal.size > LARGE_JOURNAL
        yield (
            warn("journal", "doctor.journal.large", size=size)
            if large
            else ok("journal", "doctor.journal.ok", size=size)
        )
