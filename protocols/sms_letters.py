"""Data as text, for networks and gateways that pass no 8-bit messages: base64url behind a sign. Pure.

Every character of it takes one septet (TS 23.038). Gateways that take the alphabet for ASCII change `_` into `§`, careless
web forms change `+` into a space; all of these are read.
"""

import re
from base64 import b64decode, urlsafe_b64encode

SIGN = "="
MOST = 119  # bytes: 159 characters behind the sign
_LETTERS = re.compile(r"[A-Za-z0-9+/_§ -]+")
_MENDED = str.maketrans({"-": "+", " ": "+", "_": "/", "§": "/"})


def wrap(data: bytes) -> str:
    return SIGN + urlsafe_b64encode(data).decode("ascii").rstrip("=")


def unwrap(text: str) -> bytes | None:
    """None where it is a text of people."""
    letters = text[len(SIGN) :]
    if not text.startswith(SIGN) or not _LETTERS.fullmatch(letters) or len(letters) % 4 == 1:
        return None
    return b64decode(letters.translate(_MENDED) + "=" * (-len(letters) % 4))
