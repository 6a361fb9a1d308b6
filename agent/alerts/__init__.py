"""A warning from its seal to the siren: judged, decided, remembered, performed, answered for. Waits for no uplink."""
