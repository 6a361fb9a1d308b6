"""What a figure is, how a benchmark is registered, and how figures are shown and kept. Runs nothing."""

import json
import os
import platform
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).with_name("results.json")
FAILURE_LENGTH = 300  # characters of a reason kept in the results


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that is asked for. `asked` as the issue writes it (`≤ 45`, `≥ 300,000`, `reported`)."""

    name: str
    unit: str
    asked: str = "reported"
    peer: str | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """What was measured. `peer` overrides the figure's, to say which one ran, or why none did."""

    value: float
    peer_value: float | None = None
    peer: str | None = None


Measured = Mapping[str, float | Value]


@dataclass(frozen=True, slots=True)
class Benchmark:
    name: str  # the function's
    module: str  # the file's, without folder and suffix
    issue: int
    figures: tuple[Figure, ...]
    run: Callable[[], Measured]
    patience: float  # seconds before it counts as hung


@dataclass(frozen=True, slots=True)
class Row:
    """One line of results.json. `failed` says why there is no value; a value is never made up."""

    issue: int
    figure: str
    value: float | None
    unit: str
    asked: str
    peer: str | None
    peer_value: float | None
    machine: str
    failed: str | None = None

    def as_json(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self).items() if name != "failed" or value is not None}


registered: dict[str, Benchmark] = {}


def measures(
    issue: int, *figures: Figure, patience: float = 600.0
) -> Callable[[Callable[[], Measured]], Callable[[], Measured]]:
    """Register a benchmark: `@measures(2, Figure("resident memory", "MiB", "≤ 45"))` above a function of no arguments."""

    def register(run: Callable[[], Measured]) -> Callable[[], Measured]:
        name, module = run.__name__, run.__module__.rpartition(".")[2]
        if name in registered and registered[name].run is not run:
            raise ValueError(f"two benchmarks are named {name}")
        registered[name] = Benchmark(name, module, issue, figures, run, patience)
        return run

    return register


def rows(benchmark: Benchmark, measured: Measured, machine: str) -> list[Row]:
    """One row a declared figure; what was declared and not returned is a failure, and so is the reverse."""
    strangers = sorted(measured.keys() - {figure.name for figure in benchmark.figures})
    made = [_row(benchmark, figure, measured.get(figure.name), machine) for figure in benchmark.figures]
    return made + [failure(benchmark, Figure(name, ""), "measured but not declared", machine) for name in strangers]


def _row(benchmark: Benchmark, figure: Figure, found: float | Value | None, machine: str) -> Row:
    if found is None:
        return failure(benchmark, figure, "not measured", machine)
    value = found if isinstance(found, Value) else Value(found)
    peer = value.peer or figure.peer
    return Row(benchmark.issue, figure.name, value.value, figure.unit, figure.asked, peer, value.peer_value, machine)


def failure(benchmark: Benchmark, figure: Figure, reason: str, machine: str) -> Row:
    said = (reason.strip().splitlines() or ["no reason given"])[-1][:FAILURE_LENGTH]  # a traceback ends in its error
    return Row(benchmark.issue, figure.name, None, figure.unit, figure.asked, figure.peer, None, machine, said)


def failures(benchmark: Benchmark, reason: str, machine: str) -> list[Row]:
    return [failure(benchmark, figure, reason, machine) for figure in benchmark.figures]


def merge(old: Iterable[Mapping[str, object]], new: Iterable[Row]) -> list[dict[str, object]]:
    """The new rows over the old ones of the same issue and figure, ordered by issue."""
    kept = {(row.get("issue"), row.get("figure")): dict(row) for row in old}
    kept |= {(row.issue, row.figure): row.as_json() for row in new}
    return sorted(kept.values(), key=lambda row: int(str(row.get("issue", 0))))


def write(results: Sequence[Mapping[str, object]], path: Path = RESULTS) -> None:
    """Whole or not at all: an interrupted run must not cost the last one's figures."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def read(path: Path = RESULTS) -> list[dict[str, object]]:
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []


def reached(value: float, asked: str) -> bool | None:
    """Whether a value satisfies `≤ 45`, `≥ 300,000` or `0`; None where nothing of that kind is asked."""
    match = re.match(r"([≤≥<>]?)\s*(\d[\d,]*(?:\.\d+)?)\s*$", asked)
    if match is None:
        return None
    bound = float(match[2].replace(",", ""))
    return {"≤": value <= bound, "≥": value >= bound, "<": value < bound, ">": value > bound, "": value == bound}[
        match[1]
    ]


def table(results: Iterable[Row]) -> str:
    """For a terminal: one line a figure."""
    lines = [("issue", "figure", "value", "unit", "asked", "", "peer")]
    lines += [
        (str(row.issue), row.figure, _value(row), row.unit, row.asked, _verdict(row), _peer(row)) for row in results
    ]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(_padded(*cell) for cell in zip(line, widths, strict=True)).rstrip() for line in lines)


def _value(row: Row) -> str:
    return "failed" if row.value is None else _number(row.value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:,.3g}"


def _verdict(row: Row) -> str:
    if row.failed is not None:
        return row.failed[:60]
    return {True: "reached", False: "short", None: ""}[reached(row.value or 0.0, row.asked)]


def _peer(row: Row) -> str:
    if row.peer_value is None:
        return row.peer or ""
    return f"{row.peer or 'peer'}: {_number(row.peer_value)}"


def _width(text: str) -> int:
    """Columns of a terminal: a Han character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def machine() -> str:
    """What it ran on, without naming whose it is."""
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{_processor()}, {os.cpu_count()} cores, {_memory()}, {system}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    said = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
    return (said.get("model name") or said.get("Model") or platform.machine()).strip()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
