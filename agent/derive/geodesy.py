"""Where a point lies from another, in metres east, north and up. Pure; degrees and metres above the ellipsoid.

Through Earth-centred coordinates of WGS 84 (NIMA TR8350.2, 3rd ed., ch. 3 and 4), so that it is exact at any distance;
CGCS2000's ellipsoid differs from it by a tenth of a millimetre.
"""

from math import cos, radians, sin, sqrt
from typing import NamedTuple

SEMI_MAJOR = 6_378_137.0  # m
FLATTENING = 1 / 298.257223563
ECCENTRICITY_2 = FLATTENING * (2 - FLATTENING)


class Place(NamedTuple):
    lat: float
    lon: float
    height: float


class Offset(NamedTuple):
    east: float
    north: float
    up: float

    @property
    def length(self) -> float:
        return sqrt(self.east**2 + self.north**2 + self.up**2)


def offset(place: Place, origin: Place) -> Offset:
    """From the origin to the place, in the horizon of the origin."""
    x, y, z = (one - other for one, other in zip(_earth_centred(place), _earth_centred(origin), strict=True))
    lat, lon = radians(origin.lat), radians(origin.lon)
    outward = cos(lon) * x + sin(lon) * y
    return Offset(
        -sin(lon) * x + cos(lon) * y,
        -sin(lat) * outward + cos(lat) * z,
        cos(lat) * outward + sin(lat) * z,
    )


def _earth_centred(place: Place) -> tuple[float, float, float]:
    lat, lon = radians(place.lat), radians(place.lon)
    normal = SEMI_MAJOR / sqrt(1 - ECCENTRICITY_2 * sin(lat) ** 2)
    across = (normal + place.height) * cos(lat)
    return across * cos(lon), across * sin(lon), (normal * (1 - ECCENTRICITY_2) + place.height) * sin(lat)
