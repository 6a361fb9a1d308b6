"""A wall clock that can be set, for agents started with this folder on PYTHONPATH: it says what the file
FENGSUI_TEST_CLOCK names, in seconds added to the machine's own. Boot time and monotonic time go on as they are.
"""

import os
import time
from pathlib import Path

_true, _true_ns = time.time, time.time_ns


def _offset() -> int:
    try:
        return int(Path(os.environ["FENGSUI_TEST_CLOCK"]).read_text(encoding="ascii"))
    except (KeyError, OSError, ValueError):
        return 0


time.time = lambda: _true() + _offset()
time.time_ns = lambda: _true_ns() + _offset() * 1_000_000_000
