"""Bearers: one short file each, pumping a machine of `protocols` over a port. See `drivers.api.Bearer`."""
