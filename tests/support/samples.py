"""The real and made-up warning messages under tests/samples; their README says where each is from."""

from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "samples"


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def names(folder: str) -> list[str]:
    return sorted(path.name for path in (SAMPLES / folder).iterdir())
