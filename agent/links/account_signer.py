"""Signs for the station in a process of its own that ends at once: the private key and the 8 MB of a cryptography library
are wanted once a day, and never in the process that talks to strangers.

`python -m agent.links.account_signer KEYFILE` reads payloads from standard input, one a line in hexadecimal, and writes the
public key and then each COSE_Sign1, the same way. The key is made when there is none.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from drivers.within import within

PATIENCE = 60.0  # seconds; a slow board loads the library in three


class Signed(NamedTuple):
    public: str  # hexadecimal
    seals: list[bytes]


class CannotSign(Exception):
    """Why, in the words of the key's own check. Never a key's content."""


async def sign(key: Path, payloads: Sequence[bytes]) -> Signed:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent.links.account_signer", str(key),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        said, why = await within(
            child.communicate(b"".join(payload.hex().encode() + b"\n" for payload in payloads)), PATIENCE
        )
    except (TimeoutError, asyncio.CancelledError):
        child.kill()
        raise
    if child.returncode != 0:
        raise CannotSign(why.decode(errors="replace").strip()[-200:])
    public, *seals = said.decode("ascii").split()
    return Signed(public, [bytes.fromhex(each) for each in seals])


def main(key_file: Path) -> int:
    from agent.keys import public_of
    from agent.station_key import open_key
    from protocols import cose
    from protocols.errors import LocalError

    try:
        key = open_key(key_file)
    except (LocalError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(public_of(key).hex() + "\n")
    for line in sys.stdin:
        sys.stdout.write(cose.encode(bytes.fromhex(line), [key]).hex() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
