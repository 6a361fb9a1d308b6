"""Values as people write them in a configuration: `10s`, `5min`, `64MiB`. Types for msgspec, with the hook that reads them."""

import re
from collections.abc import Mapping
from typing import Any

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|KB|MB|GB|TB|KiB|MiB|GiB)")
_BYTES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_BYTES |= {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class Duration(float):
    """Seconds, written as a number or as `500ms`, `10s`, `5min`, `2h`, `7d`."""


class Size(int):
    """Bytes, written as a number or as `512kB`, `64MiB`, `2GB`."""


def decode(kind: type, value: Any) -> Any:
    """Msgspec's `dec_hook` for these types; raises ValueError with a sentence of its own."""
    if kind is Duration:
        return Duration(_scaled(value, _DURATION, _SECONDS, "10s, 500ms, 5min"))
    if kind is Size:
        return Size(_scaled(value, _SIZE, _BYTES, "512kB, 64MiB, 2GB"))
    raise NotImplementedError(kind)


def _scaled(value: Any, pattern: re.Pattern[str], factors: Mapping[str, float], examples: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return value
    match = pattern.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected a number or text such as {examples}")
    return float(match[1]) * factors[match[2]]
