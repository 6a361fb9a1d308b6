"""Which known device is this? Every profile's own registers are tried, and what exists, what is refused and what is plausible
is weighed. A confidence is no proof: two makers may use one map.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from drivers.scan.prober import Prober
from drivers.sensors.modbus_profile import ModbusProfile, ModbusSeries
from drivers.sensors.nmea_profile import NmeaProfile
from drivers.sensors.sdi12_profile import Sdi12Profile
from protocols.errors import RemoteError
from protocols.modbus_pdu import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE, Request
from protocols.modbus_plan import Block, Planner
from protocols.scan_plan import Setting, allowed

TRIES = 2  # of a request that was not answered at all
PATIENCE = 0.3  # seconds at least: here somebody is known to answer
LEAST_CONFIDENCE = 0.3
MOST_CONFIDENCE = 0.95
MOST_CANDIDATES = 5
# Shares of a confidence, of one that every register of a profile speaks for. By trial on all shipped profiles.
BASE, COVERED, UNIT, SPEED = 0.45, 0.45, 0.05, 0.05
ALL_ZERO = 0.5  # a device without its sensors, or one that answers 0 to everything
LEAST_FLOAT = 1e-30  # what two small whole numbers are, read as one real number: no instrument measures so little


@dataclass(frozen=True, slots=True)
class Candidate:
    profile: str
    title: str
    confidence: float
    good: int  # registers that exist and hold something plausible
    of: int


Address = tuple[int, int]
"""Function and register."""


class Examiner:
    """One device under examination. What it has told once, of whatever profile's sake, is not asked again."""

    def __init__(self, prober: Prober, unit: int, patience: float) -> None:
        self._prober, self._unit, self._patience = prober, unit, max(patience, PATIENCE)
        self._asked: dict[Request, tuple[int, ...] | int | None] = {}
        self._words: dict[Address, int] = {}
        self._absent: set[tuple[int, int, int]] = set()  # function, first and last: not all of these are there
        self._no_function: set[int] = set()

    @property
    def exists(self) -> set[Address]:
        return set(self._words)

    async def read(self, request: Request) -> tuple[int, ...] | int | None:
        """The words; or the code of a refusal; or None for silence, and for what is not asked in a scan."""
        addresses = [(request.function, request.address + place) for place in range(request.count)]
        if all(address in self._words for address in addresses):
            return tuple(self._words[address] for address in addresses)
        if request.function in self._no_function:
            return ILLEGAL_FUNCTION
        if any(addresses[0] <= (fc, first) and (fc, last) <= addresses[-1] for fc, first, last in self._absent):
            return ILLEGAL_ADDRESS
        if request not in self._asked:
            self._asked[request] = await self._ask(request) if allowed(request) else None
        answer = self._asked[request]
        if isinstance(answer, tuple):
            self._words |= zip(addresses, answer, strict=True)
        elif answer == ILLEGAL_ADDRESS:
            self._absent.add((*addresses[0], addresses[-1][1]))
        elif answer == ILLEGAL_FUNCTION:
            self._no_function.add(request.function)
        return answer

    async def _ask(self, request: Request) -> tuple[int, ...] | int | None:
        for _ in range(TRIES):
            outcome = await self._prober.ask(self._unit, request, self._patience)
            if outcome.answered:
                return outcome.values if outcome.values is not None else outcome.refused
        return None

    async def words_of(self, profile: ModbusProfile) -> dict[str, Sequence[int]]:
        """What the device has of a profile: series → words. Not all of them, of one that it lacks too much of to be a candidate."""
        planner = Planner([one.register() for one in profile.series], profile.planned())
        waiting, found = planner.blocks()[::-1], dict[str, Sequence[int]]()
        if not await self._begins(waiting[-1]) and not await self._begins(waiting[0]):
            return found
        lacking, bearable = 0, (1 - LEAST_CONFIDENCE) * len(profile.series)
        while waiting and lacking <= bearable:
            block = waiting.pop()
            answer = await self.read(Request(block.function, block.address, block.count))
            if isinstance(answer, tuple):
                found |= {one.name: block.words(one, answer) for one in block.registers}
            elif answer in (ILLEGAL_ADDRESS, ILLEGAL_VALUE) or not _as_a_whole(block):
                parts = planner.learn(block) if found or await self._any(block) else []
                waiting += parts[::-1]
                lacking += 0 if parts else len(block.registers)
            elif not found:
                break  # silent, or no such function: nothing of this profile is here
        return found

    async def signs(self, profile: ModbusProfile) -> bool:
        """Has the device all by which its maker lets it be known?"""
        for one in profile.signature:
            answer = await self.read(Request(one.fc, one.address, 1))
            if not isinstance(answer, tuple) or answer[0] & one.mask != one.value:
                return False
        return True

    async def _begins(self, block: Block) -> bool:
        """Does it begin with something? A short question, and often one that another profile has asked: most are out with it."""
        one = block.registers[0]
        first = Request(one.function, one.address, one.width)
        return not allowed(first) or isinstance(await self.read(first), tuple)

    async def _any(self, block: Block) -> bool:
        """Does a refused block begin or end with something? If not, it is not taken apart register by register."""
        for one in (block.registers[0], block.registers[-1]):
            if isinstance(await self.read(Request(one.function, one.address, one.width)), tuple):
                return True
        return False


def _as_a_whole(block: Block) -> bool:
    return allowed(Request(block.function, block.address, block.count))


async def identify(
    prober: Prober, unit: int, profiles: Sequence[ModbusProfile], patience: float
) -> tuple[list[Candidate], list[Address]]:
    """Who it may be, the likeliest first; and the registers that were seen to exist."""
    examiner = Examiner(prober, unit, patience)
    found = [(profile, await examiner.words_of(profile)) for profile in profiles]
    found = [(profile, words) for profile, words in found if words and await examiner.signs(profile)]
    setting = prober.setting
    weighed = [weigh(profile, words, examiner.exists, unit, setting) for profile, words in found]
    likely = sorted(
        (one for one in weighed if one.confidence >= LEAST_CONFIDENCE), key=lambda one: (-one.confidence, -one.of)
    )
    return likely[:MOST_CANDIDATES], sorted(examiner.exists)


def weigh(
    profile: ModbusProfile, words: Mapping[str, Sequence[int]], exists: set[Address], unit: int, setting: Setting
) -> Candidate:
    """How well a profile explains a device that has `exists`. Pure."""
    good = sum(one.name in words and _plausible(one, words[one.name]) for one in profile.series)
    share = good / len(profile.series)
    functions = {one.fc for one in profile.series}
    seen = {address for address in exists if address[0] in functions}
    listed = {(one.fc, one.address + place) for one in profile.series for place in range(one.register().width)}
    listed |= {(one.fc, address) for one in profile.limits.readable for address in range(one.first, one.last + 1)}
    covered = len(seen & listed) / len(seen) if seen else 0.0
    defaults = profile.defaults
    confidence = share * (
        BASE
        + COVERED * covered
        + UNIT * (unit == defaults.unit)
        + SPEED * (setting == Setting(defaults.baud, defaults.parity))
    )
    if not any(word for one in words.values() for word in one):
        confidence *= ALL_ZERO
    if profile.signature:  # which it has, or it would not be weighed
        confidence = MOST_CONFIDENCE
    return Candidate(profile.name, profile.title, round(min(confidence, MOST_CONFIDENCE), 2), good, len(profile.series))


def _plausible(one: ModbusSeries, words: Sequence[int]) -> bool:
    try:
        value = one.register().decode(words)
    except RemoteError as wrong:
        return wrong.reason == "missing"
    if not isfinite(value) or 0 < abs(value) < LEAST_FLOAT:
        return False
    return one.span is None or one.span[0] <= value <= one.span[1]


def match_sentences(said: Sequence[str], profiles: Sequence[NmeaProfile]) -> list[Candidate]:
    """NMEA profiles by the sentences that were heard: `WIMWV` is MWV of whatever talker."""
    kinds = {one[2:] for one in said}
    found = []
    for profile in profiles:
        wanted = {one.sentence for one in profile.series}
        share = len(wanted & kinds) / len(wanted | kinds)
        good = sum(one.sentence in kinds for one in profile.series)
        if good:
            found.append(
                Candidate(profile.name, profile.title, round(share * MOST_CONFIDENCE, 2), good, len(profile.series))
            )
    return sorted(found, key=lambda one: -one.confidence)[:MOST_CANDIDATES]


def match_identity(identity: str, profiles: Sequence[Sdi12Profile]) -> list[Candidate]:
    """SDI-12 profiles by what a probe says of itself; of several, the one that knows more of the name goes first."""
    fitting = [one for one in profiles if one.signature and re.search(one.signature, identity)]
    fitting.sort(key=lambda one: -len(one.signature))
    return [Candidate(one.name, one.title, MOST_CONFIDENCE, len(one.series), len(one.series)) for one in fitting]
