"""What a cellular modem's lines mean (3GPP TS 27.007, 27.005): registration, signal, SIM, and what its error codes ask for. Pure."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from protocols.at_lines import Final


class Registration(Enum):
    """`<stat>` of +CREG and its kin (27.007 §7.2)."""

    IDLE = "idle"
    HOME = "home"
    SEARCHING = "searching"
    DENIED = "denied"
    UNKNOWN = "unknown"
    ROAMING = "roaming"

    @property
    def registered(self) -> bool:
        return self in (Registration.HOME, Registration.ROAMING)


_STATS: Mapping[int, Registration] = {
    0: Registration.IDLE,
    1: Registration.HOME,
    2: Registration.SEARCHING,
    3: Registration.DENIED,
    4: Registration.UNKNOWN,
    5: Registration.ROAMING,
    6: Registration.HOME,  # for SMS only: all that is wanted here
    7: Registration.ROAMING,  # the same
    8: Registration.IDLE,  # emergency calls only
    9: Registration.HOME,  # CSFB not preferred
    10: Registration.ROAMING,
}
_REGISTRATION = re.compile(r"\+(C5?G?E?REG):\s*(.*)")


def registration(line: str) -> tuple[str, Registration] | None:
    """Of a reply `<n>,<stat>,...` or an unasked `<stat>[,"area","cell",...]`: the second field tells which."""
    match = _REGISTRATION.fullmatch(line)
    if match is None:
        return None
    fields = [field.strip() for field in match[2].split(",")]
    at = 1 if len(fields) > 1 and re.fullmatch(r"\d\d?", fields[1]) else 0
    stat = _STATS.get(int(fields[at])) if re.fullmatch(r"\d\d?", fields[at]) else None
    return None if stat is None else (match[1], stat)


def signal(value: str) -> int | None:
    """`rssi,ber` of +CSQ as 0 to 100, linear in dB from -113 to -51 dBm; None where it is not known (99, 199)."""
    first = value.partition(",")[0].strip()
    if not first.isdecimal() or len(first) > 3:
        return None
    level = int(first)
    if level <= 31:
        return round(level * 100 / 31)
    return level - 100 if 100 <= level <= 191 else None  # TD-SCDMA: -116 dBm + (level - 100), about the same span


def decibels(value: str) -> int | None:
    """Of the same, in dBm."""
    first = value.partition(",")[0].strip()
    return -113 + 2 * int(first) if first.isdecimal() and len(first) < 3 and int(first) <= 31 else None


class Sim(Enum):
    """What +CPIN? says, as far as it makes a difference."""

    READY = "ready"
    PIN = "sim_pin"
    PUK = "sim_puk"
    ABSENT = "sim_absent"
    BUSY = "sim_busy"
    BROKEN = "sim_broken"


def sim(said: str | None, ended: Final) -> Sim:
    """Of the value of +CPIN or, without one, the error."""
    if said is not None:
        return {"READY": Sim.READY, "SIM PIN": Sim.PIN, "SIM PUK": Sim.PUK, "NOT INSERTED": Sim.ABSENT}.get(
            said, Sim.BROKEN if "PUK" not in said else Sim.PUK
        )
    return {"sim_absent": Sim.ABSENT, "sim_busy": Sim.BUSY, "sim_pin": Sim.PIN, "sim_puk": Sim.PUK}.get(
        cause(ended), Sim.BUSY if ended.word in ("ERROR", "timeout") else Sim.BROKEN
    )


CME: Mapping[int, str] = {
    3: "not_allowed",
    4: "not_supported",
    5: "sim_pin",
    10: "sim_absent",
    11: "sim_pin",
    12: "sim_puk",
    13: "sim_broken",
    14: "sim_busy",
    15: "sim_broken",
    16: "wrong_password",
    17: "sim_pin2",
    18: "sim_puk2",
    20: "memory_full",
    21: "bad_index",
    22: "not_found",
    23: "memory_failure",
    30: "no_network",
    31: "network_timeout",
    32: "emergency_only",
    100: "unknown",
    103: "illegal_ms",
    106: "illegal_me",
    107: "gprs_not_allowed",
    111: "plmn_not_allowed",
    112: "area_not_allowed",
    113: "roaming_not_allowed",
    515: "wait",
}  # fmt: skip  (27.007 §9.2; 515 is Huawei's "please wait, init or command processing in progress")


class Cause(NamedTuple):
    """`wait`: seconds until another try makes sense; None: never as it is. `doubt`: it may have gone out all the same."""

    reason: str
    wait: float | None = 30.0
    doubt: bool = False


NEVER = None
SOON, LATER, LONG = (
    30.0,
    120.0,
    3600.0,
)  # a passing state; a busy network; until somebody changes the contract or the SIM
CMS: Mapping[int, Cause] = {
    1: Cause("unassigned_number", NEVER),
    8: Cause("barred_by_operator", LONG),
    10: Cause("barred", LONG),
    17: Cause("network_failure", LATER),
    21: Cause("rejected", LATER),
    22: Cause("congestion", LATER),
    27: Cause("destination_out_of_order", LATER),
    28: Cause("unidentified_subscriber", LONG),
    29: Cause("facility_rejected", LONG),
    30: Cause("unknown_subscriber", LONG),
    38: Cause("network_out_of_order", LATER),
    41: Cause("temporary_failure", SOON),
    42: Cause("congestion", LATER),
    47: Cause("no_resources", LATER),
    50: Cause("not_subscribed", LONG),
    69: Cause("not_implemented", LONG),
    81: Cause("invalid_reference", SOON),
    95: Cause("invalid_message", NEVER),
    96: Cause("invalid_information", NEVER),
    97: Cause("message_type", NEVER),
    98: Cause("out_of_state", SOON),
    99: Cause("information_element", NEVER),
    111: Cause("protocol_error", SOON),
    127: Cause("interworking", LATER, doubt=True),
    128: Cause("telematic_interworking", NEVER),
    143: Cause("protocol_identifier", NEVER),
    144: Cause("coding_refused", NEVER),
    159: Cause("coding_refused", NEVER),
    175: Cause("command_refused", LONG),
    192: Cause("centre_busy", LATER),
    193: Cause("no_centre_subscription", LONG),
    194: Cause("centre_failure", LATER),
    195: Cause("invalid_address", NEVER),
    196: Cause("destination_barred", LONG),
    197: Cause("duplicate_refused", NEVER),
    198: Cause("validity_refused", NEVER),
    208: Cause("sim_storage_full", SOON),
    300: Cause("modem_failure", SOON),
    301: Cause("sms_service_reserved", SOON),
    302: Cause("not_allowed", SOON),
    303: Cause("not_supported", LONG),
    304: Cause("bad_pdu", NEVER),
    305: Cause("bad_text", NEVER),
    310: Cause("sim_absent", LATER),
    311: Cause("sim_pin", LATER),
    312: Cause("sim_pin", LATER),
    313: Cause("sim_broken", LATER),
    314: Cause("sim_busy", 5.0),
    315: Cause("sim_broken", LATER),
    316: Cause("sim_puk", LONG),
    320: Cause("memory_failure", SOON),
    321: Cause("bad_index", SOON),
    322: Cause("memory_full", 5.0),
    330: Cause("no_centre", LONG),
    331: Cause("no_network", SOON),
    332: Cause("network_timeout", SOON, doubt=True),
    340: Cause("no_acknowledgement_expected", SOON),
    500: Cause("unknown", SOON),
    512: Cause("modem_failure", SOON),
    515: Cause("wait", 5.0),
}
"""27.005 §3.2.5; below 128 the network's causes (24.011 annex E-2), 128 to 255 the service centre's (23.040 §9.2.3.22).
Waits are ours: no standard gives any."""

_IN_WORDS: Mapping[str, str] = {
    "sim not inserted": "sim_absent",
    "sim pin required": "sim_pin",
    "sim puk required": "sim_puk",
    "sim busy": "sim_busy",
    "sim failure": "sim_broken",
    "sim wrong": "sim_broken",
    "incorrect password": "wrong_password",
    "memory full": "memory_full",
    "no network service": "no_network",
    "network timeout": "network_timeout",
    "invalid pdu mode parameter": "bad_pdu",
    "sms service reserved": "sms_service_reserved",
    "smsc address unknown": "no_centre",
    "unknown error": "unknown",
}  # what a modem says that was set to AT+CMEE=2
_BY_REASON: Mapping[str, Cause] = {one.reason: one for one in reversed(list(CMS.values()))}


def cause(ended: Final) -> str:
    """The reason of a failure in one word."""
    if ended.word == "+CMS ERROR":
        return sending(ended).reason
    if ended.word == "+CME ERROR" and isinstance(ended.code, int):
        return CME.get(ended.code, f"cme_{ended.code}")
    if ended.word == "+CME ERROR":
        return _IN_WORDS.get(str(ended.code).strip().lower(), "unknown")
    return ended.word.lower().replace(" ", "_")


def sending(ended: Final) -> Cause:
    """What a refused AT+CMGS means for the message."""
    if ended.word == "+CMS ERROR" and isinstance(ended.code, int):
        return CMS.get(ended.code, Cause(f"cms_{ended.code}", SOON))
    reason = _IN_WORDS.get(str(ended.code).strip().lower(), "unknown") if ended.code is not None else cause(ended)
    if ended.word == "+CME ERROR":
        reason = cause(ended)
    return named(reason)


def named(reason: str) -> Cause:
    """What a refusal asks for whose reason is known by its word."""
    return _BY_REASON.get(reason, Cause(reason, SOON))
