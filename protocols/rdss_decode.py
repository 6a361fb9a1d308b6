"""What a BeiDou module and its host say to each other, for people: `fengsui decode beidou`. JSON-ready, never raises.

Every piece of the input gives a row: a sentence field by field, words, a frame of the 4.0 protocol, or what is wrong and
at which byte.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from protocols import rdss_four
from protocols.errors import RemoteError
from protocols.rdss import Flaw, Found, Sentence, Text, card_name, split
from protocols.rdss_card import Card, Ici, Icp
from protocols.rdss_content import Coding, shown
from protocols.rdss_feedback import Feedback
from protocols.rdss_message import CATEGORIES, Tci, Tcq, Txa, Txr
from protocols.rdss_request import Bss, Rmo
from protocols.rdss_signal import Bsi, Pwi
from protocols.rdss_time import zda

Decoded = dict[str, Any]
_LINE = re.compile(rb"[^\r\n]+")
_FRAME = re.compile(rb"\$[A-Z]{4}")
_MOST_SHOWN = 256  # bytes of what could not be read
# The fields of ICP in their order (RSMC module manuals).
ICP_NAMES = (
    "card", "broadcast", "authorisation", "user", "service", "encryption", "device", "rescue", "military", "civil",
    "allied", "priority", "capability", "interval_s", "level", "global_id", "global_permission", "global_interval_s",
    "global_level", "subordinates", "group_permission", "own_groups", "joined_groups",
)  # fmt: skip


def decode(data: bytes) -> Iterator[Decoded]:
    """The whole input in order."""
    at = 0
    for found in _FRAME.finditer(data):
        if found.start() >= at and rdss_four.starts(data, found.start()):
            yield from _lines(data[at : found.start()], at)
            at = found.start()
            try:
                row, length = rdss_four.decode_frame(data, at)
            except RemoteError as wrong:
                row, length = {"protocol": "4.0", **_error(wrong, wrong.offset or at)}, rdss_four.HEAD
            yield row
            at += length
    yield from _lines(data[at:], at)


def _lines(data: bytes, start: int) -> Iterator[Decoded]:
    for line in _LINE.finditer(data):
        at = 0
        for found in split(line[0]):
            if isinstance(found, Sentence):
                at = line[0].index(found.address.encode("ascii"), at)
                yield describe(found, start + line.start() + at)
                at += len(found.address) + len(found.body)
            else:
                yield describe(found, start + line.start())


def describe(found: Found, start: int = 0) -> Decoded:
    """One piece: a sentence whose address stands at byte `start`, or another of the line that begins there."""
    if isinstance(found, Text):
        return {"text": found.words}
    if isinstance(found, Flaw):
        data = found.data[:_MOST_SHOWN].decode("gbk", "backslashreplace")
        return {"error": found.reason, "offset": start + found.offset, "bytes": data}
    head: Decoded = {"sentence": found.address}
    try:
        return head | _SENTENCES.get(found.kind, _other)(found)
    except RemoteError as wrong:
        body = found.body[:_MOST_SHOWN].decode("gbk", "backslashreplace")
        return head | _error(wrong, start + (wrong.offset or 0)) | {"body": body}


def _error(wrong: RemoteError, offset: int) -> Decoded:
    return {"error": wrong.reason, "offset": offset, "detail": wrong.detail}


def _other(sentence: Sentence) -> Decoded:
    return {"fields": [part.decode("gbk", "backslashreplace") for part in sentence.parts()]}


def _capacity(card: Card, coding: Coding, point: int) -> Decoded:
    if not card.present:
        return {"present": False}
    return {"present": True, "bits": card.bits(point), "capacity_bytes": card.capacity(coding, point)}


def _ici(sentence: Sentence) -> Decoded:
    ici = Ici.parse(sentence)
    card = ici.card
    return {
        "protocol": "2.1",
        "card": card.number,
        "serial": ici.serial,
        "broadcast": card.broadcast,
        "feature": ici.feature,
        "commander": card.commander,
        "interval_s": card.interval,
        "level": ici.level,
        "encryption": ici.encryption,
        "subordinates": ici.subordinates,
        **_capacity(card, Coding.MIXED, 0),
    }


def _icp(sentence: Sentence) -> Decoded:
    icp = Icp.parse(sentence)
    named = dict(zip(ICP_NAMES, icp.texts, strict=False))
    card = icp.card
    whole = {"card": card.number, "interval_s": card.interval, "level": card.level}
    return {"protocol": "rsmc"} | named | whole | _capacity(card, Coding.HEX, 2)


def _bsi(sentence: Sentence) -> Decoded:
    bsi = Bsi.parse(sentence)
    return {
        "protocol": "2.1",
        "response_beam": bsi.response,
        "timing_beam": bsi.timing,
        "locked": bsi.locked,
        "powers": list(bsi.powers),
        "able": bsi.able(),
    }


def _pwi(sentence: Sentence) -> Decoded:
    pwi = Pwi.parse(sentence)
    return {
        "protocol": "rsmc",
        "time": pwi.clock,
        "acquired": pwi.acquired,
        "beams_bd2": [beam._asdict() for beam in pwi.second],
        "beams_bd3": [beam._asdict() for beam in pwi.third],
        "able": pwi.able(),
    }


def _fki(sentence: Sentence) -> Decoded:
    feedback = Feedback.parse(sentence)
    told: Decoded = {"protocol": "2.1", "rate_kept": feedback.rate}
    if feedback.clock is not None:
        told = {"protocol": "rsmc", "time": feedback.clock}
    return told | {
        "command": feedback.command,
        "sent": feedback.done,
        "code": feedback.code,
        "reason": feedback.reason,
        "wait_s": feedback.wait,
    }


def _txa(sentence: Sentence) -> Decoded:
    txa = Txa.parse(sentence)
    category = CATEGORIES.get(txa.category, txa.category)
    return {"protocol": "2.1", "to": card_name(txa.to), "category": category, **shown(txa.form, txa.content)}


def _tcq(sentence: Sentence) -> Decoded:
    tcq = Tcq.parse(sentence)
    return {
        "protocol": "rsmc",
        "to": card_name(tcq.to),
        "point": tcq.point,
        "confirm": tcq.confirm == "2",
        "period": tcq.period,
        "swapped": tcq.swapped,
        **shown(tcq.form, tcq.content),
    }


def _txr(sentence: Sentence) -> Decoded:
    txr = Txr.parse(sentence)
    return {
        "protocol": "2.1",
        "category": CATEGORIES.get(txr.category, txr.category),
        "from": card_name(txr.sender),
        "time": txr.clock,
        **shown(txr.form, txr.content),
    }


def _tci(sentence: Sentence) -> Decoded:
    tci = Tci.parse(sentence)
    return {
        "protocol": "rsmc",
        "from": card_name(tci.sender),
        "to": tci.to,
        "point": tci.point,
        "time": tci.clock,
        "flag": tci.flag,
        **shown(tci.form, tci.content),
    }


def _rmo(sentence: Sentence) -> Decoded:
    return dict(zip(("report", "mode", "period_s"), Rmo.parse(sentence), strict=True))


def _bss(sentence: Sentence) -> Decoded:
    return dict(zip(("response_beam", "timing_beam"), Bss.parse(sentence), strict=True))


def _zda(sentence: Sentence) -> Decoded:
    return {"unix": zda(sentence), **_other(sentence)}


_SENTENCES: Mapping[str, Callable[[Sentence], Decoded]] = {
    "ICI": _ici,
    "ICP": _icp,
    "BSI": _bsi,
    "PWI": _pwi,
    "FKI": _fki,
    "TXA": _txa,
    "TCQ": _tcq,
    "TXR": _txr,
    "TCI": _tci,
    "RMO": _rmo,
    "BSS": _bss,
    "ZDA": _zda,
}
