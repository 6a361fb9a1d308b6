"""Serial instruments by profile: any line or frame protocol that docs/sensors-line.md can describe, asked or overheard."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drivers.api import Context, Factory, Problem
from drivers.sensors.asked import AskedSource
from drivers.sensors.line_profile import LineProfile, open_line
from drivers.sensors.names import check_profile
from drivers.sensors.overheard import OverheardSource
from drivers.sensors.port_source import (
    AskedConfig,
    PortSource,
    Question,
    check_asked,
    set_up,
    timeout_of,
)
from protocols.errors import RemoteError
from protocols.line_frame import Frames


class LineConfig(AskedConfig, forbid_unknown_fields=True, kw_only=True):
    """`[[sensor]] driver = "line"`: one instrument on a port of its own."""


class LineLanguage:
    """See `drivers.sensors.port_source.Language`; made from a profile."""

    def __init__(self, profile: LineProfile) -> None:
        self._framing = profile.frame.made()
        self._separator = profile.frame.separator
        self._pieces = [(one.request, one.piece()) for one in profile.series]
        self._answers = {one.name: re.compile(one.answer) for one in profile.request}
        self.questions: Sequence[Question] = [Question(one.name, one.data()) for one in profile.request]

    def splitter(self) -> Frames:
        return Frames(self._framing)

    def read(self, frame: Any, asked: Question | None) -> tuple[Mapping[str, float], Sequence[str]]:
        data = self._framing.data(frame)
        text = data.decode("latin-1")
        if asked is not None and not self._answers[asked.name].search(text):
            raise RemoteError("foreign", text[:64])
        values, lacking = self._values(data, text, asked)
        if asked is not None and not values and not lacking:
            raise RemoteError("foreign", text[:64])
        return values, lacking

    def _values(self, data: bytes, text: str, asked: Question | None) -> tuple[dict[str, float], list[str]]:
        places = text.split(self._separator) if self._separator else text.split()
        values: dict[str, float] = {}
        lacking: list[str] = []
        for request, piece in self._pieces:
            if request and (asked is None or request != asked.name):
                continue
            try:
                value = piece.value(data, text, places)
            except RemoteError as wrong:
                lacking.append(wrong.reason)
                continue
            if value is not None:
                values[piece.name] = value
        return values, lacking


def _create(config: LineConfig, context: Context) -> PortSource:
    profile, setup = set_up(config, open_line(config.profile, context.profiles), context)
    language = LineLanguage(profile)
    if language.questions:
        return AskedSource(setup, language, timeout_of(config, profile.defaults))
    return OverheardSource(setup, language)


def _check(config: LineConfig, context: Context) -> Iterator[Problem]:
    yield from check_asked(config, context.base)
    yield from check_profile(config, *open_line(config.profile, context.profiles))


FACTORY = Factory(LineConfig, _create, _check)
