"""Profiles of serial instruments with a line or frame protocol of their own: all of it data, so that a new one needs no code.

The schema is told in docs/sensors-line.md. Whatever is wrong is named with the file and the key.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from drivers.api import Problem
from drivers.profile import Profile, head_problems, open_profile, series_problems
from drivers.sensors.port_source import Defaults, PortSeries
from protocols.errors import LocalError
from protocols.line_frame import Checksum, Framing, Length
from protocols.line_map import Piece
from protocols.scale import Scale


class ChecksumTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """See `protocols.line_frame.Checksum`."""

    kind: str
    form: str = "big"
    skip: int = 0
    gap: int = 0
    tail: int = 0

    def made(self) -> Checksum:
        return Checksum(self.kind, self.form, self.skip, self.gap, self.tail)


class LengthTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """See `protocols.line_frame.Length`."""

    at: int
    size: int = 1
    order: Literal["big", "little"] = "big"
    add: int = 0


class FrameTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`start` and `end` as text, `start_hex` and `end_hex` as bytes; `length` fixed, `length_field` said in the frame;
    `after` as `protocols.line_frame.Framing` explains it.
    """

    start: str = ""
    start_hex: str = ""
    end: str = ""
    end_hex: str = ""
    after: int = 0
    length: int = 0
    length_field: LengthTable | None = None
    longest: int = 256
    separator: str = ","
    checksum: ChecksumTable | None = None

    def made(self) -> Framing:
        said = self.length_field
        return Framing(
            start=_bytes(self.start, self.start_hex),
            end=_bytes(self.end, self.end_hex),
            after=self.after,
            length=self.length if said is None else Length(said.at, said.size, said.order, said.add),
            longest=self.longest,
            checksum=None if self.checksum is None else self.checksum.made(),
        )


class RequestTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is sent each beat, as `text` or `hex`; `answer`: a pattern that only its answer matches."""

    name: str
    text: str = ""
    hex: str = ""
    answer: str = ""

    def data(self) -> bytes:
        return _bytes(self.text, self.hex)


class LineSeries(PortSeries, forbid_unknown_fields=True, kw_only=True):
    """Where the number is: `field` between separators, `pattern`, or `at` and `type`. `request`: only in its answer."""

    field: int | None = None
    pattern: str = ""
    at: int | None = None
    type: str = "uint16"
    order: Literal["big", "little"] = "big"
    base: int = 10
    when: dict[str, list[str | int]] = msgspec.field(default_factory=dict)
    missing: list[float | str] = msgspec.field(default_factory=list)
    scale: float = 1.0
    offset: float = 0.0
    request: str = ""

    def piece(self) -> Piece:
        try:
            when = {int(place): tuple(values) for place, values in self.when.items()}
        except ValueError:
            raise LocalError("piece", "when: its keys are places or bytes, as numbers") from None
        return Piece(
            self.name,
            place=self.field,
            pattern=self.pattern,
            at=self.at,
            type=self.type,
            order=self.order,
            base=self.base,
            when=when,
            missing=tuple(self.missing),
            scale=Scale(self.scale, self.offset),
        )


class LineProfile(Profile, forbid_unknown_fields=True, kw_only=True):
    frame: FrameTable
    series: list[LineSeries]
    request: list[RequestTable] = msgspec.field(default_factory=list)
    defaults: Defaults = msgspec.field(default_factory=Defaults)


def open_line(name: str, directories: Sequence[Path] = ()) -> tuple[LineProfile | None, list[Problem]]:
    """The profile of this name, or everything that is wrong with it."""
    return open_profile(name, LineProfile, check_line, directories)


def check_line(profile: LineProfile) -> Iterator[Problem]:
    """What is wrong with a line protocol besides the types of its keys."""
    yield from head_problems(profile, "line", profile.series)
    try:
        profile.frame.made()
    except LocalError as wrong:
        yield Problem(
            f"frame.{wrong.reason}" if wrong.reason != "framing" else "frame", "line.frame", {"why": wrong.detail}
        )
    yield from _request_problems(profile.request)
    yield from series_problems(profile.series)
    asked = {one.name for one in profile.request}
    for one in profile.series:
        if one.request and one.request not in asked:
            known = ", ".join(sorted(asked)) or "-"
            yield Problem(f"series[{one.name}].request", "line.request_unknown", {"name": one.request, "known": known})
        try:
            one.piece()
        except LocalError as wrong:
            yield Problem(f"series[{one.name}]", "line.piece", {"why": wrong.detail})


def _request_problems(requests: Sequence[RequestTable]) -> Iterator[Problem]:
    for one in requests:
        try:
            sent = one.data()
        except LocalError as wrong:
            yield Problem(f"request[{one.name}]", "line.frame", {"why": wrong.detail})
            continue
        if not sent:
            yield Problem(f"request[{one.name}]", "line.frame", {"why": "text or hex is missing"})
        try:
            re.compile(one.answer)
        except re.error as wrong_pattern:
            yield Problem(f"request[{one.name}].answer", "line.frame", {"why": str(wrong_pattern)})


def _bytes(text: str, digits: str) -> bytes:
    if text and digits:
        raise LocalError("framing", "either as text or as hex, not both")
    try:
        return bytes.fromhex(digits) if digits else text.encode("latin-1")
    except ValueError as wrong:
        raise LocalError("framing", f"{digits or text!r}: {wrong}") from None
