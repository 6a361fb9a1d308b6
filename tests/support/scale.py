"""How often to do a thing that an issue counts: a tenth by default, in full under FENGSUI_SOAK=1."""

import os


def count(full: int) -> int:
    return full if os.environ.get("FENGSUI_SOAK") == "1" else max(1, full // 10)
