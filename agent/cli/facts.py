"""Names of facts in a listing, in the language chosen. JSON has the same names in English, as the program gives them."""

from agent import catalogue, say


def named(name: object) -> str:
    """A name, or one of the few words that are values (`up`, `True`); a stranger stays as it is."""
    text = str(name)
    return catalogue.texts(say.chosen(), catalogue.FACTS).gettext(text) if text else text
