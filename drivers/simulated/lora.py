"""LoRa modules of one air, for `sim:` addresses: all of one process share it, so that two bearers of a station hear each other.

What is simulated is what a driver can stumble over, not the radio. Faults are switched on one by one; chance comes from a
seeded source.
"""

from random import Random

from drivers.simulated.air import Air
from drivers.simulated.lora_e22 import SimE22
from drivers.simulated.lora_rak import RakState, SimRak
from protocols import ebyte_e22 as e22

_HERE = Air(Random(1))  # noqa: S311 - chance that can be repeated is meant


def alone() -> SimE22:
    """For `sim:lora`: 471.125 MHz, 2.4k, as a China station would be set."""
    settings = e22.Settings(channel=61, power=1, listen=True, rssi=True)
    return SimE22(_HERE, f"e22-{len(_HERE.radios)}", settings, Random(2))  # noqa: S311 - as above


def alone_rak() -> SimRak:
    """For `sim:lora-rak`."""
    return SimRak(_HERE, f"rak-{len(_HERE.radios)}", RakState(radio="470300000:9:0:0:8:17"), Random(3))  # noqa: S311 - as above
