"""The steps of `fengsui warn` about keys: making them, saying whom to believe, and showing that their holder is there."""

import argparse
import time

from agent.cli.common import complain, print_json
from agent.issue import beacon_of, keyset_from, load_keys, read_sealed
from agent.signers import make_signer, public_of
from protocols import beacon
from protocols.errors import LocalError, ProtocolError
from protocols.keyring import fingerprint, number_of, seal_keyset


def make(options: argparse.Namespace) -> int:
    try:
        public = public_of(make_signer(options.file, chinese=options.sm2))
    except FileExistsError:
        complain("warn.key_exists", file=options.file)
        return 2
    except OSError as wrong:
        complain("warn.key", file=options.file, why=wrong.strerror)
        return 2
    except LocalError as wrong:
        complain("warn.key", file=options.file, why=wrong)
        return 2
    print_json({"file": str(options.file), "public": public.hex(), "fingerprint": fingerprint(public)})
    return 0


def make_keyset(options: argparse.Namespace) -> int:
    try:
        roots = load_keys(options.root)
        keyring = keyset_from(options.file, int(time.time()))
        options.out.write_bytes(seal_keyset(keyring, roots))
    except (LocalError, ValueError, OSError) as wrong:
        complain("warn.keyset", file=options.file, why=wrong)
        return 2
    print_json({"file": str(options.out), "number": keyring.number, "keys": len(keyring.keys)})
    return 0


def make_beacon(options: argparse.Namespace) -> int:
    from agent.cli.warn_publish import send_beacon

    try:
        number = options.number if options.keyset is None else number_of(options.keyset.read_bytes())
        alerts = [read_sealed(file.read_bytes()) for file in options.active]
        made = beacon_of(options.issuer, number, alerts, int(time.time()))
        data = beacon.seal(made, load_keys([options.by]))
        if options.out is not None:
            options.out.write_bytes(data)
    except (ProtocolError, ValueError, OSError) as wrong:
        complain("warn.beacon", why=wrong)
        return 2
    if options.broker:
        return send_beacon(options, made, data)
    if options.out is None:
        print(data.hex())
    return 0
