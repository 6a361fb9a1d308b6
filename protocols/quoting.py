"""A foreign text as a reason, a note or a log line may repeat it."""

MAX_QUOTED = 60  # characters


def quoted(text: str) -> str:
    """Short, and nothing in it can act on a terminal or a log."""
    return repr(text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "…")
