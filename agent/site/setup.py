"""Puts a configuration, and the files it needs, where it belongs: checked first, and never over another. For `fengsui init`."""

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from agent.config_load import load
from agent.finding import Finding
from agent.site.identity import (
    CLIENT_KEY,
    CLIENT_REQUEST,
    Identity,
    give,
    make_identity,
    show,
    write_request,
    write_secret,
)
from agent.site.pack import CLIPS, CONFIG, PROFILES, SECRET
from protocols.errors import LocalError

QR_TEXT, QR_SVG, QR_PNG = "identity.txt", "identity.svg", "identity.png"
SCALE = 6  # pixels of a module: readable by a telephone from a label of three centimetres


class Made(NamedTuple):
    config: Path
    identity: Identity
    request: Path
    label: Path


def tried(files: Mapping[str, bytes], target: Path) -> list[Finding]:
    """What is wrong with it, in a folder that is gone afterwards; files that lie beside the target already count."""
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        folder = Path(name)
        for file in (one for part in (".", CLIPS, PROFILES) for one in (target.parent / part).glob("*")):
            if file.is_file():
                _beside(folder / file.relative_to(target.parent)).symlink_to(file.absolute())
        for file_name, data in files.items():
            _beside(folder / file_name).unlink(missing_ok=True)
            (folder / file_name).write_bytes(data)
            (folder / file_name).chmod(0o600)
        return load(folder / CONFIG)[1]


def settle(files: Mapping[str, bytes], target: Path) -> Made:
    """Write all of it, make the identity, ask for a certificate. FileExistsError for what is there; nothing is replaced."""
    for name in files:
        file = target if name == CONFIG else target.parent / name
        if file.exists() and file.read_bytes() != files[name]:
            raise FileExistsError(str(file))
    for name, data in files.items():
        file = target if name == CONFIG else target.parent / name
        if not file.exists():
            write_secret(_beside(file), data)
    return complete(target, files)


def complete(target: Path, files: Collection[str] = ()) -> Made:
    """What belongs to a configuration that is there: keys, request and label, each made only where there is none. Changes
    nothing on a station that is whole.
    """
    config, findings = load(target)
    if config is None:
        raise LocalError("init-check", str(findings[0]))
    identity, request = make_identity(config.station.id, config.state), target.parent / CLIENT_REQUEST
    if not request.exists():
        secret = target.parent / SECRET
        word = secret.read_bytes().decode("ascii").strip() if secret.exists() else ""
        write_request(identity.station, target.parent, word)
    show(target, config.state)
    for name in {*files, CLIENT_KEY} - {CONFIG}:
        give(target.parent / name, config.state)
    return Made(target, identity, request, labels(identity, target.parent))


def _beside(file: Path) -> Path:
    """With its folder there."""
    file.parent.mkdir(exist_ok=True)
    return file


def labels(identity: Identity, folder: Path) -> Path:
    """The public identity, for the box and the register: as text, SVG and PNG."""
    code = identity.qr()
    code.save(str(folder / QR_SVG), scale=SCALE)
    code.save(str(folder / QR_PNG), scale=SCALE)
    lines = (identity.text, f"station {identity.station}", f"key {identity.key}", f"narrow {identity.narrow}")
    (folder / QR_TEXT).write_text("\n".join((*lines, f"fingerprint {identity.fingerprint}", "")), "utf-8")
    return folder / QR_PNG
