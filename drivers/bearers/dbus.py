"""A small face of D-Bus for drivers: calls with a bound, signals to a function, errors by the last part of their names.

dbus-fast is imported when a connection is opened: a station without ModemManager needs neither.
"""

import asyncio
import errno
from collections.abc import Callable
from typing import Any, NamedTuple, Self

CALL_TIMEOUT = 25.0  # seconds, as libdbus waits
PROPERTIES = "org.freedesktop.DBus.Properties"


class Refused(Exception):
    """The other side said no; `reason` as `no_network` of `org.freedesktop.ModemManager1.Error.Message.NoNetwork`."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.reason = "".join(f"_{c.lower()}" if c.isupper() else c for c in name.rpartition(".")[2]).lstrip("_")


class Signal(NamedTuple):
    """Something that an object says to everybody."""

    path: str
    member: str
    body: list[Any]


class Connection:
    """`async with Connection(address, hear) as bus:`; "" is the system's own bus. OSError when it is not there or ends."""

    def __init__(self, address: str, hear: Callable[[Signal], None]) -> None:
        self._address, self._hear = address, hear
        self._bus: Any = None  # a dbus_fast.aio.MessageBus

    async def __aenter__(self) -> Self:
        from dbus_fast import BusType  # noqa: PLC0415 - an extra
        from dbus_fast.aio import MessageBus  # noqa: PLC0415 - an extra

        bus = MessageBus(self._address or None, BusType.SYSTEM)
        try:
            async with asyncio.timeout(CALL_TIMEOUT):
                self._bus = await bus.connect()
        except OSError:
            raise
        except Exception as wrong:  # of authentication, of addresses, of the end of a file: each has a class of its own
            raise OSError(errno.ECONNREFUSED, str(wrong), self._address or "system bus") from wrong
        self._bus.add_message_handler(self._take)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._bus is not None:
            self._bus.disconnect()

    async def watch(self, rule: str) -> None:
        """Let these signals through."""
        daemon = "org.freedesktop.DBus"
        await self.call(daemon, "/org/freedesktop/DBus", daemon, "AddMatch", "s", rule)

    async def call(
        self,
        service: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        *body: Any,
        within: float = CALL_TIMEOUT,
    ) -> Any:
        """What the method returns, the first of it. Refused, TimeoutError, or OSError when the connection has ended."""
        from dbus_fast import Message, MessageType  # noqa: PLC0415 - an extra

        if self._bus is None or not self._bus.connected:
            raise OSError(errno.ENOTCONN, "the bus is gone", self._address or "system bus")
        message = Message(service, path, interface, member, signature=signature, body=list(body))
        async with asyncio.timeout(within):
            try:
                reply = await self._bus.call(message)
            except EOFError as gone:
                raise OSError(errno.ECONNRESET, "the bus is gone", self._address) from gone
        if reply.message_type is MessageType.ERROR:
            raise Refused(reply.error_name or "", str(reply.body[0]) if reply.body else "")
        return reply.body[0] if reply.body else None

    async def get(self, service: str, path: str, interface: str) -> dict[str, Any]:
        """All properties of an interface, without their variants."""
        from dbus_fast import unpack_variants  # noqa: PLC0415 - an extra

        found = await self.call(service, path, PROPERTIES, "GetAll", "s", interface)
        return dict(unpack_variants(found or {}))

    async def objects(self, service: str, root: str) -> dict[str, dict[str, dict[str, Any]]]:
        """Everything a service has: by path and interface, the properties."""
        from dbus_fast import unpack_variants  # noqa: PLC0415 - an extra

        manager = "org.freedesktop.DBus.ObjectManager"
        return dict(unpack_variants(await self.call(service, root, manager, "GetManagedObjects") or {}))

    def _take(self, message: Any) -> None:
        from dbus_fast import MessageType  # noqa: PLC0415 - an extra

        if message.message_type is MessageType.SIGNAL:
            self._hear(Signal(str(message.path), str(message.member), list(message.body)))


def variants(**values: tuple[str, Any]) -> dict[str, Any]:
    """A dictionary of properties: each a signature and a value; `_` in a key is `-`."""
    from dbus_fast import Variant  # noqa: PLC0415 - an extra

    return {key.replace("_", "-"): Variant(signature, value) for key, (signature, value) in values.items()}
