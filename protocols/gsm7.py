"""The GSM 7 bit default alphabet and its extension (3GPP TS 23.038 §6.2.1): text ↔ septets ↔ packed octets. Pure."""

from protocols.errors import LocalError

ESCAPE = 0x1B
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)  # place = septet; 0x1B escapes to the extension
EXTENSION = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip
_SEPTETS = {character: bytes((place,)) for place, character in enumerate(BASIC) if place != ESCAPE}
_SEPTETS |= {character: bytes((ESCAPE, place)) for place, character in EXTENSION.items()}


def covers(text: str) -> bool:
    """Every character has a place in it."""
    return all(character in _SEPTETS for character in text)


def encode(text: str) -> bytes:
    """One septet a byte. LocalError `gsm7` with the place of the character that has none."""
    try:
        return b"".join([_SEPTETS[character] for character in text])
    except KeyError as missing:
        raise LocalError("gsm7", "not in the alphabet", text.index(missing.args[0])) from None


def decode(septets: bytes) -> str:
    """Any septets are a text: an escape to what is not in the extension gives the basic character, two give a space."""
    found: list[str] = []
    escaped = False
    for septet in septets:
        if escaped:
            found.append(" " if septet == ESCAPE else EXTENSION.get(septet, BASIC[septet & 0x7F]))
            escaped = False
        elif septet == ESCAPE:
            escaped = True
        else:
            found.append(BASIC[septet & 0x7F])
    return "".join(found)


def pack(septets: bytes, fill: int = 0) -> bytes:
    """Seven bits each, low bits first, behind `fill` bits that align them with a header."""
    number = 0
    for septet in reversed(septets):
        number = number << 7 | (septet & 0x7F)
    return (number << fill).to_bytes(octets(len(septets), fill), "little")


def unpack(data: bytes, count: int, fill: int = 0) -> bytes:
    """The first `count` septets behind `fill` bits; LocalError where there are not so many."""
    if octets(count, fill) > len(data):
        raise LocalError("septets", f"{count} are not in {len(data)} octets")
    number = int.from_bytes(data, "little") >> fill
    return bytes([number >> 7 * place & 0x7F for place in range(count)])


def octets(count: int, fill: int = 0) -> int:
    """That so many septets need."""
    return (7 * count + fill + 7) // 8
