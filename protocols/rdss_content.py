"""What a short message carries, in each of its forms: Chinese text, digits ("code"), or both mixed. Pure.

Binary goes out as mixed (`A4` and hex, 2.1 protocol) or as code; where a module's firmware takes decimal digits only, as
one long number, told from hex by its odd count of digits.
"""

import re
from enum import Enum

from protocols.errors import LocalError, RemoteError

MARK = b"A4"  # opens mixed content; on the air one byte of the message
_HEX = re.compile(rb"[0-9A-Fa-f]*")
_CHECK = 97  # ISO 7064 MOD 97-10: two digits that find a digit altered or padded
_CHECK_DIGITS = 2
_LEAST_PADDED = 20  # digits: below, hex could pass for a padded number by chance
_MOST_DIGITS = 4096  # more than the 3,500 of a BD-3 message, fewer than Python refuses to convert
_MOST_BYTES = 1_600  # of a datagram in decimal digits: more than 3,500 hold, and what _MOST_DIGITS would


class Form(Enum):
    """How content is meant. The numbers differ between 2.1 and BD-3; see their files."""

    HANZI = "hanzi"  # GBK; 14 bits a character on the air
    CODE = "code"  # 4 bits a digit
    MIXED = "mixed"  # bytes behind the mark
    COMPRESSED_HANZI = "compressed-hanzi"
    COMPRESSED_CODE = "compressed-code"


class Coding(Enum):
    """How datagrams are put into content."""

    MIXED = "mixed"
    HEX = "hex"
    DECIMAL = "decimal"

    @property
    def form(self) -> Form:
        return Form.MIXED if self is Coding.MIXED else Form.CODE


def capacity(bits: int, coding: Coding) -> int:
    """Bytes of a datagram that a message of so many bits can carry."""
    if coding is Coding.MIXED:
        return max(bits // 8 - 1, 0)
    digits = bits // 4
    if coding is Coding.HEX:
        return digits // 2
    odd = digits - 1 + digits % 2
    if odd <= _CHECK_DIGITS:
        return 0
    largest: int = 10 ** (odd - _CHECK_DIGITS)
    return max((largest.bit_length() - 2) // 8, 0)


def write(data: bytes, coding: Coding) -> bytes:
    """A datagram as content."""
    if coding is Coding.DECIMAL:
        return _decimal(data)
    digits = data.hex().upper().encode()
    return MARK + digits if coding is Coding.MIXED else digits


def read(form: Form, content: bytes) -> bytes:
    """The bytes that were meant, whoever wrote them: text as GBK. RemoteError `content` for digits that are none."""
    if form is Form.CODE:
        return _code(content)
    if form is Form.MIXED:
        return _mixed(content)
    if form is Form.HANZI:
        return _hanzi(content)
    return content


def _code(content: bytes) -> bytes:
    if not _HEX.fullmatch(content):
        raise RemoteError("content", "code with other than digits")
    found = _undecimal(content)
    if found is not None:
        return found
    if len(content) % 2:
        raise RemoteError("content", "an odd count of digits")
    return bytes.fromhex(content.decode("ascii"))


def _mixed(content: bytes) -> bytes:
    """Behind the mark hex, or raw; the mark is two digits, or the one byte."""
    if content[:1] == b"\xa4":
        return content[1:]
    marked = content[:2].upper() == MARK
    if len(content) % 2 == 0 and _HEX.fullmatch(content):
        return bytes.fromhex(content.decode("ascii"))[1 if marked else 0 :]
    return content[2:] if marked else content


def _hanzi(content: bytes) -> bytes:
    """Raw GBK, or the hex of it: then it is GBK with at least one character beyond ASCII."""
    if content and len(content) % 2 == 0 and _HEX.fullmatch(content):
        shown = bytes.fromhex(content.decode("ascii"))
        if not shown.isascii() and is_gbk(shown):
            return shown
    return content


def is_gbk(data: bytes) -> bool:
    try:
        data.decode("gbk")
    except UnicodeDecodeError:
        return False
    return True


def _decimal(data: bytes) -> bytes:
    """One long number: the bytes behind a leading 1 byte, then two check digits; of odd length, which hex never has."""
    if len(data) > _MOST_BYTES:
        raise LocalError("length", f"{len(data)} bytes")
    number = int.from_bytes(b"\x01" + data, "big") * 100
    number += (1 - number) % _CHECK
    digits = str(number)
    return digits.zfill(len(digits) + 1 - len(digits) % 2).encode("ascii")


def _undecimal(content: bytes) -> bytes | None:
    """Of digits written by `_decimal`, also where a module has padded them to an even count; None of others."""
    if len(content) % 2 == 0:
        if len(content) < _LEAST_PADDED or content[-1:] not in (b"0", b"F", b"f"):
            return None
        content = content[:-1]
    if not (content.isdigit() and _CHECK_DIGITS < len(content) <= _MOST_DIGITS):
        return None
    whole = int(content) // 100
    data = whole.to_bytes((whole.bit_length() + 7) // 8, "big")[1:]
    return data if _decimal(data) == content else None


def shown(form: Form, content: bytes) -> dict[str, str]:
    """For a person: the form, the bytes as hex where they are bytes, and the text where it reads as GBK."""
    if form is Form.CODE and len(content) % 2 and _HEX.fullmatch(content) and _undecimal(content) is None:
        return {"form": form.value, "digits": content.decode("ascii")}
    data = read(form, content)
    found = {"form": form.value, "bytes": data.hex()}
    text = data.decode("gbk", "replace")
    if data and "\ufffd" not in text and text.isprintable():
        found["text"] = text
    return found
