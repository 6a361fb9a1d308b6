"""How fast one core reads what instruments say, checksums on: lines to values, as sources and `fengsui decode` do it."""

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Figure, Measured, measures
from drivers.sensors.modbus_profile import open_modbus
from protocols import sdi12, vaisala
from protocols.line_frame import Frames, Framing
from protocols.modbus_plan import Planner
from protocols.nmea import NmeaStream, Sentence
from protocols.nmea_decode import decode as decode_nmea

CAPTURE = Path(__file__).parents[1] / "tests/captures/nmea-rtk.log"
CHUNK = 512  # bytes: what a read of a busy port gives
SECONDS = 2.0  # of measuring each
ROUNDS = 3  # the best counts: others on the machine only ever slow it down
LINES = Framing(end=b"\r\n")
BUILD_YEAR = 2016  # the capture's
SDI12 = (b"0+3.14", b"1+1.23+2.34+345+4.4678", b"0+1.11+2.22+3.33+4.44+5.55+6.66", b"2-0.02+11.5")
WEATHER = (
    b"0r1,Dn=236D,Dm=283D,Dx=031D,Sn=0.0M,Sm=1.0M,Sx=2.2M",
    b"0r2,Ta=23.6C,Ua=14.2P,Pa=1026.6H",
    b"0r5,Th=25.9C,Vh=12.0N,Vs=15.2V,Vr=3.475V",
)


def rate(work: Callable[[], int]) -> float:
    """Things a second of one core; `work` does some and says how many."""
    best = 0.0
    for _ in range(ROUNDS):
        done, began = 0, time.process_time()
        while (spent := time.process_time() - began) < SECONDS / ROUNDS:
            done += work()
        best = max(best, done / spent)
    return best


def _chunks(data: bytes) -> list[bytes]:
    return [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]


def _sentences(chunks: list[bytes], *, meaning: bool) -> int:
    stream, count = NmeaStream(), 0
    for chunk in chunks:
        for event in stream.receive(chunk):
            if isinstance(event, Sentence):
                count += 1
                if meaning and event.kind in ("GGA", "RMC", "GST"):
                    decode_nmea(event, BUILD_YEAR)
    return count


def _sdi12(chunks: list[bytes]) -> int:
    frames, count = Frames(LINES), 0
    for chunk in chunks:
        for line in frames.feed(chunk):
            if isinstance(line, bytes):
                sdi12.values_of(line, crc=True)
                count += 1
    return count


def _vaisala(chunks: list[bytes]) -> int:
    frames, count = Frames(LINES), 0
    for chunk in chunks:
        for line in frames.feed(chunk):
            if isinstance(line, bytes):
                vaisala.parse(line)
                count += 1
    return count


def _modbus() -> Callable[[], int]:
    profile, _problems = open_modbus("renke-rs-fsxcs-n01")
    if profile is None:
        raise RuntimeError("the profile is gone")
    planner = Planner([one.register() for one in profile.series], profile.planned())
    block = planner.blocks()[0]
    answer = [(at * 37 + 11) % 1000 for at in range(block.count)]

    def work() -> int:
        for _ in range(100):
            block.values(answer)
        return 100 * len(block.registers)

    return work


@measures(
    6,
    Figure("NMEA sentences read, 512-byte chunks", "sentences/s", "≥ 200,000"),
    Figure("NMEA sentences read, positions and times decoded", "sentences/s"),
    Figure("SDI-12 lines read, with checksums", "lines/s", "≥ 100,000"),
    Figure("Vaisala lines read, with checksums", "lines/s", "≥ 100,000"),
    Figure("Modbus values decoded by a profile", "values/s", "≥ 1,000,000"),
)
def decoding() -> Measured:
    nmea = _chunks(CAPTURE.read_bytes() * 4)
    probes = _chunks(b"".join(sdi12.seal(line) + b"\r\n" for line in SDI12) * 500)
    weather = _chunks(b"".join(line + sdi12.checksum(line) + b"\r\n" for line in WEATHER) * 500)
    return {
        "NMEA sentences read, 512-byte chunks": rate(lambda: _sentences(nmea, meaning=False)),
        "NMEA sentences read, positions and times decoded": rate(lambda: _sentences(nmea, meaning=True)),
        "SDI-12 lines read, with checksums": rate(lambda: _sdi12(probes)),
        "Vaisala lines read, with checksums": rate(lambda: _vaisala(weather)),
        "Modbus values decoded by a profile": rate(_modbus()),
    }
