"""Releases that need no network: bundles made, signed, checked and unpacked. `systemd/release` installs what is in them."""
