"""The issuer's desk: alerts and key-sets from what people write (options, JSON, TOML, CAP). For `fengsui warn`."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from agent.keys import load_key
from protocols import alert_cbor, cose
from protocols.alert import ActionCode, Alert, Level, MsgType, Permission, Status, chain_of, digest_of, next_seq
from protocols.area import Item, code_text, parse_code
from protocols.envelope import warning
from protocols.errors import LocalError
from protocols.keyring import Holder, Key, Keyring
from protocols.seal import uncarry

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

LARGEST = 1 << 20  # bytes of a file that describes an alert
WORDS = frozenset(
    "issuer area event level action status msg_type sender identifier text minutes seq last".split()  # noqa: SIM905
)
DAY = 86_400
MINUTES = 60.0  # an alert holds for an hour unless it says otherwise


class HolderWords(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    issuers: list[int]


class KeyWords(msgspec.Struct, forbid_unknown_fields=True):
    holder: str
    public: str
    may: list[str]
    areas: list[str]
    level: str = "red"
    days: int = 365


class KeysetWords(msgspec.Struct, forbid_unknown_fields=True):
    number: int
    holder: list[HolderWords]
    key: list[KeyWords]


def load_keys(files: Sequence[Path]) -> "list[Ed25519PrivateKey]":
    return [load_key(file) for file in files]


def keyset_from(file: Path, now: int) -> Keyring:
    """The key-set that a TOML file describes, valid from now. ValueError says what is wrong in it."""
    words = msgspec.convert(tomllib.loads(file.read_text("utf-8")), KeysetWords)
    keys = tuple(
        Key(
            key.holder,
            bytes.fromhex(key.public),
            _permissions(key.may),
            tuple(_code(area) for area in key.areas),
            Level[_name(key.level)],
            now,
            now + key.days * DAY,
        )
        for key in words.key
    )
    return Keyring(words.number, now, tuple(Holder(h.name, tuple(h.issuers)) for h in words.holder), keys)


def draft(file: Path | None, given: Mapping[str, Any], now: int) -> tuple[Alert, str]:
    """The alert that `given` options describe, over what a JSON or a CAP 1.2 file says, and its text."""
    if file is None:
        return alert_from(given, now)
    data = file.read_bytes()[: LARGEST + 1]
    if len(data) > LARGEST:
        raise LocalError("oversize", f"{file} has more than {LARGEST} bytes")
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return alert_from_cap(data, given, now)
    words = json.loads(data)
    if not isinstance(words, dict) or not words.keys() <= WORDS:
        raise LocalError("words", f"{file}: one JSON object with some of {', '.join(sorted(WORDS))} is wanted")
    return alert_from(words | dict(given), now)


def alert_from_cap(data: bytes, given: Mapping[str, Any], now: int) -> tuple[Alert, str]:
    """A CAP message asks for nothing: its action is `inform` unless the options raise it (decision 70)."""
    from protocols.cap_alert import Desk, to_alert
    from protocols.cap_xml import read_cap

    if "issuer" not in given:
        raise LocalError("missing", "give --issuer")
    desk = Desk(
        action=ActionCode[_name(given.get("action", "inform"))],
        level=Level[_name(given["level"])] if "level" in given else None,
        event=given.get("event", ""),
        area=tuple(_code(area) for area in given.get("area", ())),
    )
    seq = given.get("seq", next_seq(given.get("last", 0), now))
    made = to_alert(read_cap(data), given["issuer"], seq, now, desk)
    return made.alert, made.text


def alert_from(words: Mapping[str, Any], now: int) -> tuple[Alert, str]:
    """The alert and its text. LocalError names the word that is missing."""
    for wanted in ("issuer", "area", "event", "level", "action"):
        if wanted not in words:
            raise LocalError("missing", f"give --{wanted}")
    if ("sender" in words) != ("identifier" in words):
        raise LocalError("missing", "--sender and --identifier go together: they name the event's first message")
    seq = words.get("seq", next_seq(words.get("last", 0), now))
    text = str(words.get("text", ""))
    sender = str(words.get("sender", f"issuer {words['issuer']}"))
    alert = Alert(
        issuer=words["issuer"],
        seq=seq,
        status=Status[_name(words.get("status", "exercise"))],
        msg_type=MsgType[_name(words.get("msg_type", "alert"))],
        chain=chain_of(sender, str(words.get("identifier", seq))),
        event=words["event"],
        level=Level[_name(words["level"])],
        action=ActionCode[_name(words["action"])],
        onset=None,
        expires=now + round(float(words.get("minutes", MINUTES)) * 60),
        area=tuple(_code(area) for area in words["area"]),
        text_digest=digest_of(text),
    )
    return alert, text


def read_sealed(data: bytes) -> Alert:
    """The alert inside a seal, unverified: only to know where to publish it and what to ask first."""
    sealed, _text_beside = uncarry(data)
    return alert_cbor.decode(cose.decode(sealed, alert_cbor.MAX_PAYLOAD).payload)


def areas_of(alert: Alert) -> list[str]:
    """Codes of an alert as people write them; an area that is only a shape is published to all."""
    return [_text(item) for item in alert.area]


def topics_of(alert: Alert, root: str) -> list[str]:
    """Where it is published: once for each of its areas."""
    return [warning(root, area, str(alert.issuer), alert.seq) for area in dict.fromkeys(areas_of(alert))]


def _text(item: Item) -> str:
    return code_text(item) if isinstance(item, int) else "all"


def _code(text: str) -> int:
    return parse_code(str(text))


def _name(word: str) -> str:
    return str(word).upper().replace("-", "_")


def _permissions(names: Sequence[str]) -> Permission:
    granted = Permission.NONE
    for name in names:
        granted |= Permission[_name(name)]
    return granted
