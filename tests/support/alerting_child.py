"""A process that only knows warnings: `python -m tests.support.alerting_child BUS_URL STATE [SEALED_HEX]`.

It resumes what its journal says, takes the one message if there is one, and runs until it is killed.
"""

import asyncio
import sys
from pathlib import Path

from agent.alerts import plan_file
from agent.alerts.alerting import Alerting
from agent.alerts.journal_file import JournalFile
from agent.alerts.policy import Place, Policy
from agent.clock import this_boot
from drivers.actuators import relay
from drivers.actuators.relay_config import RelayConfig
from drivers.api import Context
from drivers.bus import Bus, BusConfig
from protocols.alert import ClockReading
from tests.support.seals import T0, VILLAGE, keyring


class Clock:
    boot = this_boot()

    def read(self):
        return ClockReading(T0 + 10, T0, True)


async def main(url: str, state: str, message: bytes) -> None:
    bus = Bus(BusConfig(name="relays", url=url))
    context = Context(Path(), lambda *_: None, {"relays": bus})
    siren = relay.create(RelayConfig(name="siren", bus="relays", board="waveshare-8ch"), context)
    found, _ = plan_file.load()
    alerting = Alerting(
        keyring=keyring(),
        journal=JournalFile.open(Path(state) / "journal"),
        clock=Clock(),
        place=Place((VILLAGE,)),
        policy=Policy(siren_seconds=12.0),
        plans=found,
        actuators=[siren],
        record=lambda *_: None,
    )
    if message:
        alerting.submit("test", message, False, lambda: None)
    await alerting.run()


asyncio.run(main(sys.argv[1], sys.argv[2], bytes.fromhex("".join(sys.argv[3:]))))
