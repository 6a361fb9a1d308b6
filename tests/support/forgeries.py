"""What somebody with every genuine message and no key can make of them. Everything comes from a seeded chance.

`HARMLESS` are genuine messages none of which may sound a siren here, alone or together, so that whatever sounds after any
of this was sounded by mistake.
"""

import random
from collections.abc import Callable

from protocols import canonical, cose
from protocols.alert import ActionCode, Level, MsgType, Status, chain_of, digest_of
from protocols.seal import carry, uncarry
from tests.support.seals import T0, TEXT, sealed

ELSEWHERE = 620102  # another province
CANCELLED = chain_of("county", "cancelled")
BOTH = "county bureau"
HARMLESS = {
    "expired": sealed(BOTH, TEXT, seq=T0 - 7000, expires=T0 - 1),
    "elsewhere": sealed(BOTH, seq=T0 + 2, area=(ELSEWHERE,), chain=chain_of("county", "elsewhere")),
    "a test": sealed(BOTH, seq=T0 + 3, status=Status.TEST, chain=chain_of("county", "test")),
    "a draft": sealed(BOTH, seq=T0 + 4, status=Status.DRAFT, chain=chain_of("county", "draft")),
    "an exercise": sealed(BOTH, seq=T0 + 5, status=Status.EXERCISE, chain=chain_of("county", "exercise")),
    "one holder": sealed("county", TEXT, seq=T0 + 6, chain=chain_of("county", "one")),
    "one who may not sound": sealed("county watch", seq=T0 + 7, chain=chain_of("county", "watch")),
    "inform": sealed(
        BOTH, seq=T0 + 8, action=ActionCode.INFORM, event="11B03", level=Level.ORANGE, chain=chain_of("county", "rain")
    ),
    "a cancel": sealed("county", seq=T0 + 9, msg_type=MsgType.CANCEL, action=ActionCode.ALL_CLEAR, chain=CANCELLED),
    "cancelled": sealed(BOTH, seq=T0 + 1, chain=CANCELLED),
    "beyond one's level": sealed("small", issuer=5, seq=T0 + 10, chain=chain_of("small", "red")),
    "another's province": sealed("far", issuer=4, seq=T0 + 11, chain=chain_of("far", "x")),
}
FIRST = ("a cancel", *(name for name in HARMLESS if name != "a cancel"))  # its alert comes after it


def forgery(chance: random.Random) -> bytes:
    return chance.choice(TRICKS)(chance)


def _any(chance: random.Random) -> bytes:
    return chance.choice(list(HARMLESS.values()))


def replayed(chance: random.Random) -> bytes:
    return _any(chance)


def flipped(chance: random.Random) -> bytes:
    data = bytearray(_any(chance))
    for _ in range(chance.randrange(1, 4)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def cut(chance: random.Random) -> bytes:
    data = bytearray(_any(chance))
    at = chance.randrange(len(data))
    del data[at : at + chance.randrange(1, 80)]
    return bytes(data)


def grown(chance: random.Random) -> bytes:
    data, at = bytearray(_any(chance)), 0
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.choice(
        [b"\x00", b"\xd2", b"\xd8\x62", b"\x84", b"\x83\x01", b"\xd9\xd9\xf7", chance.randbytes(9)]
    )
    return bytes(data)


def spliced(chance: random.Random) -> bytes:
    one, other = _any(chance), _any(chance)
    return one[: chance.randrange(len(one))] + other[chance.randrange(len(other)) :]


def _parts(chance: random.Random) -> cose.Envelope:
    return cose.decode(uncarry(_any(chance))[0], 1024)


def stripped(chance: random.Random) -> bytes:
    """Some of its signatures, in another order, perhaps twice."""
    parts = _parts(chance)
    left = chance.choices(parts.signatures, k=chance.randrange(1, 4))
    return _sign(parts.payload, [[one.algorithm, {}, one.value] for one in left])


def headed(chance: random.Random) -> bytes:
    """Headers where none belong."""
    parts = _parts(chance)
    junk = chance.choice([{4: b"county"}, {1: -8}, {2: [4]}, {"x": 1}, {33: bytes(40)}])
    protected = chance.choice([cose.EDDSA, b"", b"\xa1\x01\x26", b"\xa2\x01\x27\x04\x41a", cose.SM2])
    signer = [protected, chance.choice([{}, junk]), parts.signatures[0].value]
    if chance.random() < 0.5:
        return cose.SIGN1_TAG + canonical.encode([signer[0], signer[1], parts.payload, signer[2]])
    return cose.SIGN_TAG + canonical.encode([chance.choice([b"", protected]), junk, parts.payload, [signer]])


def collected(chance: random.Random) -> bytes:
    """Signatures of several messages under one payload, that of one of them or a changed one."""
    payload = _parts(chance).payload
    if chance.random() < 0.7:
        payload = _reworded(payload, chance)
    taken = [chance.choice(_parts(chance).signatures) for _ in range(chance.randrange(1, 4))]
    if len(taken) == 1 and chance.random() < 0.5:
        return cose.SIGN1_TAG + canonical.encode([taken[0].algorithm, {}, payload, taken[0].value])
    return _sign(payload, [[one.algorithm, {}, one.value] for one in taken])


def _reworded(payload: bytes, chance: random.Random) -> bytes:
    fields = canonical.decode(payload, 1024)
    others = canonical.decode(_parts(chance).payload, 1024)
    for at in chance.sample(range(1, len(fields)), chance.randrange(1, 4)):
        fields[at] = others[at]
    if chance.random() < 0.5:
        fields[2], fields[10] = T0 + chance.randrange(100), T0 + 3600
    return canonical.encode(fields)


def retold(chance: random.Random) -> bytes:
    """With another text, another carrier, or its own text without it."""
    sealed_, _ = uncarry(_any(chance))
    text = chance.choice(["", TEXT, "立即转移", "x" * 4096, "\u202e" * 9])
    return chance.choice(
        [lambda: carry(sealed_, text), lambda: canonical.encode([2, sealed_, text]), lambda: sealed_]
    )()


def invented(chance: random.Random) -> bytes:
    """All words right, signed by nobody."""
    words = {"seq": T0 + chance.randrange(50), "chain": chance.randbytes(8), "text_digest": digest_of(TEXT)}
    return sealed(chance.choice(["nobody", "nobody else", "root 1", "nobody nobody2"]), **words)


def _sign(payload: bytes, signers: list[list[object]]) -> bytes:
    return cose.SIGN_TAG + canonical.encode([b"", {}, payload, signers])


Trick = Callable[[random.Random], bytes]
TRICKS: tuple[Trick, ...] = (
    replayed, flipped, flipped, cut, grown, spliced, stripped, headed, collected, collected, retold, invented,
)  # fmt: skip
