"""How few requests read a set of registers. Pure.

Neighbours go together while the gap between them and the span of the whole stay small. A gap is crossed only over
addresses that the map lists, unless the device is known to allow more: many cheap probes answer exception 2 or 3 to a
request that touches an address they do not have. Where one does so all the same, the split that helped is learned.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from protocols.errors import RemoteError
from protocols.modbus_decoder import Decode, decoder
from protocols.modbus_map import Register
from protocols.modbus_pdu import MOST, READS_BITS

GAP = 12
"""Registers: at 9600 baud they cost 25 ms; a request of its own 13 characters (14 ms), the pause before it (10 ms) and 5 ms
until the quickest device answers.
"""
BITS_A_WORD = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What a device bears: `most` registers at once, `gap` unused ones between, `allow_gaps` over unlisted addresses.
    `readable` are (function, first, last) that hold no series but may be read.
    """

    most: int = 125
    gap: int = GAP
    allow_gaps: bool = False
    readable: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """One request and whose values its answer holds."""

    function: int
    address: int
    count: int
    registers: tuple[Register, ...]
    _decoders: tuple[tuple[str, int, Decode], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        steps = [(one.name, one.address - self.address, decoder(one)) for one in self.registers]
        object.__setattr__(self, "_decoders", tuple(steps))

    def values(self, answer: Sequence[int]) -> tuple[dict[str, float], list[RemoteError]]:
        """What the answer says, by name, and why of some registers it says nothing."""
        values: dict[str, float] = {}
        lacking: list[RemoteError] = []
        for name, at, decode in self._decoders:
            try:
                values[name] = decode(answer, at)
            except RemoteError as wrong:
                lacking.append(wrong)
        return values, lacking

    def words(self, register: Register, answer: Sequence[int]) -> Sequence[int]:
        start = register.address - self.address
        return answer[start : start + register.width]


@dataclass(slots=True)
class Planner:
    """The plan for one device. `learn` is told of a block that was refused, and splits it from now on."""

    registers: Sequence[Register]
    limits: Limits = Limits()
    listed: Iterable[Register] = ()  # all of the map, when only some are wanted
    _splits: set[tuple[int, int]] = field(default_factory=set)  # (function, address) where a block must begin
    _listed: set[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        spans = [(one.function, one.address, one.address + one.width - 1) for one in (*self.registers, *self.listed)]
        self._listed = {
            (function, address)
            for function, first, last in (*spans, *self.limits.readable)
            for address in range(first, last + 1)
        }

    def blocks(self) -> list[Block]:
        """All requests of one cycle."""
        inorder = sorted(self.registers, key=lambda one: (one.function, one.address, one.bit))
        found: list[Block] = []
        for _function, group in groupby(inorder, key=lambda one: one.function):
            run: list[Register] = []
            for register in group:
                if run and not self._joins(run, register):
                    found.append(_block(run))
                    run = []
                run.append(register)
            found.append(_block(run))
        return found

    def learn(self, refused: Block) -> list[Block]:
        """The blocks that now take its place; none when there is nothing left to split."""
        cut = _weakest(refused.registers)
        if cut is None:
            return []
        self._splits.add((cut.function, cut.address))
        inside = {one.name for one in refused.registers}
        return [block for block in self.blocks() if {one.name for one in block.registers} <= inside]

    @property
    def splits(self) -> frozenset[tuple[int, int]]:
        return frozenset(self._splits)

    def _joins(self, run: Sequence[Register], register: Register) -> bool:
        if (register.function, register.address) in self._splits:
            return register.address < _end(run)  # bits of one register cannot be parted
        unit = BITS_A_WORD if register.function in READS_BITS else 1
        end = max(_end(run), register.address + register.width)
        if end - run[0].address > min(self.limits.most * unit, MOST[register.function]):
            return False
        gap = range(_end(run), register.address)
        if len(gap) > self.limits.gap * unit:
            return False
        return self.limits.allow_gaps or all((register.function, address) in self._listed for address in gap)


def _end(run: Sequence[Register]) -> int:
    return max(one.address + one.width for one in run)


def _block(run: Sequence[Register]) -> Block:
    return Block(run[0].function, run[0].address, _end(run) - run[0].address, tuple(run))


def _weakest(registers: Sequence[Register]) -> Register | None:
    """Where to split: at the widest gap, else in the middle; never inside a register."""
    cuts = [(n, b.address - a.address - a.width, b) for n, (a, b) in enumerate(pairwise(registers), 1)]
    whole = [cut for cut in cuts if cut[1] >= 0]
    if not whole:
        return None
    return max(whole, key=lambda cut: (cut[1], -abs(2 * cut[0] - len(registers))))[2]
