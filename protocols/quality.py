"""Quality of a reading: a QARTOD primary flag with the reasons for it.

Flags are those of the IOOS QARTOD manuals (1 pass, 2 not evaluated, 3 suspect, 4 fail, 9 missing). A quality travels as
one small integer, `flag | reasons << 4`, so that good is 1 and costs nothing when packed.
"""

from enum import IntEnum, IntFlag


class Flag(IntEnum):
    GOOD = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    BAD = 4
    MISSING = 9


class Reason(IntFlag):
    RANGE = 1
    RATE = 2
    FLAT = 4
    SPIKE = 8
    STALE = 16
    CLOCK = 32
    SIMULATED = 64


GOOD = int(Flag.GOOD)
NOT_EVALUATED = int(Flag.NOT_EVALUATED)

# The worse of two flags wins; "missing" is worse than anything, "not evaluated" better than suspect.
_RANK = {1: 0, 2: 1, 3: 2, 4: 3, 9: 4}


def quality(flag: int, reasons: int = 0) -> int:
    """Pack a flag and its reason bits."""
    return int(flag) | int(reasons) << 4


def flag_of(packed: int) -> Flag:
    """The primary flag; ValueError for one QARTOD does not know."""
    return Flag(packed & 0xF)


def reasons_of(packed: int) -> Reason:
    return Reason(packed >> 4 & 0x7F)


def worse(a: int, b: int) -> int:
    """Both qualities in one: the worse flag, all reasons."""
    flag = max(a & 0xF, b & 0xF, key=lambda f: _RANK.get(f, 4))
    return flag | (a | b) & ~0xF
