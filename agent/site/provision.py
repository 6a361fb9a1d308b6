"""A county's stations from a table and a template: the files of each one's site pack. Writes nothing itself.

`${column}` in the template is the row's; `${port}` stays, for only the technician can see which adapter it is.
"""

import csv
import hashlib
import io
import json
import secrets
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from string import Template

from agent.site.gather import gather
from agent.site.pack import CONFIG, LABEL, SECRET, check_size
from agent.site.questions import credentials
from protocols.envelope import is_station
from protocols.errors import LocalError

PORT = "${port}"
MOST_ROWS = 10_000
SECRET_BYTES = 32
MISSING = "port.missing"  # no port of a site is there in the office


def rows(table: Path) -> list[dict[str, str]]:
    """Every station, each with an `id` of its own. LocalError says which row is wrong."""
    with table.open(encoding="utf-8-sig", newline="") as stream:
        found = [dict(row) for _, row in zip(range(MOST_ROWS), csv.DictReader(stream), strict=False)]
    seen: set[str] = set()
    for line, row in enumerate(found, 2):
        station = (row.get("id") or "").strip()
        if not is_station(station) or station in seen or None in row or None in row.values():
            raise LocalError(
                "provision-row", f"line {line}: id {station!r}, each station once and every column filled in"
            )
        seen.add(station)
    if not found:
        raise LocalError("provision-row", "no station in it")
    return found


def files_of(template: Path, row: Mapping[str, str]) -> dict[str, bytes]:
    """One station's files, checked as the station itself will."""
    text = fill(template.read_text("utf-8"), row)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise LocalError("provision-template", f"{row['id']}: {wrong}") from None
    if not data.get("station", {}).get("state"):
        raise LocalError("provision-template", 'say in [station] where its state is kept: state = "/var/lib/fengsui"')
    files = {CONFIG: text.encode(), SECRET: secrets.token_hex(SECRET_BYTES).encode() + b"\n"}
    files |= gather(data, template.parent)
    for route in data.get("route", []):
        if route.get("credentials"):
            files[route["credentials"]] = credentials(row).encode()
    files[LABEL] = label(str(row["id"]), files[SECRET])
    check_size(files)
    _check(row["id"], files)
    return files


def fill(template: str, row: Mapping[str, str]) -> str:
    """A column's value is a TOML string's inside, whatever it holds."""
    values = {name: json.dumps(value, ensure_ascii=False)[1:-1] for name, value in row.items()}
    try:
        return Template(template).substitute(values | {"port": PORT})
    except (KeyError, ValueError) as wrong:
        raise LocalError("provision-template", f"no column for {wrong}") from None


def label(station: str, secret: bytes) -> bytes:
    """For the box: which station it becomes, and the mark of its enrolment, not the secret."""
    import segno

    out = io.BytesIO()
    segno.make(f"fengsui-site:{station}?v=1&enrolment={mark(secret)}", micro=False).save(out, kind="svg", scale=4)
    return out.getvalue()


def mark(secret: bytes) -> str:
    """What the platform is given beforehand, to know the secret by when it comes."""
    return hashlib.sha256(secret.strip()).hexdigest()


def _check(station: str, files: Mapping[str, bytes]) -> None:
    from agent.config_load import load

    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            file = Path(folder) / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(data.replace(PORT.encode(), b"serial:///dev/ttyS0") if name == CONFIG else data)
            file.chmod(0o600)
        _config, findings = load(Path(folder) / CONFIG, forgive=(MISSING,))
    for first in findings:
        raise LocalError(
            "provision-check", f"{station}: [{first.table}] {first.problem.key}: {first.as_json()['text']}"
        )
