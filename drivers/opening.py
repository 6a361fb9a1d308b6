"""The one way to open a byte stream: which kind an address means, simulated devices too. Bytes only; no protocol."""

import asyncio
import errno
from pathlib import Path

from drivers.address import Address
from drivers.stream import ReplayStream, SerialStream, Stream, TcpStream

OPEN_TIMEOUT = 5.0  # seconds


async def open_stream(address: Address, base: Path = Path()) -> Stream:
    """Open what an address names; OSError says why not."""
    if address.scheme == "serial":
        return SerialStream(address)
    if address.scheme == "replay":
        return ReplayStream(base / address.path, address.rate)
    if address.scheme == "sim":
        from drivers.simulated import streams  # noqa: PLC0415 - simulators are loaded where one is asked for

        return streams.open_simulated(address.path)
    if address.scheme == "tcp":
        async with asyncio.timeout(OPEN_TIMEOUT):
            return TcpStream(*await asyncio.open_connection(address.host, address.port))
    raise OSError(errno.EINVAL, "not a byte stream", address.label)
