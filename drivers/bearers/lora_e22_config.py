"""What an Ebyte E22 is set to as a bearer: its table, what that means on the air, and what is wrong with it by module or law."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

from drivers.address import Address, AddressKey, missing
from drivers.api import Context, Problem
from drivers.bearers.lora_law import Law, Model, check_law, models, rates
from drivers.bearers.lora_pins import PinsConfig
from protocols import ebyte_e22 as e22
from protocols.lora_frame import OVERHEAD

PORT = AddressKey("port", ("serial", "tcp", "sim"))

Rate = Literal["0.3k", "1.2k", "2.4k", "4.8k", "9.6k", "19.2k", "38.4k", "62.5k"]


class E22Config(Law, forbid_unknown_fields=True, kw_only=True):
    """`[[bearer]] driver = "lora-e22"`. `mode`: how the module is brought to be spoken to itself: by the operator's own
    hands, by pins, or by command (newer firmware, where it is allowed). `power` is the step's dBm. `older`: RSSI is -b/2.
    """

    name: str
    port: str
    model: str = "e22-400t22"
    mode: Literal["operator", "pins", "soft"] = "operator"
    pins: PinsConfig | None = None
    configure: bool = False
    address: int = 0
    network: int = 0
    rate: Rate = "2.4k"
    packet: Literal[240, 128, 64, 32] = 240
    channel: int = 61  # 471.125 MHz: of a signal 500 kHz wide, all lies in the band
    power: int = 17
    listen: bool = True
    rssi: bool = False
    older: bool = False
    cost: float = 0.0

    def settings(self, baud: int) -> e22.Settings:
        return e22.Settings(
            address=self.address,
            network=self.network,
            baud=baud,
            rate=self.rate,
            packet=self.packet,
            soft=self.mode == "soft",
            power=models()[self.model].powers.index(self.power),
            channel=self.channel,
            rssi=self.rssi,
            listen=self.listen,
        )


class E22:
    """What a module's settings mean: how long a datagram is on the air, and how long one may be."""

    def __init__(self, config: E22Config, settings: e22.Settings) -> None:
        self.settings, self._config = settings, config

    @property
    def mtu(self) -> int:
        """0 where the law leaves no room for a datagram."""
        longest, _ = self._config.limits()
        return max(min(self.settings.packet, rates().longest(self.settings.rate, longest)) - OVERHEAD, 0)

    def airtime(self, length: int) -> float:
        """Seconds of one datagram; it goes out in one packet."""
        return rates().seconds(self.settings.rate, length + OVERHEAD)

    def unlawful(self) -> list[Problem]:
        model = models()[self._config.model]
        settings = self.settings
        band = rates().modulation(settings.rate).bandwidth
        power = model.powers[settings.power]
        found = self._config.broken(model.megahertz(settings.channel), band, power, listens=settings.listen)
        return [*found, *([] if self.mtu else [Problem("rate", "lora.no_room", {"rate": settings.rate})])]


def check(config: E22Config, context: Context) -> Iterator[Problem]:
    address, problems = PORT.parse(config.port)
    yield from problems
    law = list(check_law(config))
    yield from law
    if config.model not in models():
        yield Problem("model", "lora.model", {"name": config.model, "known": ", ".join(models())})
        return
    if config.mode == "pins" and config.pins is None:
        yield Problem("pins", "lora.pins")
    if address is not None:
        yield from missing(address, "port", context.base)
        yield from _check_settings(config, address, models()[config.model], lawful=not law)


def _check_settings(config: E22Config, address: Address, model: Model, *, lawful: bool) -> Iterator[Problem]:
    known: list[tuple[str, Any, Callable[[], bool]]] = [
        ("power", model.powers, lambda: config.power in model.powers),
        ("channel", f"0-{model.channels - 1}", lambda: 0 <= config.channel < model.channels),
        ("address", "0-65535", lambda: 0 <= config.address <= 0xFFFF),
        ("network", "0-255", lambda: 0 <= config.network <= 0xFF),
        ("port", e22.BAUDS, lambda: address.scheme != "serial" or address.baud in e22.BAUDS),
    ]
    wrong = [(key, choices) for key, choices, good in known if not good()]
    for key, choices in wrong:
        value = address.baud if key == "port" else getattr(config, key)
        yield Problem(key, "lora.value", {"value": value, "known": str(choices)})
    if lawful and not wrong:
        yield from E22(config, config.settings(9600)).unlawful()
