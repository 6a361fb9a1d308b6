"""Which field of which sentence is which series. Pure; the mapping is data of a profile."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from protocols.errors import RemoteError
from protocols.scale import Scale

Condition = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Pick:
    """A series made from the field `key` of sentences of a `kind`, where every field of `when` has one of the values given.

    Of sentences that hold rows (`XDR`: transducers), each row is looked at on its own. `missing` are values by which the
    instrument says that it has none.
    """

    name: str
    kind: str
    key: str
    when: Condition = field(default_factory=dict)
    scale: Scale = field(default_factory=Scale)
    missing: tuple[float, ...] = ()

    def values(self, decoded: Mapping[str, Any]) -> Iterator[float]:
        """What the sentence says of this series; RemoteError `missing` where it says that it has nothing."""
        for row in rows(decoded):
            if all(row.get(key) in allowed for key, allowed in self.when.items()):
                value = row.get(self.key)
                if value is None or value in self.missing:
                    raise RemoteError("missing", self.name)
                yield self.scale(float(value))


def rows(decoded: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    transducers: Sequence[Mapping[str, Any]] = decoded.get("transducers", (decoded,))
    return transducers
