"""Whose fault it was. Anything else that escapes a codec or a machine is a bug."""


class ProtocolError(Exception):
    """Base of both: `reason` is a stable English code, `offset` the byte where it went wrong (or None)."""

    def __init__(self, reason: str, detail: str = "", offset: int | None = None) -> None:
        self.reason = reason
        self.detail = detail
        self.offset = offset
        where = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{reason}{where}: {detail}" if detail else f"{reason}{where}")


class LocalError(ProtocolError):
    """We would have broken the rule: a value that does not fit, an argument out of range."""


class RemoteError(ProtocolError):
    """They broke it: truncated, bad checksum, unexpected, too long."""
