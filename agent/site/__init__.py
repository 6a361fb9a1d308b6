"""Setting a station up and taking it over: identity, configuration by questions, signed site packs, the acceptance report."""
