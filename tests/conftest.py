"""What every test shares: Hypothesis without deadlines, for a loaded machine is no bug."""

from hypothesis import settings

from agent.demo.broker import find_mosquitto

settings.register_profile("fengsui", deadline=None)
settings.load_profile("fengsui")


def pytest_report_header() -> str:
    """Which broker the suite talks to."""
    if find_mosquitto():
        return "broker: Mosquitto"
    return "broker: only the embedded one; tests that need Mosquitto are skipped (Debian: apt install mosquitto)"
