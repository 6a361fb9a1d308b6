"""CAMF's last field: 15 bits that mean one of four things, and for "details of the hazard" something else for each hazard.

Layout and meanings as CAMF 1.2 has them for the hazards a valley station meets; others keep their raw bits. Data, and
one function. B2's offsets skip zero: the hazard's centre is never said to be the ellipse's.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

EIGHTHS: Final = (0, 0, 0, 0)

_RAIN = ("≤ 2.5", "2.5–7.5", "7.5–10", "10–20", "20–30", "30–50", "50–80", "> 80")  # mm/h
_SIGHT = (
    "< 20",
    "20–200",
    "200–500",
    "500–1000",
    "1000–2000",
    "2000–4000",
    "4000–10000",
    "10000–20000",
    "20000–50000",
    "> 50000",
)  # m
_WAVE = ("≤ 0.5", "0.5–1", "1–1.5", "1.5–2", "2–3", "3–5", "5–10", "> 10")  # m
_FLOOD = ("minor", "moderate", "major", "record")
_BEAUFORT = tuple(str(force) for force in range(13))
_MAGNITUDE = ("1.0–1.9", "2.0–2.9", "3.0–3.9", "4.0–4.9", "5.0–5.9", "6.0–6.9", "7.0–7.9", "8.0–8.9", "≥ 9.0")
_SHINDO = ("2", "3", "4", "5 weak", "5 strong", "6 weak", "6 strong", "7")
_BEARING = tuple(f"{22.5 * code:g}" for code in range(16))  # degrees from the centre to the epicentre
_AXES = ("0.25", "0.5", "0.75", "1", "2", "3", "5", "10", "20", "30", "40", "50", "70", "100", "150", "200")
_FIVE = ("1/5", "2/5", "3/5", "4/5", "5/5")
_TYPHOON = (
    "scale 1, intensity 1",
    "scale 1, intensity 2",
    "scale 1, intensity 3",
    "scale 2, intensity 1",
    "scale 2, intensity 2",
)

_Field = tuple[str, int, tuple[str, ...]]  # name with its unit, bits, meaning of each code
_RAINFALL: _Field = ("rain_mm_h", 3, _RAIN)
_VISIBILITY: _Field = ("visibility_m", 4, _SIGHT)
_WIND: _Field = ("wind_beaufort", 4, _BEAUFORT)

# Hazard number → its fields in order.
HAZARD_FIELDS: Final[Mapping[int, tuple[_Field, ...]]] = {
    27: (("fire_danger", 3, _FIVE),),
    30: (("fire_danger", 3, _FIVE),),
    33: (("avalanche_danger", 3, _FIVE),),
    36: (
        ("magnitude", 4, _MAGNITUDE),
        ("seismic_intensity", 3, _SHINDO),
        ("epicentre_azimuth_deg", 4, _BEARING),
        ("epicentre_distance_axes", 4, _AXES),
    ),
    43: (("wave_m", 3, _WAVE),),
    44: (("wave_m", 3, _WAVE),),
    47: (_WIND, ("wave_m", 3, _WAVE)),
    68: (("flood", 2, _FLOOD),),
    74: (_RAINFALL, _VISIBILITY),
    82: (("typhoon", 3, _TYPHOON), _WIND, _RAINFALL),
}


class Detail(NamedTuple):
    """`refinement`: eighths by which B1 moves latitude, longitude and shortens the axes."""

    kind: str  # B1 to B4
    values: dict[str, str | float]
    refinement: tuple[int, ...] = EIGHTHS


def detail(subject: int, bits: int, hazard: int) -> Detail:
    """What A18's 15 bits say under A17's subject."""
    if subject == 0:
        return Detail("B1", {}, tuple(_parts(bits, (3, 3, 3, 3))))
    if subject == 1:
        north, east = _parts(bits, (7, 7))
        return Detail("B2", {"north_deg": _offset(north), "east_deg": _offset(east)})
    if subject == 2:
        shift, factor, bearing, told = _parts(bits, (2, 3, 5, 5))
        values = {"shift_axes": shift, "factor": (factor + 1) / 4, "turn_deg": bearing * 11.25, "guidance_c": told}
        return Detail("B3", dict(values))
    return Detail("B4", _hazard(HAZARD_FIELDS.get(hazard, ()), bits))


def _hazard(fields: tuple[_Field, ...], bits: int) -> dict[str, str | float]:
    if not fields:
        return {"bits": bits}
    codes = _parts(bits, tuple(width for _, width, _ in fields))
    return {
        name: said[code] if code < len(said) else f"undefined {code}"
        for (name, _, said), code in zip(fields, codes, strict=True)
    }


def _offset(code: int) -> float:
    """±10° in 128 steps without the middle one."""
    return -10 + 20 / 128 * (code if code < 64 else code + 1)


def _parts(bits: int, widths: tuple[int, ...]) -> list[int]:
    """Fields from the most significant of 15 bits on."""
    left, parts = 15, []
    for width in widths:
        left -= width
        parts.append(bits >> left & ((1 << width) - 1))
    return parts
