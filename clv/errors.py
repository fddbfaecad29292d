"""The refusals of this project: each is one sentence for a person, and an exit code for a machine."""

from collections.abc import Iterable

SHOWN_NAMES, SHOWN_LETTERS = 10, 40


def listed(names: Iterable[str]) -> str:
    """Return names as a sentence can hold them: not too many, not too long."""
    names = list(names)
    short = [name if len(name) <= SHOWN_LETTERS else f"{name[: SHOWN_LETTERS - 3]}..." for name in names[:SHOWN_NAMES]]
    more = len(names) - len(short)
    return ", ".join(short) + (f" and {more} more" if more else "")


class ClvError(Exception):
    """A refusal that a person can act on; the message is the whole explanation."""

    exit_code = 1


class InputError(ClvError):
    """The data or the parameters cannot be used as they are."""

    exit_code = 2


class GateError(ClvError):
    """The posterior or the data support no statement."""

    exit_code = 3


class IntegrityError(ClvError):
    """A file does not belong to this run, or breaks its contract."""

    exit_code = 4


class BusyError(ClvError):
    """Somebody else is making this run right now."""

    exit_code = 5
