"""What every reader of foreign bytes owes: a value, or a refusal that can be logged as it stands."""

from protocols.errors import RemoteError


def attempt(read, *arguments):
    """The value, or None where it was refused; anything else that is raised is the test's failure."""
    try:
        return read(*arguments)
    except RemoteError as wrong:
        if not str(wrong).isprintable():
            raise AssertionError(f"{wrong!r} would act on a terminal") from wrong
        return None
