"""The headend: beside the platform, it turns datagrams of narrow bearers into the messages the station would have published,
acknowledges them, and carries warnings and commands down.

`desk` and `book` decide and remember; `bearers`, `platform` and `service` do. A station's side is `agent.bearers`.
"""
