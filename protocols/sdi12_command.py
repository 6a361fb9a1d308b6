"""SDI-12 commands, v1.3 and the metadata and high-volume commands of v1.4, both ways. Pure: knows no answer and no time."""

import re
from dataclasses import dataclass

from protocols.errors import LocalError, RemoteError

ANYBODY = "?"  # v1.3 §4.4.6: answered by every sensor, so for a line with one
STARTS = frozenset({"M", "C", "V", "HA", "HB"})  # what begins a measurement and is answered with when and how much
MOST_PAGES = {"R": 10, "D": 1000, "DB": 1000}  # D0 to D9; after HA and HB D0 to D999 (v1.4 §5)

_ADDRESS = re.compile(r"[0-9A-Za-z]", re.ASCII)
_COMMAND = re.compile(
    r"""(?P<address>[0-9A-Za-z?])
    (?: (?P<identify>I(?=[MCVRH]))?
        (?: (?P<verb>[MCR])(?P<crc>C?)(?P<index>[0-9]?) | (?P<plain>V|HA|HB) )
        (?: _(?P<parameter>[0-9]{3}) )?
      | (?P<data>DB|D)(?P<page>[0-9]{1,3})
      | A(?P<new>[0-9A-Za-z])
      | X(?P<extended>[ -~]{0,72})
      | (?P<ask>I)
    )?!""",
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Command:
    """`verb` is the letters of v1.3 table 5: "" acknowledge, I, A, M, C, V, R, D, X; of v1.4 HA, HB and DB.

    `identify` asks what a measurement would be without making it (aIM!), with `parameter` what one of its values is
    (aIM_001!). `extra` is the new address of A and all that follows X.
    """

    address: str
    verb: str = ""
    index: int = 0
    crc: bool = False
    identify: bool = False
    parameter: int | None = None
    extra: str = ""

    def __post_init__(self) -> None:
        if _COMMAND.fullmatch(self.text) is None:
            raise LocalError("command", self.text)

    @property
    def text(self) -> str:
        """As it goes over the wire: the index 0 of a measurement is left out, that of a page is not."""
        shown = str(self.index) if self.index or self.verb in MOST_PAGES else ""
        asked = "" if self.parameter is None else f"_{self.parameter:03d}"
        metadata, checked = "I" * self.identify, "C" * self.crc
        return f"{self.address}{metadata}{self.verb}{checked}{shown}{asked}{self.extra}!"

    @property
    def starts(self) -> bool:
        """Is it answered with when values will be there, and how many?"""
        return self.parameter is None and (self.verb in STARTS or (self.identify and self.verb == "R"))


def is_address(text: str) -> bool:
    return _ADDRESS.fullmatch(text) is not None


def parse(text: str) -> Command:
    """A command as it was heard; RemoteError `command` for what is none."""
    found = _COMMAND.fullmatch(text)
    if found is None:
        raise RemoteError("command", text[:80])
    part = found.groupdict()
    if part["verb"] or part["plain"]:
        return Command(
            part["address"],
            part["verb"] or part["plain"],
            int(part["index"] or 0),
            bool(part["crc"]),
            bool(part["identify"]),
            None if part["parameter"] is None else int(part["parameter"]),
        )
    if part["data"]:
        return Command(part["address"], part["data"], int(part["page"]))
    verb = "A" if part["new"] else "X" if part["extended"] is not None else "I" if part["ask"] else ""
    return Command(part["address"], verb, extra=part["new"] or part["extended"] or "")


def measurement(address: str, text: str, *, crc: bool = False) -> Command:
    """A measurement as a profile writes it: `M`, `M1`, `C`, `R0`, `V`, `HA`; LocalError for anything else."""
    try:
        command = parse(f"{address}{text}!")
    except RemoteError as wrong:
        raise LocalError("command", text) from wrong
    if command.verb not in {*STARTS, "R"} or command.identify or command.parameter is not None:
        raise LocalError("command", text)
    crc = (crc or command.crc) and command.verb in {"M", "C", "R"}
    return Command(address, command.verb, command.index, crc)
