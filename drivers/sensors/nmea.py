"""NMEA 0183 instruments by profile: one Source listens to one stream and gives the newest value of each series per beat.

An instrument speaks when it likes, mostly ten times as often as anybody wants to know; what it says between two beats
is overtaken by what it says last.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drivers.api import Context, Factory, Problem, Told
from drivers.sensors.names import check_profile
from drivers.sensors.nmea_profile import NmeaProfile, open_nmea
from drivers.sensors.overheard import Ear, Overhearing
from drivers.sensors.port_source import PLAYED, PortConfig, Setup, check_port, set_up
from protocols.errors import RemoteError
from protocols.nmea import NmeaStream, Sentence
from protocols.nmea_decode import decode
from protocols.nmea_map import Pick
from protocols.nmea_time import TIMED, ReceiverTime

BUILD_YEAR = 2026  # no date before it is believed, nor more than twenty years after


class NmeaConfig(PortConfig, forbid_unknown_fields=True, kw_only=True):
    """`[[sensor]] driver = "nmea"`: one instrument on a port of its own. `checksum = false` believes sentences without, but no
    time that they tell; `time = false` believes none at all.
    """

    checksum: bool = True
    time: bool = True


class NmeaSource(Overhearing):
    """See `drivers.api.Source` and `drivers.api.Timekeeper`."""

    def __init__(self, config: NmeaConfig, profile: NmeaProfile, setup: Setup) -> None:
        super().__init__(setup)
        self._checksum = config.checksum
        self._picks = _by_sentence([one.pick() for one in profile.series if one.name in self._wanted])
        told = config.time and config.checksum and setup.address.scheme not in PLAYED
        self._time = ReceiverTime() if told else None

    def time(self) -> Told | None:
        said = self._time.newest if self._time is not None else None
        return None if said is None else Told(said.unix_ms, said.at)

    def _ear(self) -> Ear:
        return NmeaStream(checksum=self._checksum).receive

    def _take(self, frame: Sentence) -> None:
        if frame.kind not in self._picks and not self._tells_time(frame):
            return
        try:
            decoded = decode(frame, BUILD_YEAR)
        except RemoteError as wrong:
            self._counters[wrong.reason] += 1
            return
        at = self._now()
        if self._time is not None and self._tells_time(frame):
            self._time.take(frame.kind, decoded, at)
        if frame.kind in self._picks:
            self._keep(*self._picked(frame.kind, decoded), at)

    def _tells_time(self, sentence: Sentence) -> bool:
        return self._time is not None and sentence.talker != "P" and sentence.kind in TIMED

    def _picked(self, kind: str, decoded: Mapping[str, Any]) -> tuple[dict[str, float], list[str]]:
        """The newest of each series that is made of this sentence."""
        values: dict[str, float] = {}
        lacking: list[str] = []
        for pick in self._picks[kind]:
            try:
                values.update((pick.name, value) for value in pick.values(decoded))
            except RemoteError as wrong:
                lacking.append(wrong.reason)
        return values, lacking


def _by_sentence(picks: Sequence[Pick]) -> dict[str, list[Pick]]:
    found: dict[str, list[Pick]] = {}
    for pick in picks:
        found.setdefault(pick.kind, []).append(pick)
    return found


def _create(config: NmeaConfig, context: Context) -> NmeaSource:
    return NmeaSource(config, *set_up(config, open_nmea(config.profile, context.profiles), context))


def _check(config: NmeaConfig, context: Context) -> Iterator[Problem]:
    yield from check_port(config, context.base)
    yield from check_profile(config, *open_nmea(config.profile, context.profiles))


FACTORY = Factory(NmeaConfig, _create, _check)
