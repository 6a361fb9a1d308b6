"""Power cuts without pulling plugs: an apsw VFS writes down every write and sync, and states() replays what a disk may
hold after a cut at any moment: unsynced writes dropped, applied, reordered, or torn at a sector.

The rule is SQLite's own (https://sqlite.org/atomiccommit.html): what came before a sync of a file is there, what came
after may be. One file's sync says nothing about another's. Deleting a file is taken as done at once; the buffer deletes
none while it runs.
"""

import random
from dataclasses import dataclass, field

import apsw

SECTOR = 512


@dataclass
class Recording:
    """What happened, in order: ("w", file, offset, data), ("t", file, size), ("s", file), ("d", file), ("ack", fact)."""

    ops: list = field(default_factory=list)

    def ack(self, fact):
        self.ops.append(("ack", fact))

    def vfs(self, name):
        recording = self

        class File(apsw.VFSFile):
            def __init__(self, path, flags):
                super().__init__("", path, flags)
                self.path = path.filename() if isinstance(path, apsw.URIFilename) else path

            def xWrite(self, data, offset):  # noqa: N802 - SQLite's name
                recording.ops.append(("w", self.path, offset, bytes(data)))
                return super().xWrite(data, offset)

            def xTruncate(self, size):  # noqa: N802 - the name that apsw calls
                recording.ops.append(("t", self.path, size))
                return super().xTruncate(size)

            def xSync(self, _flags):  # noqa: N802 - the name that apsw calls
                recording.ops.append(("s", self.path))
                return True

        class Recorder(apsw.VFS):
            def __init__(self):
                super().__init__(name, "")

            def xOpen(self, path, flags):  # noqa: N802 - the name that apsw calls
                return File(path, flags)

            def xDelete(self, path, sync):  # noqa: N802 - the name that apsw calls
                recording.ops.append(("d", path))
                return super().xDelete(path, sync)

        return Recorder()


class Disk:
    """What is surely there, and per file what may be."""

    def __init__(self):
        self.durable = {}
        self.pending = {}

    def apply(self, op):
        kind, file = op[0], op[1]
        if kind == "d":
            self.durable.pop(file, None)
            self.pending.pop(file, None)
        elif kind == "s":
            self.durable[file] = written(self.durable.get(file, b""), self.pending.pop(file, []))
        elif kind in ("w", "t"):
            self.durable.setdefault(file, b"")
            self.pending.setdefault(file, []).append(op)

    def after_cut(self, survives):
        return {file: written(data, survives(self.pending.get(file, []))) for file, data in self.durable.items()}


def written(data, ops):
    content = bytearray(data)
    for op in ops:
        if op[0] == "t":
            del content[op[2] :]
            content.extend(bytes(max(0, op[2] - len(content))))
        else:
            _, _, offset, new = op
            content.extend(bytes(max(0, offset + len(new) - len(content))))
            content[offset : offset + len(new)] = new
    return bytes(content)


def torn(op, rng):
    """Each sector of a write arrives or does not."""
    if op[0] == "t":
        return [op]
    _, file, offset, data = op
    pieces = [("w", file, offset + at, data[at : at + SECTOR]) for at in range(0, len(data), SECTOR)]
    return [piece for piece in pieces if rng.random() < 0.7]


def scrambled(rng):
    def survives(ops):
        kept = [piece for op in ops if rng.random() < 0.6 for piece in (torn(op, rng) if rng.random() < 0.3 else [op])]
        return kept if rng.random() < 0.7 else rng.sample(kept, len(kept))

    return survives


def states(recording, many, seed):
    """(files, facts acknowledged before the cut), `many` of them, spread over the whole recording."""
    rng = random.Random(seed)
    cuts = sorted(rng.choices(range(1, len(recording.ops) + 1), k=many))
    disk, acked, at = Disk(), [], 0
    for cut in cuts:
        for op in recording.ops[at:cut]:
            acked.append(op[1]) if op[0] == "ack" else disk.apply(op)
        at = cut
        survives = rng.choice([lambda _ops: [], lambda ops: ops, scrambled(rng), scrambled(rng), scrambled(rng)])
        yield disk.after_cut(survives), list(acked)
