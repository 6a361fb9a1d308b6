"""The catalogues as their translators see them."""

from agent.catalogue import BY_TEXT
from agent.po import LOCALE, read


def areas(language):
    """Area → its entries, the header left out."""
    folder = LOCALE / language / "LC_MESSAGES"
    return {path.stem: [one for one in read(path) if one.key] for path in sorted(folder.glob("*.po"))}


def sentences(language):
    """Code → sentence, of all areas but those whose keys are English texts."""
    return {one.key: one.text for area, entries in areas(language).items() if area not in BY_TEXT for one in entries}
