"""Whom the station believes: key-sets, beacons, and what time does to them."""
