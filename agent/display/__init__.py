"""The display page: a process of its own that shows one screen to a kiosk browser. Never imported by the agent."""
