"""How one kind of cellular or satellite modem differs from the others: its commands as data, in the order they are said. Pure."""

from dataclasses import dataclass
from typing import NamedTuple


class Step(NamedTuple):
    """A command of the start. `required`: without its OK the modem is of no use; others may be refused."""

    command: str
    timeout: float = 5.0  # seconds
    required: bool = False


class Clock(NamedTuple):
    """A command that tells network time. `utc`: its time is UTC as it stands, whatever zone is beside it."""

    command: str
    utc: bool


@dataclass(frozen=True, slots=True)
class Dialect:
    """`setup` is said before the SIM is looked at, `messages` after it is open. `stores` are swept in this order; new
    messages go into the last. `clock`: all that answer must agree. `greeting` is waited for where a modem says so.
    """

    name: str
    setup: tuple[Step, ...] = ()
    messages: tuple[Step, ...] = ()
    banners: tuple[str, ...] = ("RDY",)
    greeting: str = ""
    greeting_timeout: float = 15.0  # seconds
    stores: tuple[str, ...] = ("SM", "ME")
    registrations: tuple[str, ...] = ("CREG", "CGREG", "CEREG")
    clock: tuple[Clock, ...] = ()
    full: tuple[str, ...] = ("^SMMEMFULL",)
    pin_tries: str = ""  # a command that tells how many are left
    radio_off: str = "AT+CFUN=0"
    radio_on: str = "AT+CFUN=1"
    restart: str = "AT+CFUN=1,1"
    boot: float = 20.0  # seconds from a restart to the first answer
    send_timeout: float = 120.0  # seconds for AT+CMGS
    radio_timeout: float = 15.0  # seconds for AT+CFUN
