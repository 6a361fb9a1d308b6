"""Which files a station's configuration names besides itself: keys, roots, plans, profiles of its own, recorded words. Reads
the office's folder and writes nothing; whether what was found is enough, the check of the whole configuration says.
"""

import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from agent.alerts.plans import DRILL_CLIP
from agent.site.pack import CLIPS, PROFILES, plain_name
from protocols.errors import LocalError

# Keys that name a file beside the configuration, by table; `sensor.node` are the tables inside a sensor's. What a station makes
# itself (its keys, its certificate) is not among them.
FILES = {
    "station": ("names",),
    "warnings": ("keyset", "plans"),
    "narrow": ("headend",),
    "route": ("ca",),
    "bearer": ("headend", "key", "pin_file"),
    "sensor": ("login",),
    "sensor.node": ("key",),
}
# Keys that name a profile: the station's own of that name, where there is one, before the shipped.
OWN_PROFILES = {"sensor": "profile", "bearer": "profile", "actuator": "board"}
LARGEST = 6 << 20  # bytes of one file: half a minute of recorded words, as drivers/actuators/wav.py takes it


def gather(data: Mapping[str, Any], folder: Path) -> dict[str, bytes]:
    """By their names in the pack. LocalError for a name that leads elsewhere; OSError for a file that is not there."""
    names = [*files(data), *profiles(data, folder)]
    for name in names:
        if not plain_name(name):
            raise LocalError("provision-template", f"{name}: name a file beside the template")
    found = {name: read(folder / name) for name in dict.fromkeys(names)}
    plans = str(data.get("warnings", {}).get("plans") or "")
    return found | {name: read(folder / name) for name in clips(data, found.get(plans, b""), folder)}


def files(data: Mapping[str, Any]) -> Iterator[str]:
    for path, keys in FILES.items():
        for table in tables(data, path):
            yield from (str(table[key]) for key in keys if table.get(key))


def profiles(data: Mapping[str, Any], folder: Path) -> Iterator[str]:
    for path, key in OWN_PROFILES.items():
        for table in tables(data, path):
            name = f"{PROFILES}/{table.get(key, '')}.toml"
            if plain_name(name) and (folder / name).is_file():
                yield name


def clips(data: Mapping[str, Any], plans: bytes, folder: Path) -> list[str]:
    """All that the station's own plans name, and the mark of a drill: with half of them a voice would speak none."""
    speakers = [table for table in tables(data, "actuator") if table.get("driver") == "speaker"]
    named = {str(plan.get("voice", {}).get("clip") or "") for plan in tables(_toml(plans), "plan")} - {""}
    if not speakers or not named:
        return []
    for table in speakers:
        if table.get("clips", CLIPS) != CLIPS:
            raise LocalError("provision-template", f'recorded words go along from the folder "{CLIPS}" only')
    wanted = [f"{CLIPS}/{name}.wav" for name in sorted({*named, DRILL_CLIP})]
    for name in wanted:
        if not plain_name(name) or not (folder / name).is_file():
            raise LocalError("provision-clip", f"{name} is named by the plans and is not there")
    return wanted


def tables(data: Mapping[str, Any], path: str) -> Iterator[Mapping[str, Any]]:
    """Every table of that path; what is no table, the check of the configuration names."""
    first, _, rest = path.partition(".")
    found = data.get(first, [])
    for one in found if isinstance(found, list) else [found]:
        if isinstance(one, Mapping):
            yield from tables(one, rest) if rest else (one,)


@lru_cache(maxsize=256)  # a county's stations share their recorded words: in memory once
def read(file: Path) -> bytes:
    with file.open("rb") as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise LocalError("provision-template", f"{file} has more than {LARGEST} bytes")
    return data


def _toml(data: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode())
    except ValueError as wrong:
        raise LocalError("provision-template", f"plans: {wrong}") from None
