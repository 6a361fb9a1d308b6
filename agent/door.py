"""The control socket of a station: what may be asked on the spot, opened. Decides nothing."""

import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

from agent.control import Control, Verb
from agent.record import Recorder

log = logging.getLogger(__name__)


async def open_door(
    stack: contextlib.AsyncExitStack, socket: Path, verbs: Mapping[str, Verb], recorder: Recorder
) -> None:
    """Without it nobody can ask on the spot; a warning is heard all the same."""
    from agent.say import say

    try:
        await stack.enter_async_context(Control(socket, verbs))
    except OSError as wrong:
        log.warning("%s", say("control.unavailable", socket=socket, why=wrong))
        recorder.event("control.unavailable", {"socket": str(socket), "why": str(wrong)})
