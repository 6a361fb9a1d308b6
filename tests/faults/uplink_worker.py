"""A small agent in a process of its own, to be killed: appends telemetry and events, sends them up, says what is on disk.

python -m tests.faults.uplink_worker DIRECTORY URL [drain]
"""

import asyncio
import sys
from pathlib import Path

from buffer.model import Lane
from tests.support import uplinks


def told(buffer, lane, appended):
    if appended.committed.exception() is None:
        sys.stdout.write(f"{buffer.log} {lane.name.lower()} {appended.number}\n")
        sys.stdout.flush()


def append(buffer, lane, body):
    appended = buffer.append(lane, body, now=lane is Lane.EVENT)
    appended.committed.add_done_callback(lambda _future: told(buffer, lane, appended))


async def main(directory: Path, url: str, *, drain: bool) -> None:
    buffer = uplinks.open_buffer(directory)
    async with uplinks.running(uplinks.make(buffer, url, directory=directory)):
        at = 0
        while not drain or uplinks.pending(buffer):
            if not drain:
                append(buffer, Lane.TELEMETRY, uplinks.telemetry(at))
                if at % 7 == 0:
                    append(buffer, Lane.EVENT, uplinks.happened("test", at))
            at += 1
            await asyncio.sleep(0.005)
    buffer.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], drain=sys.argv[3:] == ["drain"]))
