"""Event codes as China's 12379 family writes them, told apart as far as a decision needs. Knows no names to show and no
plans; those are the agent's data.

Sources disagree on the rarer codes and senders extend the table (11B101, 11A106), so an unknown code is normal: it is
judged by level and action alone.
"""

FAMILIES = {  # code prefix -> the event's word, which is also what an alert may say instead of a code
    "11A01": "flood",
    "11A02": "waterlogging",
    "11A03": "dam",
    "11A04": "dike",
    "11A51": "flash-flood",
    "11B01": "typhoon",
    "11B03": "rainstorm",
    "11C": "earthquake",
    "11D01": "landslide",
    "11D02": "debris-flow",
    "11E01": "tsunami",
    "11E02": "storm-surge",
    "11G": "wildfire",
    "12": "accident",
}


def family(event: str) -> str:
    """The family of a code, by its longest known prefix; a word, or a code nobody knows, is its own family."""
    return next((FAMILIES[event[:size]] for size in (5, 4, 3, 2) if event[:size] in FAMILIES), event)
