"""What every test shares: Hypothesis without deadlines, for a loaded machine is no bug."""

from typing import Any

import pytest
from hypothesis import settings

from agent.demo.broker import find_mosquitto

settings.register_profile("fengsui", deadline=None)
settings.load_profile("fengsui")


def pytest_report_header() -> str:
    """Which broker the suite talks to."""
    if find_mosquitto():
        return "broker: Mosquitto"
    return "broker: only the embedded one; tests that need Mosquitto are skipped (Debian: apt install mosquitto)"


# What takes long begins first, and what is many and short fills the gaps at the end.
FIRST = ("tests/test_demo.py", "tests/agent/test_narrow_whole.py", "tests/test_guides.py")
IN_ORDER = ("tests/agent/test_release.py", "tests/test_release_offline.py")  # one machine, installed on again and again


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers share one order."""
    items.sort(key=lambda item: next((n for n, head in enumerate(FIRST) if item.nodeid.startswith(head)), len(FIRST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests are dealt out one by one, but these to one worker, in their order. The mark `xdist_group` of pytest-xdist 3.8 has no
    effect with pytest 9.2, where a test's id is no longer taken from `_nodeid`.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "in order" if nodeid.startswith(IN_ORDER) else nodeid

    return Scheduling(config, log)
